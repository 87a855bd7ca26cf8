//! The program `mta_exporter`.

fn main() {}
