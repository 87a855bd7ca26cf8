//! The logs of three mail hosts, written as mail flows: an ordinary day, then an incident.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Mail that is mostly taken, with what every sender always sees.
    Ordinary = 0,
    /// Yahoo throttles us, GMX refuses us, and Apple misses our authentication.
    Storm = 1,
    /// Nothing more is written.
    Over = 2,
}

/// How many replies each host's log holds, by provider and code.
pub type Tally = BTreeMap<(String, String), u64>;

/// Messages a second, written in small lots. What a busy machine delays comes with the next lot.
const MESSAGES_PER_SECOND: f64 = 150.0;
const TICK: Duration = Duration::from_millis(50);

/// Writes the logs in a thread of its own.
pub struct Traffic {
    weather: Arc<AtomicU8>,
    thread: JoinHandle<Vec<Tally>>,
}

impl Traffic {
    /// Begins with ordinary weather.
    pub fn start(logs: &[impl AsRef<Path>]) -> Self {
        let hosts: Vec<Host> = logs.iter().map(|log| Host::new(log.as_ref())).collect();
        let weather = Arc::new(AtomicU8::new(Weather::Ordinary as u8));
        let now = Arc::clone(&weather);
        let thread = std::thread::spawn(move || write(hosts, &now));
        Self { weather, thread }
    }

    pub fn turn(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::Relaxed);
    }

    /// Ends it and tells what was written, host by host.
    pub fn stop(self) -> Vec<Tally> {
        self.turn(Weather::Over);
        self.thread.join().unwrap()
    }
}

fn write(mut hosts: Vec<Host>, weather: &AtomicU8) -> Vec<Tally> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let begun = Instant::now();
    let mut sent = 0.0;
    loop {
        let stormy = match weather.load(Ordering::Relaxed) {
            0 => false,
            1 => true,
            _ => return hosts.into_iter().map(|host| host.tally).collect(),
        };
        let due = begun.elapsed().as_secs_f64() * MESSAGES_PER_SECOND;
        while sent < due {
            sent += 1.0;
            let host = usize::try_from(dice.below(hosts.len() as u64)).unwrap();
            hosts[host].send(&mut dice, stormy);
        }
        std::thread::sleep(TICK);
    }
}

/// xorshift64*: the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

struct Provider {
    name: &'static str,
    domain: &'static str,
    relay: &'static str,
}

/// Of a hundred messages: 40 to Gmail, 15 to Yahoo, 15 to Outlook, 10 to GMX, 8 to Apple, 12 elsewhere.
const PROVIDERS: [(u64, Provider); 6] = [
    (40, Provider { name: "gmail", domain: "gmail.com", relay: "gmail-smtp-in.l.google.com" }),
    (55, Provider { name: "yahoo", domain: "yahoo.com", relay: "mta5.am0.yahoodns.net" }),
    (
        70,
        Provider {
            name: "outlook",
            domain: "outlook.com",
            relay: "outlook-com.olc.protection.outlook.com",
        },
    ),
    (80, Provider { name: "gmx", domain: "gmx.net", relay: "mx00.gmx.net" }),
    (88, Provider { name: "apple", domain: "icloud.com", relay: "mx01.mail.icloud.com" }),
    (100, Provider { name: "other", domain: "example.net", relay: "mx.example.net" }),
];

/// What a server says: the code, the enhanced code, its text, and the command that it answers.
type Reply = (&'static str, &'static str, &'static str, &'static str);

const ACCEPTED: Reply = ("250", "2.0.0", "OK", "");
const UNKNOWN_USER: Reply =
    ("550", "5.1.1", "<nobody@example.net>: Recipient address rejected: User unknown", "RCPT TO");
const FULL: Reply =
    ("452", "4.2.2", "The email account that you tried to reach is over quota", "RCPT TO");
const GREYLISTED: Reply =
    ("450", "4.7.1", "Greylisting in action, please come back later", "RCPT TO");
const BUSY: Reply = ("421", "4.3.2", "Service busy, try again later", "MAIL FROM");
const THROTTLED: Reply = (
    "421",
    "4.7.0",
    "[TSS04] Messages from 192.0.2.10 temporarily deferred due to unexpected volume or user complaints",
    "MAIL FROM",
);
const REFUSED: Reply = (
    "554",
    "5.7.1",
    "Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org",
    "RCPT TO",
);
const UNAUTHENTICATED: Reply = (
    "550",
    "5.7.26",
    "This mail has been blocked because the sender is unauthenticated, SPF and DKIM did not pass",
    "end of DATA",
);
const NO_PTR: Reply = (
    "550",
    "5.7.25",
    "The IP address sending this message does not have a PTR record setup",
    "end of DATA",
);
const PUZZLING: Reply = ("550", "5.0.0", "Zwei mal drei macht vier", "end of DATA");

/// One mail host.
struct Host {
    log: File,
    messages: u64,
    tally: Tally,
}

impl Host {
    fn new(log: &Path) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        Self { log, messages: 0, tally: Tally::new() }
    }

    /// One message, answered as the weather has it.
    fn send(&mut self, dice: &mut Dice, stormy: bool) {
        let chance = dice.below(100);
        let (_, to) = PROVIDERS.iter().find(|(below, _)| chance < *below).unwrap();
        let luck = dice.below(1000);
        let answer = match (to.name, luck) {
            ("yahoo", 0..840) if stormy => Some(THROTTLED),
            ("yahoo", 840..850) | ("gmx", 0..600) if stormy => Some(REFUSED),
            ("apple", 0..300) if stormy => Some(UNAUTHENTICATED),
            ("apple", 300..450) if stormy => Some(NO_PTR),
            ("outlook", 0..30) if stormy => Some(PUZZLING),
            ("other", 0..30) => None,
            ("other", 30..90) => Some(GREYLISTED),
            ("other", 90..94) => Some(REFUSED),
            (_, 980..985) => Some(BUSY),
            (_, 985..991) => Some(FULL),
            (_, 991..1000) => Some(UNKNOWN_USER),
            _ => Some(ACCEPTED),
        };
        self.log(to, answer, 1 + dice.below(40));
    }

    fn log(&mut self, to: &Provider, answer: Option<Reply>, tenths: u64) {
        self.messages += 1;
        let Provider { name, domain, relay } = to;
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        let (code, relay, dsn, status, text) = match answer {
            None => {
                let text = format!("connect to {relay}[203.0.113.5]:25: Connection timed out");
                ("none", "none".to_owned(), "4.4.1", "deferred", text)
            }
            Some((code, enhanced, said, command)) => {
                let relay = format!("{relay}[203.0.113.5]:25");
                let status = match code.as_bytes()[0] {
                    b'2' => "sent",
                    b'4' => "deferred",
                    _ => "bounced",
                };
                let text = if command.is_empty() {
                    format!("{code} {enhanced} {said}")
                } else {
                    format!(
                        "host {} said: {code} {enhanced} {said} (in reply to {command} command)",
                        relay.trim_end_matches(":25")
                    )
                };
                (code, relay, enhanced, status, text)
            }
        };
        let line = format!(
            "{time} mx postfix/smtp[4242]: {:010X}: to=<someone@{domain}>, relay={relay}, \
             delay={}.{}, delays=0.1/0/0.1/0.1, dsn={dsn}, status={status} ({text})\n",
            self.messages,
            tenths / 10,
            tenths % 10,
        );
        self.log.write_all(line.as_bytes()).unwrap();
        *self.tally.entry(((*name).to_owned(), code.to_owned())).or_default() += 1;
    }
}
