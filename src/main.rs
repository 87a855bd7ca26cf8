//! The program `mta_exporter`. What it does is in [`mta_exporter::cli`].

fn main() -> std::process::ExitCode {
    mta_exporter::cli::run()
}
