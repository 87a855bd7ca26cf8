//! From the logs of mail transfer agents to Prometheus counters, by receiving provider and code
//! class.
//!
//! ```text
//!  bytes ──tail──▶ Line ──envelope──▶ Record ──mta──▶ Reading ──provider, reason──▶ Ledger ──▶ Snapshot ──▶ text
//!   I/O             pure               pure           pure       pure (tables)       u64s      durable      HTTP
//! ```
//!
//! Everything between the tail and the HTTP server is synchronous, total and free of I/O: it never
//! blocks, sleeps, reads a clock or fails. A line that cannot be understood is a counted outcome,
//! not an error. One thread owns the sources and the ledger; a scrape asks it for a snapshot.
//!
//! The modules stand in the order in which to read them, and each imports only those above it.

mod scan;
pub mod smtp;
pub mod attempt;
pub mod telemetry;
pub mod source;
pub mod envelope;
pub mod mta;
pub mod table;
pub mod provider;
pub mod reason;
pub mod catalogue;
pub mod ledger;
pub mod pipeline;
pub mod exposition;
pub mod config;
pub mod reader;
pub mod http;
pub mod cli;
