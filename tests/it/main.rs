//! The tests that need more than one room, in one binary.

// The lint's own exception for tests does not reach the helper functions of a test crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod config;
mod corpus;
mod courier_truth;
mod dialects;
mod exim_truth;
mod explain;
mod exposition;
mod frames;
mod haraka_truth;
mod http;
mod inputs;
mod opensmtpd_truth;
mod postfix_hostile;
mod postfix_lines;
mod postfix_truth;
mod program;
mod providers;
mod qmail_truth;
mod readme;
mod reasons;
mod replies;
mod scenarios;
mod sendmail_truth;
mod state;
mod tail;
mod tidy;
mod truth;
