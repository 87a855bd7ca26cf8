//! Complete lines, in one reused buffer.

use std::io::{self, Read};

/// The buffer that usual lines need.
const BUFFER_BYTES: usize = 128 << 10;

/// Cuts the bytes of a finished log into chunks of complete lines. A line that is longer than the
/// limit is skipped and counted; the memory is bounded by the limit.
#[derive(Debug)]
pub struct Chunks {
    buffer: Vec<u8>,
    line_bytes_max: usize,
    /// What was handed out: `..taken` of the buffer.
    taken: usize,
    /// What was read: `..filled` of the buffer.
    filled: usize,
    /// Whether the line that is being read is too long.
    skipping: bool,
}

/// Some lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Whole lines with their ends. The last line of a log may have none.
    pub lines: &'a [u8],
    /// How many lines between the last chunk and this one were too long.
    pub overlong: u64,
}

impl Chunks {
    /// Lines of at most `line_bytes_max` bytes, their ends not counted.
    pub fn new(line_bytes_max: usize) -> Self {
        let buffer = vec![0; BUFFER_BYTES.min(line_bytes_max.saturating_add(1))];
        Self { buffer, line_bytes_max, taken: 0, filled: 0, skipping: false }
    }

    /// The next lines of `input`, `None` at its end.
    pub fn next(&mut self, input: &mut impl Read) -> io::Result<Option<Chunk<'_>>> {
        let mut overlong = 0;
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        loop {
            self.make_room();
            let seen = self.filled;
            if self.fill(input)? == 0 {
                return Ok(self.rest(overlong));
            }
            let new = self.buffer.get(seen..self.filled).unwrap_or_default();
            let mut start = 0;
            if self.skipping {
                let Some(end) = memchr::memchr(b'\n', new) else {
                    self.filled = 0;
                    continue;
                };
                // The buffer was empty: what is new stands at its start.
                (self.skipping, start) = (false, end + 1);
                overlong += 1;
            }
            if let Some(end) = memchr::memrchr(b'\n', new).map(|end| seen + end + 1) {
                if end > start {
                    self.taken = end;
                    let lines = self.buffer.get(start..end).unwrap_or_default();
                    return Ok(Some(Chunk { lines, overlong }));
                }
                self.buffer.copy_within(end..self.filled, 0);
                self.filled -= end;
            }
        }
    }

    /// Where the buffer is full of one line, makes it larger or drops a line that is too long.
    fn make_room(&mut self) {
        if self.filled == self.buffer.len() {
            let larger = self.filled.saturating_mul(2).min(self.line_bytes_max.saturating_add(1));
            if larger > self.filled {
                self.buffer.resize(larger, 0);
            } else {
                (self.skipping, self.filled) = (true, 0);
            }
        }
    }

    /// Reads once, into what is free of the buffer. Returns the number of bytes.
    fn fill(&mut self, input: &mut impl Read) -> io::Result<usize> {
        loop {
            match input.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
                Ok(read) => {
                    self.filled += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What stands after the last line end.
    fn rest(&mut self, overlong: u64) -> Option<Chunk<'_>> {
        let overlong = overlong + u64::from(std::mem::take(&mut self.skipping));
        self.taken = self.filled;
        let lines = self.buffer.get(..self.filled).unwrap_or_default();
        (!lines.is_empty() || overlong > 0).then_some(Chunk { lines, overlong })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hands out at most so many bytes at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn lines(text: &[u8], step: usize, max: usize) -> (Vec<Vec<u8>>, u64) {
        let mut chunks = Chunks::new(max);
        let mut input = Dribble(text, step);
        let (mut lines, mut overlong) = (Vec::new(), 0);
        while let Some(chunk) = chunks.next(&mut input).unwrap() {
            overlong += chunk.overlong;
            lines.extend(chunk.lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
        (lines, overlong)
    }

    proptest! {
        #[test]
        fn every_line_comes_once_and_whole_however_it_is_read(
            words in proptest::collection::vec(0usize..40, 0..40),
            ended: bool,
            step in 1usize..50,
            max in 1usize..45,
        ) {
            let mut text: Vec<u8> = Vec::new();
            for (at, length) in words.iter().enumerate() {
                text.extend(std::iter::repeat_n(b'a' + u8::try_from(at % 26).unwrap(), *length));
                text.push(b'\n');
            }
            if !ended {
                text.pop();
            }
            let all = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec);
            let length = |line: &Vec<u8>| line.len() - usize::from(line.ends_with(b"\n"));
            let (short, long): (Vec<_>, Vec<_>) = all.partition(|line| length(line) <= max);
            prop_assert_eq!(lines(&text, step, max), (short, long.len() as u64));
        }
    }

    #[test]
    fn a_line_of_a_hundred_megabytes_costs_no_memory() {
        let mut chunks = Chunks::new(1 << 20);
        let mut input = io::repeat(b'x').take(100 << 20).chain(&b"\nlast\n"[..]);
        let chunk = chunks.next(&mut input).unwrap().unwrap();
        assert_eq!(chunk, Chunk { lines: b"last\n", overlong: 1 });
        assert!(chunks.buffer.len() <= (1 << 20) + 1);
    }
}
