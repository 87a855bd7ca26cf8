//! Tells systemd how far the program is (`sd_notify(3)`), where it wants to know.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Start-up is over: scrapes are answered.
pub(super) fn ready() {
    send(b"READY=1");
}

/// The program is going to end.
pub(super) fn stopping() {
    send(b"STOPPING=1");
}

/// Where nobody listens there is nobody to tell.
fn send(state: &[u8]) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state, &address));
    if let Err(error) = sent {
        crate::telemetry::not_notified(&error);
    }
}
