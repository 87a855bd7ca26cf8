//! Three exporters, a Prometheus with fast rules, an Alertmanager, a receiver, and two more
//! Prometheus servers that get the same by federation and by remote write.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::tools::{
    Running, free_port, fresh_directory, programs, repository, run, tool, wait_for,
};
use crate::web::{Prometheus, Receiver, ask};

/// Everything that runs.
pub struct Chain {
    /// The logs that the exporters follow.
    pub logs: Vec<PathBuf>,
    pub prometheus: Prometheus,
    /// The server that asks the first one.
    pub federated: Prometheus,
    /// The server that the first one writes to.
    pub written_to: Prometheus,
    pub receiver: Receiver,
    instances: Vec<String>,
    _running: Vec<Running>,
    _states: Vec<TempDir>,
}

impl Chain {
    /// Starts it, with rules that run so much faster.
    pub fn start(speed: u64) -> Self {
        let directory = fresh_directory("chain");
        fast_rules(speed, &directory);
        let mut running = Vec::new();
        let (mut logs, mut instances, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for host in 1..=3 {
            let exporter = Exporter::start(&directory.join(format!("mx{host}")));
            logs.push(exporter.log);
            instances.push(format!("127.0.0.1:{}", exporter.port));
            running.push(exporter.running);
            states.push(exporter.state);
        }
        let (receiver, port) = Receiver::start();
        let alertmanager = free_port();
        running.push(start_alertmanager(&directory, alertmanager, port));
        let ports = [free_port(), free_port(), free_port()];
        let [prometheus, federated, written_to] = ports.map(Prometheus);
        let config = scraping(&instances, alertmanager, written_to.0);
        a_week_before(&directory.join("prometheus"), &instances[0]);
        running.push(start_prometheus(&directory, "written", written_to, NOTHING));
        running.push(start_prometheus(&directory, "prometheus", prometheus, &config));
        let config = federating(prometheus.0);
        running.push(start_prometheus(&directory, "federated", federated, &config));
        for server in [prometheus, federated, written_to] {
            wait_for("Prometheus", Duration::from_secs(20), || server.is_ready().then_some(()));
        }
        wait_for("three exporters up", Duration::from_secs(60), || {
            (prometheus.query("max_over_time(up[10s]) == 1").len() == 3).then_some(())
        });
        Self {
            logs,
            prometheus,
            federated,
            written_to,
            receiver,
            instances,
            _running: running,
            _states: states,
        }
    }

    /// The label `instance` of a host.
    pub fn instance(&self, host: usize) -> String {
        self.instances[host].clone()
    }

    /// No rule may have failed.
    pub fn assert_rules_are_healthy(&self) {
        let rules = self.prometheus.api("rules", &[]);
        for group in rules["groups"].as_array().unwrap() {
            for rule in group["rules"].as_array().unwrap() {
                assert_eq!(rule["health"], "ok", "{rule}");
            }
        }
    }
}

struct Exporter {
    log: PathBuf,
    port: u16,
    state: TempDir,
    running: Running,
}

impl Exporter {
    fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let log = directory.join("mail.log");
        fs::write(&log, "").unwrap();
        let state = in_memory();
        let port = free_port();
        let config = format!(
            "[web]\nlisten_addresses = [\"127.0.0.1:{port}\"]\n[state]\ndirectory = \"{}\"\n\
             [[sources]]\nname = \"mail\"\npath = \"{}\"\n",
            state.path().display(),
            log.display()
        );
        fs::write(directory.join("mta_exporter.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mta_exporter"));
        command.arg(format!("--config.file={}", directory.join("mta_exporter.toml").display()));
        let running = Running::start(&mut command, &directory.join("said.log"));
        wait_for("an exporter", Duration::from_secs(20), || ask(port, "GET", "/metrics", ""));
        Self { log, port, state, running }
    }
}

/// A directory for the state that costs no disk writes: several commits a second are part of the fast
/// time, not of life.
fn in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.exists() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

