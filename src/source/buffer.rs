//! The one buffer that everything is read into.

/// How much is read at once.
const BYTES: usize = 256 << 10;

/// Reused memory for reading. It grows for a line that is longer than it and shrinks after.
#[derive(Debug, Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty buffer; it takes its memory when it is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for one read: the usual amount, or `bytes` if that is more.
    pub(super) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let bytes = bytes.max(BYTES);
        if self.0.len() > bytes {
            self.0.truncate(bytes);
            self.0.shrink_to_fit();
        } else {
            self.0.resize(bytes, 0);
        }
        &mut self.0
    }
}
