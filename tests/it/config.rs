//! The configuration: the file that we ship, and what is refused.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mta_exporter::config::{Config, Limits, Source};
use mta_exporter::source::{Origin, Spec, StartAt};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/mta_exporter.toml");
    fs::read_to_string(path).unwrap()
}

fn load(name: &str, text: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    Config::load(Some(&path), []).map_err(|error| error.to_string())
}

fn load_variables(variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Config::load(None, variables).map_err(|error| error.to_string())
}

fn mail_log(path: &str) -> Source {
    Source { spec: Spec::new(path, Origin::Path(path.into())), dialect: None }
}

#[test]
fn the_shipped_file_says_what_is_built_in() {
    assert_eq!(load("mta_exporter.toml", &shipped()).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_names_every_key_and_its_examples_can_be_switched_on() {
    let switched_on: String = shipped()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()) => rest,
            _ => line,
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let config = load("mta_exporter.toml", &switched_on).unwrap();
    assert_eq!(config.sources[0], mail_log("/var/log/mail.log"));
    let names: Vec<_> = config.sources[1..].iter().map(|source| &source.spec.name).collect();
    assert_eq!(names, ["journal", "tcp://127.0.0.1:5514", "/run/mail.pipe", "stdin"]);
    assert!(config.providers.tracked.is_some());
    let keys = [
        ("web", &["listen_addresses", "telemetry_path"][..]),
        ("state", &["directory"]),
        ("providers", &["builtin", "files", "tracked"]),
        ("replies", &["builtin", "files"]),
        ("limits", &["series_max", "line_bytes_max"]),
    ];
    let table: toml::Table = switched_on.parse().unwrap();
    for (section, names) in keys {
        let section = table[section].as_table().unwrap();
        assert!(names.iter().all(|name| section.contains_key(*name)), "{names:?}");
    }
    assert_eq!(config.dialects.names().collect::<Vec<_>>(), ["acme"]);
    let dialect = table["dialects"][0].as_table().unwrap();
    let keys = ["name", "program", "patterns", "outcomes", "phases", "examples"];
    assert!(keys.iter().all(|key| dialect.contains_key(*key)));
    let source = table["sources"][0].as_table().unwrap();
    assert!(["path", "name", "dialect", "start_at"].iter().all(|key| source.contains_key(*key)));
}

#[test]
fn what_cannot_be_used_is_refused_with_place_key_and_expectation() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let directory = fixtures();
    let mut bad: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending != "error"))
        .filter(|path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"bad-")))
        .collect();
    bad.sort();
    assert!(bad.len() > 30, "the bad configurations were not found");
    let mut wrong = Vec::new();
    for path in bad {
        let error = Config::load(Some(&path), []).expect_err(&path.display().to_string());
        let found = format!("{error}\n").replace(&format!("{}/", directory.display()), "");
        let mut expected = path.into_os_string();
        expected.push(".error");
        if update {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).ok().as_deref() != Some(&found) {
            wrong.push(format!("{}:\n{found}", expected.to_string_lossy()));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_EXPECTED=1 writes these anew:\n{}", wrong.join("\n"));
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Some(Path::new("/nowhere/mta.toml")), []).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/mta.toml: No such file or directory (os error 2)");
}

#[test]
fn yaml_says_the_same() {
    let path = fixtures().join("good.yaml");
    let config = Config::load(Some(&path), []).unwrap();
    assert_eq!(
        config.web.listen_addresses,
        ["[::]:10421", "127.0.0.1:9"].map(|a| a.parse().unwrap())
    );
    assert_eq!(config.web.telemetry_path, "/mail");
    let mut first = mail_log("/var/log/mail.log");
    first.spec.name = "mail".to_owned();
    first.spec.start_at = StartAt::Beginning;
    first.spec.poll_only = true;
    let mut second = mail_log("logs/*.log");
    second.spec.origin = Origin::Glob(fixtures().join("logs/*.log").display().to_string());
    assert_eq!(config.sources, [first, second]);
    assert_eq!(config.providers.files, [fixtures().join("own.toml")]);
    assert_eq!(config.providers.tracked, Some(vec!["gmail".to_owned()]));
    assert_eq!(config.limits.series_max, 2000);
    assert_eq!(config.dialects.names().collect::<Vec<_>>(), ["acme-json"]);
}

