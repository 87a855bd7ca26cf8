//! Notes what the program is built from. It never fails: outside a repository the revision is
//! unknown.

use std::path::Path;
use std::process::Command;

fn main() {
    let revision = run("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or("unknown".to_owned());
    println!("cargo::rustc-env=MTA_EXPORTER_REVISION={revision}");
    let compiler = std::env::var("RUSTC").unwrap_or("rustc".to_owned());
    let rustc = run(&compiler, &["--version"]).unwrap_or("unknown".to_owned());
    let rustc = rustc.split(' ').nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=MTA_EXPORTER_RUSTC={rustc}");
    // HEAD's log grows with every commit and checkout, wherever the repository keeps it.
    println!("cargo::rerun-if-changed=src/build.rs");
    if let Some(log) = run("git", &["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// The first line that a program prints.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next().filter(|line| output.status.success() && !line.is_empty())?;
    Some(line.to_owned())
}