fn fast_rules(speed: u64, directory: &Path) {
    run(Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--example", "dashboards", "--"])
        .args(["--speed", &speed.to_string(), "--into"])
        .arg(directory)
        .current_dir(repository("")));
}

/// The example of the dashboards, with waiting times to match.
fn start_alertmanager(directory: &Path, port: u16, receiver: u16) -> Running {
    let example = fs::read_to_string(repository("dashboards/alertmanager.yml")).unwrap();
    let config = example
        .replace("group_wait: 30s", "group_wait: 200ms")
        .replace("group_interval: 5m", "group_interval: 1s")
        .replace("127.0.0.1:9099", &format!("127.0.0.1:{receiver}"));
    assert_eq!(config.matches(&format!(":{receiver}/")).count(), 3);
    let path = directory.join("alertmanager.yml");
    fs::write(&path, config).unwrap();
    let mut command = tool("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", path.display()))
        .arg(format!("--storage.path={}", directory.join("alertmanager").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .current_dir(templates());
    Running::start(&mut command, &directory.join("alertmanager.log"))
}

/// Where Debian's Alertmanager finds its templates, which `run` made it look for where it runs.
fn templates() -> PathBuf {
    programs().join("../share/prometheus/alertmanager")
}

fn start_prometheus(directory: &Path, name: &str, at: Prometheus, config: &str) -> Running {
    let path = directory.join(format!("{name}.yml"));
    fs::write(&path, config).unwrap();
    let mut command = tool("prometheus");
    command
        .arg(format!("--config.file={}", path.display()))
        .arg(format!("--storage.tsdb.path={}", directory.join(name).display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", at.0))
        .args(["--web.enable-remote-write-receiver", "--log.level=warn"]);
    Running::start(&mut command, &directory.join(format!("{name}.log")))
}

const NOTHING: &str = "global: {}\n";

fn scraping(instances: &[String], alertmanager: u16, written_to: u16) -> String {
    format!(
        "global: {{scrape_interval: 400ms, scrape_timeout: 400ms, evaluation_interval: 500ms}}\n\
         rule_files: [rules/mta_exporter.yml]\n\
         scrape_configs: [{{job_name: mta_exporter, static_configs: [{{targets: {instances:?}}}]}}]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n\
         remote_write:\n  - url: http://127.0.0.1:{written_to}/api/v1/write\n    \
         queue_config: {{batch_send_deadline: 500ms}}\n    write_relabel_configs:\n      \
         - {{source_labels: [__name__], regex: 'mta_.+|up|process_.+', action: keep}}\n"
    )
}

/// As `dashboards/scaling.md` has it.
fn federating(from: u16) -> String {
    format!(
        "global: {{scrape_interval: 3s, scrape_timeout: 3s}}\nscrape_configs:\n  - job_name: federate\n    \
         honor_labels: true\n    metrics_path: /federate\n    params:\n      'match[]': \
         ['{{__name__=~\"mta_.+\"}}', 'up{{job=~\".*mta.?exporter.*\"}}']\n    \
         static_configs: [{{targets: ['127.0.0.1:{from}']}}]\n"
    )
}

/// Puts a little mail of a week ago into the store, for the panel that looks there.
fn a_week_before(store: &Path, instance: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let week_ago = now - 7 * 86_400;
    let mut text = String::from("# TYPE mta_deliveries_total counter\n");
    for (count, time) in (week_ago - 7200..week_ago + 3600).step_by(15).enumerate() {
        writeln!(
            text,
            "mta_deliveries_total{{job=\"mta_exporter\",instance=\"{instance}\",provider=\"yahoo\",\
             outcome=\"delivered\"}} {count} {time}"
        )
        .unwrap();
    }
    text += "# EOF\n";
    fs::create_dir_all(store).unwrap();
    let path = store.with_extension("openmetrics");
    fs::write(&path, text).unwrap();
    run(tool("promtool").args(["tsdb", "create-blocks-from", "openmetrics"]).arg(path).arg(store));
}
