//! The vocabulary of RFC 5321 and RFC 3463: reply code, enhanced status code, reply.
//!
//! This room knows no log and no provider. Nothing in it allocates, and parsing is total: what is
//! not a code is `None`, never an error.

mod code;
mod enhanced;
mod reply;

pub use code::{CodeClass, ReplyCode};
pub use enhanced::EnhancedStatusCode;
pub use reply::Reply;
