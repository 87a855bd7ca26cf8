//! Every metric that can be exposed: its name, type, labels and help text.

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts of observations by their size.
    Histogram,
}

impl Kind {
    /// The word of the exposition formats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What is known of a metric before it has values.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// Declares the metrics, and the list of them all.
macro_rules! metrics {
    ($($name:ident = $kind:ident $text:literal [$($label:literal)*] $help:literal;)+) => {
        $(
            pub(super) static $name: Metric = Metric {
                name: $text,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )+

        /// Every metric, in the order of the documentation.
        pub static METRICS: &[&Metric] = &[$(&$name),+];
    };
}

metrics! {
    REPLIES = Counter "mta_replies_total" ["provider" "code_class" "code"]
        "SMTP replies of remote servers; code and class none where no reply came back.";
    DELIVERIES = Counter "mta_deliveries_total" ["provider" "outcome"]
        "Recipients by what became of them in one delivery attempt.";
    REFUSALS = Counter "mta_refusals_total" ["provider" "reason"]
        "Attempts that were refused, deferred or not answered, by what the answer means.";
    BOUNCES = Counter "mta_bounces_total" ["provider" "kind"]
        "Recipients given up: hard (the address), soft (later might do), block (the sender).";
    ENHANCED = Counter "mta_enhanced_replies_total" ["provider" "enhanced"]
        "SMTP replies with an enhanced status code, by that code.";
    BLOCKLISTS = Counter "mta_blocklist_refusals_total" ["provider" "list"]
        "Refusals that name a blocklist, by list.";
    PHASES = Counter "mta_refusal_phases_total" ["provider" "phase"]
        "Refusals by the part of the SMTP conversation in which they came.";
    CONNECTION_FAILURES = Counter "mta_connection_failures_total" ["provider" "cause"]
        "Attempts that got no reply because there was no connection, or it failed.";
    DELAY = Histogram "mta_delivery_delay_seconds" ["provider"]
        "Time from a message's arrival to its acceptance by the remote server.";
    INBOUND_REJECTS = Counter "mta_inbound_rejects_total" ["code_class" "code" "reason"]
        "Refusals that our own server gave to its clients.";
    UNCLASSIFIED = Counter "mta_unclassified_replies_total" ["code_class"]
        "Refusals that no rule knows, by class.";
    SOURCE_UP = Gauge "mta_source_up" ["source"]
        "Whether the source can be read (1) or not (0).";
    SOURCE_LAG_BYTES = Gauge "mta_source_lag_bytes" ["source"]
        "Bytes of the source that were written and not read yet.";
    SOURCE_LAG_SECONDS = Gauge "mta_source_lag_seconds" ["source"]
        "Age of the last line that was read, 0 where nothing is left to read.";
    SOURCE_LAST_EVENT = Gauge "mta_source_last_event_timestamp_seconds" ["source"]
        "Time stamp of the last line that had one.";
    SOURCE_LINES = Counter "mta_source_lines_total" ["source" "kind"]
        "Lines read, each of exactly one kind.";
    SOURCE_READ_BYTES = Counter "mta_source_read_bytes_total" ["source"]
        "Bytes read.";
    SOURCE_ROTATIONS = Counter "mta_source_rotations_total" ["source"]
        "Log files that were followed over a rename.";
    SOURCE_TRUNCATIONS = Counter "mta_source_truncations_total" ["source"]
        "Log files that became shorter or were overwritten.";
    SOURCE_GAPS = Counter "mta_source_gaps_total" ["source"]
        "Stretches of log that were gone before they could be read.";
    SOURCE_READ_ERRORS = Counter "mta_source_read_errors_total" ["source"]
        "Reads, opens and listings of the source that failed.";
    SOURCE_EVICTIONS = Counter "mta_source_evictions_total" ["source"]
        "Parts of messages under way that were forgotten for want of room before their end.";
    STATE_RESTORED = Gauge "mta_state_restored" []
        "Whether counters and positions were taken over from an earlier run (1) or not (0).";
    STATE_DURABLE = Gauge "mta_state_durable" []
        "Whether the last commit of counters and positions reached the disk (1) or not (0).";
    STATE_COMMITS = Counter "mta_state_commits_total" []
        "Commits of counters and positions that reached the disk.";
    STATE_COMMIT_FAILURES = Counter "mta_state_commit_failures_total" []
        "Commits of counters and positions that failed.";
    SERIES = Gauge "mta_series" []
        "Series of all counters that the logs can create.";
    SERIES_FOLDED = Counter "mta_series_folded_total" []
        "Events that were counted under other because the limit on series was reached.";
    RELOAD_SUCCESSFUL = Gauge "mta_config_last_reload_successful" []
        "Whether the last reading of the configuration could be used (1) or not (0).";
    RELOAD_TIME = Gauge "mta_config_last_reload_success_timestamp_seconds" []
        "When a configuration was last put in force.";
    BUILD_INFO = Gauge "mta_exporter_build_info" ["version" "revision" "rustc"]
        "What the exporter was built from; always 1.";
    PROCESS_CPU = Counter "process_cpu_seconds_total" []
        "Total user and system CPU time spent in seconds.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" []
        "Maximum number of open file descriptors.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" []
        "Number of open file descriptors.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" []
        "Resident memory size in bytes.";
    PROCESS_START = Gauge "process_start_time_seconds" []
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS = Gauge "process_threads" []
        "Number of OS threads in the process.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" []
        "Virtual memory size in bytes.";
}
