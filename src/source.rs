//! Where the bytes come from.

pub mod compressed;
mod spec;

pub use spec::{Origin, Spec, StartAt};
