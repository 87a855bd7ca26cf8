//! Finished logs, plain or compressed.
//!
//! The format is told by the first bytes, whatever the file is called. Files that were put together
//! from several compressed ones (`cat a.gz b.gz`) are read to their end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Compressed bytes are read in steps of this size.
const INPUT_BYTES: usize = 64 << 10;
/// The memory that the dictionary of an xz file may ask for, in KiB: twice what `xz -9` uses.
const XZ_MEMORY_KIB_MAX: u32 = 128 << 10;
/// The window that a zstd file may ask for: what `zstd` itself reads unless told otherwise.
const ZSTD_WINDOW_BYTES_MAX: u64 = 128 << 20;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// xz.
    Xz,
}

impl Compression {
    /// How many bytes [`Compression::sniff`] wants to see.
    pub const MAGIC_BYTES_MAX: usize = 6;

    /// What the first bytes of a file say.
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            // A frame, or a skippable frame as pzstd writes it first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// The bytes of a log, decompressed while they are read. Plain bytes go straight into the caller's
/// buffer.
pub struct LogReader<R: Read>(Decoder<R>);

/// The bytes that were looked at, then the rest.
type Sniffed<R> = Chain<Cursor<Vec<u8>>, R>;

enum Decoder<R: Read> {
    Plain(Sniffed<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Sniffed<R>>>>),
    Zstd(Box<ZstdFrames<BufReader<Sniffed<R>>>>),
    Xz(Box<XzReader<BufReader<Sniffed<R>>>>),
}

/// Opens a log file.
pub fn open(path: &Path) -> io::Result<LogReader<File>> {
    LogReader::new(File::open(path)?)
}

impl<R: Read> LogReader<R> {
    /// Looks at the first bytes of `input` and reads it accordingly.
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(Compression::MAGIC_BYTES_MAX);
        input.by_ref().take(Compression::MAGIC_BYTES_MAX as u64).read_to_end(&mut head)?;
        let compression = Compression::sniff(&head);
        let input = Cursor::new(head).chain(input);
        let buffered = |input| BufReader::with_capacity(INPUT_BYTES, input);
        Ok(Self(match compression {
            Compression::None => Decoder::Plain(input),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(buffered(input)))),
            Compression::Zstd => Decoder::Zstd(Box::new(ZstdFrames::new(buffered(input)))),
            Compression::Xz => Decoder::Xz(Box::new(XzReader::new_mem_limit(
                buffered(input),
                true,
                XZ_MEMORY_KIB_MAX,
            ))),
        }))
    }

    /// How the input is compressed.
    pub fn compression(&self) -> Compression {
        match self.0 {
            Decoder::Plain(_) => Compression::None,
            Decoder::Gzip(_) => Compression::Gzip,
            Decoder::Zstd(_) => Compression::Zstd,
            Decoder::Xz(_) => Compression::Xz,
        }
    }
}

impl<R: Read> Read for LogReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Decoder::Plain(input) => input.read(buffer),
            Decoder::Gzip(input) => input.read(buffer),
            Decoder::Zstd(input) => input.read(buffer),
            Decoder::Xz(input) => input.read(buffer),
        }
    }
}

impl<R: Read> std::fmt::Debug for LogReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LogReader").field(&self.compression()).finish()
    }
}

/// All frames of a zstd file; the decoder by itself knows one.
struct ZstdFrames<I> {
    input: I,
    decoder: FrameDecoder,
}

impl<I: BufRead> ZstdFrames<I> {
    fn new(input: I) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_BYTES_MAX);
        Self { input, decoder }
    }

    /// Begins the next frame that has content; whether there is one.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.input.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }
}

impl<I: BufRead> Read for ZstdFrames<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if buffer.is_empty() || self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.decoder.is_finished() {
                if !self.next_frame()? {
                    return Ok(0);
                }
            } else {
                // One block is at most 128 KiB, which bounds the memory beside the window.
                self.decoder
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const FIRST: &[u8] = b"first line\nsecond line\n";
    const SECOND: &[u8] = b"third line\n";

    /// `zstd` and `xz` cannot be written by our crates: made with the tools from FIRST and SECOND,
    /// the frames put one after the other.
    const ZSTD: &[u8] = include_bytes!("../../tests/logs/compressed/two-frames.zst");
    const XZ: &[u8] = include_bytes!("../../tests/logs/compressed/two-streams.xz");

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn check(input: &[u8], compression: Compression) {
        let mut reader = LogReader::new(input).unwrap();
        assert_eq!(reader.compression(), compression);
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        assert_eq!(text, [FIRST, SECOND].concat());
    }

    #[test]
    fn plain_bytes_pass_through() {
        check(&[FIRST, SECOND].concat(), Compression::None);
    }

    #[test]
    fn joined_gzip_files_are_read_to_the_end() {
        check(&[gzip(FIRST), gzip(SECOND)].concat(), Compression::Gzip);
    }

    #[test]
    fn joined_zstd_frames_are_read_to_the_end_and_skippable_ones_skipped() {
        check(ZSTD, Compression::Zstd);
        let skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        check(&[&skippable[..], ZSTD, &skippable].concat(), Compression::Zstd);
    }

    #[test]
    fn joined_xz_streams_are_read_to_the_end() {
        check(XZ, Compression::Xz);
    }

    #[test]
    fn files_shorter_than_any_magic_number_are_plain() {
        for text in [&b""[..], b"\n", b"\x1f\x8b"] {
            let mut reader = LogReader::new(text).unwrap();
            assert_eq!(reader.compression(), Compression::None);
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn a_file_that_was_cut_is_an_error_after_its_content() {
        for whole in [gzip(&FIRST.repeat(1000)), ZSTD.to_vec(), XZ.to_vec()] {
            let cut = &whole[..whole.len() - 3];
            let mut text = Vec::new();
            assert!(LogReader::new(cut).unwrap().read_to_end(&mut text).is_err());
        }
    }
}
