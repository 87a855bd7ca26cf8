//! Files are followed without losing, repeating or tearing a line. The time is stepped: no test
//! waits.

mod catch_up;
mod harness;
mod live;
mod model;

pub(crate) use harness::Tail;
