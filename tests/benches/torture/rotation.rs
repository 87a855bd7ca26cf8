//! What programs do to logs.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::line;
use super::writer::Writer;

/// More than any scenario makes.
const KEPT: usize = 30;

fn named(log: &Path, ending: &str) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn shift(log: &Path) {
    for number in (1..KEPT).rev() {
        for ending in ["", ".gz"] {
            let from = named(log, &format!(".{number}{ending}"));
            if from.exists() {
                fs::rename(from, named(log, &format!(".{}{ending}", number + 1))).unwrap();
            }
        }
    }
}

/// logrotate's `create`: the log is renamed, a new one is made, and then the writer is told.
pub fn create(log: &Path, writer: &Writer) {
    late(log, writer, Duration::ZERO);
}

/// The same, and the writer goes on in the renamed file for a while.
pub fn late(log: &Path, writer: &Writer, while_: Duration) {
    shift(log);
    fs::rename(log, named(log, ".1")).unwrap();
    File::create(log).unwrap();
    sleep(while_);
    writer.go_on_in(log);
}

/// logrotate's `copytruncate`.
pub fn copy_truncate(log: &Path) {
    shift(log);
    fs::copy(log, named(log, ".1")).unwrap();
    OpenOptions::new().write(true).open(log).unwrap().set_len(0).unwrap();
}

/// The log is deleted, and the writer makes it anew unless it has come to its end.
pub fn delete(log: &Path, writer: &Writer) {
    if log.exists() {
        fs::remove_file(log).unwrap();
        writer.go_on_in(log);
    }
}

/// The log is replaced by a file that already holds lines.
pub fn rename_in(log: &Path, writer: &Writer) {
    let incoming = named(log, ".incoming");
    writer.go_on_in(&incoming);
    sleep(Duration::from_millis(30));
    shift(log);
    fs::rename(log, named(log, ".1")).unwrap();
    fs::rename(incoming, log).unwrap();
}

/// Two rotations in a row, and the first file is compressed at once.
pub fn twice_and_compress(log: &Path, writer: &Writer) {
    create(log, writer);
    sleep(Duration::from_millis(100));
    create(log, writer);
    compress(&named(log, ".2"));
}

/// Compresses as gzip does: the time of the last write is kept, and the plain file goes.
fn compress(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let output = File::create(named(path, ".gz")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::fast());
    std::io::copy(&mut File::open(path).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap().set_modified(modified).unwrap();
    fs::remove_file(path).unwrap();
}

/// How many whole lines of each cell the log and its plain rotated files hold. A copy may end in a
/// line that lacks no more than its line feed; that one is counted when the copy is let go, which no
/// run waits for.
pub fn on_disk(log: &Path) -> Vec<u64> {
    let mut cells = vec![0; line::CELLS];
    for entry in fs::read_dir(log.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.as_os_str().as_encoded_bytes().starts_with(log.as_os_str().as_encoded_bytes()) {
            let text = fs::read(path).unwrap();
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            for cell in lines.filter_map(|line| line::read(line.strip_suffix(b"\n")?)) {
                cells[cell] += 1;
            }
        }
    }
    cells
}