#[test]
fn a_file_of_comments_sets_nothing() {
    for name in ["empty.yaml", "empty.toml"] {
        assert_eq!(load(name, "# nothing is set\n").unwrap(), Config::default());
    }
}

#[test]
fn variables_override_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mta_exporter.toml");
    fs::write(&path, "[web]\ntelemetry_path = \"/file\"\n[limits]\nseries_max = 5000\n").unwrap();
    let variables = [
        ("MTA_EXPORTER_WEB__LISTEN_ADDRESSES", "127.0.0.1:1, [::1]:2"),
        ("MTA_EXPORTER_LIMITS__LINE_BYTES_MAX", "2048"),
        ("MTA_EXPORTER_SOURCES", "/var/log/mail.log,/var/log/maillog"),
        ("MTA_EXPORTER_WEB__TELEMETRY_PATH", "/variable"),
        ("MTA_EXPORTER_STATE__DIRECTORY", "5"),
        ("MTA_EXPORTER_REPLIES__BUILTIN", "false"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::load(Some(&path), variables).unwrap();
    assert_eq!(config.web.listen_addresses, ["127.0.0.1:1", "[::1]:2"].map(|a| a.parse().unwrap()));
    assert_eq!(config.web.telemetry_path, "/variable");
    assert_eq!(config.limits, Limits { series_max: 5000, line_bytes_max: 2048 });
    assert_eq!(config.state.directory, directory.path().join("5"));
    assert!(config.providers.builtin && !config.replies.builtin);
    let names: Vec<_> = config.sources.iter().map(|source| &source.spec.name).collect();
    assert_eq!(names, ["/var/log/mail.log", "/var/log/maillog"]);
}

#[test]
fn a_bad_variable_is_named() {
    let error = |name, value| load_variables(&[(name, value)]).unwrap_err();
    assert_eq!(
        error("MTA_EXPORTER_LIMITS__SERIES_MAX", "many"),
        "environment variable MTA_EXPORTER_LIMITS__SERIES_MAX: limits.series_max: \
         expected a whole number, but found \"many\""
    );
    assert_eq!(
        error("MTA_EXPORTER_WEB__LISTEN_ADDRESSES", ":1,here"),
        "environment variable MTA_EXPORTER_WEB__LISTEN_ADDRESSES: web.listen_addresses[1]: \
         expected an address and a port, such as 127.0.0.1:10421, [::1]:10421 or :10421, \
         but found \"here\""
    );
    assert_eq!(
        error("MTA_EXPORTER_WEB__PORT", "1"),
        "environment variable MTA_EXPORTER_WEB__PORT: web.port: \
         expected one of the keys listen_addresses, telemetry_path, but found an unknown key"
    );
}

#[test]
fn variables_that_belong_to_others_are_left_alone() {
    // The first are those of our flags, the rest what Kubernetes gives to the containers beside a
    // service called mta-exporter.
    let config = load_variables(&[
        ("MTA_EXPORTER_LOG_LEVEL", "debug"),
        ("MTA_EXPORTER_CONFIG_FILE", "/etc/mta_exporter.toml"),
        ("MTA_EXPORTER_SERVICE_HOST", "192.0.2.1"),
        ("MTA_EXPORTER_PORT", "tcp://192.0.2.1:10421"),
        ("MTA_EXPORTER_PORT_10421_TCP_ADDR", "192.0.2.1"),
    ]);
    assert_eq!(config.unwrap(), Config::default());
}
