//! As much HTTP as the tests speak: questions to Prometheus, and a receiver of alerts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// The body of what a local server answers, if it answers 200.
pub fn ask(port: u16, method: &str, path: &str, form: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    // Without persistent connections or chunks, HTTP/1.0 is all there is to read.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|code| *code == "200").map(|_| body.to_owned())
}

/// A Prometheus server.
#[derive(Clone, Copy)]
pub struct Prometheus(pub u16);

impl Prometheus {
    pub fn is_ready(self) -> bool {
        ask(self.0, "GET", "/-/ready", "").is_some()
    }

    /// The `data` of an answer of the API.
    pub fn api(self, path: &str, form: &[(&str, &str)]) -> Value {
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let form = form.join("&");
        let body = match path {
            "query" | "query_range" => ask(self.0, "POST", &format!("/api/v1/{path}"), &form),
            _ => ask(self.0, "GET", &format!("/api/v1/{path}?{form}"), ""),
        };
        let body = body.unwrap_or_else(|| panic!("/api/v1/{path} {form}: no answer"));
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["status"], "success", "{form}: {answer}");
        answer["data"].clone()
    }

    /// Series and values of now.
    pub fn query(self, query: &str) -> Vec<(Value, f64)> {
        let data = self.api("query", &[("query", query)]);
        let series = data["result"].as_array().unwrap();
        series.iter().map(|one| (one["metric"].clone(), number(&one["value"][1]))).collect()
    }

    /// Series and values over the last seconds.
    pub fn query_range(self, query: &str, seconds: f64, step: f64) -> Vec<(Value, Vec<f64>)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let data = self.api(
            "query_range",
            &[
                ("query", query),
                ("start", &(now - seconds).to_string()),
                ("end", &now.to_string()),
                ("step", &step.to_string()),
            ],
        );
        let values = |one: &Value| {
            one["values"].as_array().unwrap().iter().map(|pair| number(&pair[1])).collect()
        };
        let series = data["result"].as_array().unwrap();
        series.iter().map(|one| (one["metric"].clone(), values(one))).collect()
    }
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// An alert as the receiver was told of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The receiver in Alertmanager's configuration.
    pub receiver: String,
    /// `firing` or `resolved`.
    pub status: String,
    pub labels: Value,
    pub annotations: Value,
}

impl Told {
    pub fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }
}

/// Takes what Alertmanager posts.
#[derive(Clone, Default)]
pub struct Receiver(Arc<Mutex<Vec<Told>>>);

impl Receiver {
    /// A receiver and its port.
    pub fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self::default();
        let told = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                told.take(stream);
            }
        });
        (receiver, port)
    }

    pub fn told(&self) -> Vec<Told> {
        self.0.lock().unwrap().clone()
    }

    fn take(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let mut told = self.0.lock().unwrap();
        for alert in body["alerts"].as_array().unwrap() {
            told.push(Told {
                receiver: body["receiver"].as_str().unwrap().to_owned(),
                status: alert["status"].as_str().unwrap().to_owned(),
                labels: alert["labels"].clone(),
                annotations: alert["annotations"].clone(),
            });
        }
        let _gone =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}
