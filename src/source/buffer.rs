//! The one buffer that everything is read into.

/// How much is read at once.
const BYTES: usize = 128 << 10;

/// Reused memory for reading. It grows for a line that is longer than it and shrinks after.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    usual: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffer {
    /// An empty buffer; it takes its memory when it is first used.
    pub fn new() -> Self {
        Self::of(BYTES)
    }

    /// A buffer for that many bytes at once. A small one reads in many steps.
    pub fn of(usual: usize) -> Self {
        Self { bytes: Vec::new(), usual }
    }

    /// Room for one read: the usual amount, or `bytes` if that is more.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let bytes = bytes.max(self.usual);
        if self.bytes.len() > bytes {
            self.bytes.truncate(bytes);
            self.bytes.shrink_to_fit();
        } else {
            self.bytes.resize(bytes, 0);
        }
        &mut self.bytes
    }
}
