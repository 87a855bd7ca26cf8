//! Where the bytes come from.

mod chunks;
pub mod compressed;
mod spec;

pub use chunks::{Chunk, Chunks};
pub use spec::{Origin, Spec, StartAt};
