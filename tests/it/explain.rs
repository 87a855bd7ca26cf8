//! The command `explain`, as it is typed.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn explain(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mta_exporter"))
        .arg("explain")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn words_of_the_command_line_are_one_text() {
    let found = explain(&["550", "5.1.1", "no", "such", "user"], b"");
    assert!(
        text(&found.stdout).starts_with("550 5.1.1  refused for good\n\n  Meaning  There is no")
    );
    assert!(!found.stdout.contains(&0x1b), "no colour where nobody looks");
    assert_eq!(found.status.code(), Some(0));
}

#[test]
fn each_line_of_standard_input_is_explained() {
    let found = explain(&["--json", "-"], b"421\n\n5.7.26\r\nwhatever\n550 5.1.1 unknown");
    let codes: Vec<_> = text(&found.stdout)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|object| (object["code"].as_u64(), object["enhanced"].as_str().map(str::to_owned)))
        .collect();
    let enhanced = |code: &str| Some(code.to_owned());
    let expected = [
        (Some(421), None),
        (None, enhanced("5.7.26")),
        (None, None),
        (Some(550), enhanced("5.1.1")),
    ];
    assert_eq!(codes, expected);
    assert_eq!(found.status.code(), Some(0));
}

#[test]
fn what_is_not_understood_is_a_failure_and_what_cannot_be_used_is_said() {
    assert_eq!(explain(&["good", "morning"], b"").status.code(), Some(1));
    assert_eq!(explain(&[], b"").status.code(), Some(64));
    let found = explain(&["--provider", "gmal", "421"], b"");
    assert_eq!(found.status.code(), Some(64));
    let message = "mta_exporter: --provider: expected a name of the table of providers, such as \
                   gmail, but found \"gmal\"\n";
    assert_eq!(text(&found.stderr), message);
}
