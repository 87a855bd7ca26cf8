//! What the process uses, from `/proc/self`.
//!
//! The `prometheus` crate has a collector for this. It counts CPU time in whole seconds, which a
//! program that needs one second in a minute cannot be measured with, and takes the start time from
//! `/proc/stat`, which a hardened unit hides (`ProcSubset=pid`).

use std::fs;

use super::catalogue;
use super::families::{Family, number};

/// The clock ticks in a second that `/proc/self/stat` counts in. Linux shows user space 100 on
/// every architecture that this program runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process of this program.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// When it started, in seconds since the epoch.
    pub start_seconds: f64,
}

impl Process {
    /// What can be found out; what cannot be read is left out.
    pub(super) fn families(self) -> Vec<Family> {
        let mut families = vec![Family::single(&catalogue::PROCESS_START, self.start_seconds)];
        let mut add = |metric, value: Option<f64>| {
            families.extend(value.map(|value| Family::single(metric, value)));
        };
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
        let status = read("status").unwrap_or_default();
        add(&catalogue::PROCESS_CPU, read("stat").as_deref().and_then(cpu_seconds));
        add(&catalogue::PROCESS_VIRTUAL, status_field(&status, "VmSize:").map(kib));
        add(&catalogue::PROCESS_RESIDENT, status_field(&status, "VmRSS:").map(kib));
        add(&catalogue::PROCESS_THREADS, status_field(&status, "Threads:").map(number));
        let open = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        add(&catalogue::PROCESS_OPEN_FDS, open.map(|open| number(open as u64)));
        add(&catalogue::PROCESS_MAX_FDS, read("limits").as_deref().and_then(max_fds).map(number));
        families
    }
}

/// User and system time, the 14th and 15th field of `stat` (`proc_pid_stat(5)`). The second is the
/// name of the program in parentheses and may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The number in a line of `status`.
fn status_field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The soft limit; none where it is unlimited.
fn max_fds(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kib(count: u64) -> f64 {
    number(count.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_of_this_process() {
        let families = Process { start_seconds: 1.5 }.families();
        let names: Vec<_> = families.iter().map(|family| family.metric.name).collect();
        for name in ["cpu_seconds_total", "open_fds", "resident_memory_bytes", "threads"] {
            assert!(names.contains(&format!("process_{name}").as_str()), "{names:?}");
        }
    }

    #[test]
    fn the_name_of_the_program_may_hold_anything() {
        let stat = "7 (a) R 1) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 8";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }
}
