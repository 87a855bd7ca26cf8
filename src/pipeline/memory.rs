//! What has to be remembered from line to line, in the form that is saved with the counts.
//!
//! The lines that it comes from were read and are not read again after a restart. Each part has a
//! version of its own; what a program does not understand it forgets.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::expiry::SavedWaiting;
use super::{Pipeline, Stream};
use crate::envelope::Parts;
use crate::mta::Dialects;

/// Changes when an older program could misread [`Memory`].
const VERSION: u32 = 1;
/// Changes when an older program could misread [`StreamMemory`].
const STREAM_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Memory {
    version: u32,
    waiting: SavedWaiting,
}

/// What is remembered of a source, as it is written and as it is read.
#[derive(Serialize, Deserialize)]
struct StreamMemory<P, D> {
    version: u32,
    parts: P,
    last_stamp: Vec<u8>,
    dialects: D,
}

impl Pipeline {
    /// What is remembered across sources.
    pub fn save(&self) -> Option<Box<RawValue>> {
        let waiting = self.waiting.save(&self.providers);
        serde_json::value::to_raw_value(&Memory { version: VERSION, waiting }).ok()
    }

    /// Takes over what an earlier run remembered.
    pub fn restore(&mut self, saved: &RawValue) {
        if let Ok(memory) = serde_json::from_str::<Memory>(saved.get())
            && memory.version == VERSION
        {
            self.waiting.restore(memory.waiting, &self.providers);
        }
    }
}

impl Stream {
    /// What is remembered of the lines of this source.
    pub fn save(&self) -> Option<Box<RawValue>> {
        serde_json::value::to_raw_value(&StreamMemory {
            version: STREAM_VERSION,
            parts: self.container.parts(),
            last_stamp: self.last_stamp.clone(),
            dialects: &self.dialects,
        })
        .ok()
    }

    /// Takes over what an earlier run remembered.
    pub fn restore(&mut self, saved: &RawValue) {
        let memory = serde_json::from_str::<StreamMemory<Parts, Dialects>>(saved.get());
        if let Ok(memory) = memory
            && memory.version == STREAM_VERSION
        {
            self.dialects.restore(memory.dialects);
            self.container.restore(memory.parts);
            self.last_stamp = memory.last_stamp;
        }
    }
}
