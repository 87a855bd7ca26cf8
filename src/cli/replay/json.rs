//! One object for each reading, one reading on each line.

use std::io::{self, Write};

use crate::cli::object::Object;
use crate::pipeline::{Event, Observer};

/// Writes each event. The first error ends the writing.
pub(super) struct Json<W> {
    out: W,
    result: io::Result<()>,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, result: Ok(()) }
    }

    /// How it went.
    pub(super) fn finish(self) -> io::Result<()> {
        self.result
    }
}

impl<W: Write> Observer for Json<W> {
    fn observe(&mut self, event: &Event<'_>) {
        if self.result.is_ok() {
            self.result = write(&mut self.out, &Object::new(event));
        }
    }
}

fn write(out: &mut impl Write, object: &Object<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}
