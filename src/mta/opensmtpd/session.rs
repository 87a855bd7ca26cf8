//! What sessions are remembered by: their host, whether they were used, and how they failed.

use serde::{Deserialize, Serialize};

use super::answer;
use crate::attempt::{HostReply, Relay};
use crate::mta::recent::{Bytes, Recent};
use crate::mta::text::is_loopback;
use crate::mta::{Dialect, LineKind, Out, Reading};

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 2_048;

/// The sessions, and the error that was logged last.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sessions {
    sessions: Recent<Session, SESSIONS_MAX>,
    failed: Option<Failed>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Session {
    host: Bytes,
    ip: Bytes,
    /// Whether a recipient's outcome came of it.
    used: bool,
    /// Whether it is one of our own to ourselves.
    own: bool,
}

/// A session's error. The process that logs it goes on with the recipients who have to bear it, if
/// there are any; then their lines repeat it, and it does not count for itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failed {
    pid: Bytes,
    id: Bytes,
    reason: Bytes,
    session: Session,
}

impl Failed {
    fn count(&self, out: &mut Out<'_>) {
        let (answer, phase) = answer(&self.reason);
        let reply = HostReply {
            queue_id: b"",
            recipient_domain: b"",
            relay: Relay { host: &self.session.host, ip: &self.session.ip },
            answer,
            phase,
        };
        out(Dialect::OpenSmtpd, LineKind::HostReply, Reading::HostReply(reply));
    }
}

impl Sessions {
    /// A connection is being made.
    pub(super) fn connect(&mut self, id: &[u8], relay: Relay<'_>) {
        let session =
            Session { host: relay.host.into(), ip: relay.ip.into(), ..Session::default() };
        self.sessions.put(id, session);
    }

    /// We connect to ourselves.
    pub(super) fn own(&mut self, id: &[u8]) {
        self.sessions.put(id, Session { own: true, ..Session::default() });
    }

    /// Whether we connected to ourselves.
    pub(super) fn is_own(&mut self, id: &[u8]) -> bool {
        self.sessions.get_mut(id).is_some_and(|session| session.own)
    }

    /// Whether the session is with a server on this machine.
    pub(super) fn is_loopback(&mut self, id: &[u8]) -> bool {
        self.sessions.get_mut(id).is_some_and(|session| is_loopback(&session.ip))
    }

    /// The session is over.
    pub(super) fn end(&mut self, id: &[u8]) {
        self.sessions.take(id);
    }

    /// The session failed.
    pub(super) fn error(
        &mut self,
        pid: &[u8],
        id: &[u8],
        reason: &[u8],
        out: &mut Out<'_>,
    ) -> LineKind {
        let session = self.sessions.get_mut(id).cloned().unwrap_or_default();
        if session.used {
            // Recipients got their answers before: this is how it ended, and answers nobody.
            return LineKind::Irrelevant;
        }
        let failed = Failed { pid: pid.into(), id: id.into(), reason: reason.into(), session };
        // A host that refuses the connection does so before there is any recipient.
        if reason.windows(11).any(|words| words == b" rejected: ") {
            failed.count(out);
            return LineKind::HostReply;
        }
        if let Some(failed) = self.failed.replace(failed) {
            failed.count(out);
        }
        LineKind::State
    }

    /// A recipient's outcome came of the session.
    pub(super) fn used(&mut self, pid: &[u8], id: &[u8], stat: &[u8], out: &mut Out<'_>) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.used = true;
        }
        match &self.failed {
            Some(failed) if *failed.id == *id && *failed.reason == *stat => self.failed = None,
            Some(_) => self.pass(pid, out),
            None => {}
        }
    }

    /// The process goes on with something else: nobody has to bear its last error.
    pub(super) fn pass(&mut self, pid: &[u8], out: &mut Out<'_>) {
        if let Some(failed) = self.failed.take_if(|failed| *failed.pid == *pid) {
            failed.count(out);
        }
    }

    /// The log has ended.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        if let Some(failed) = self.failed.take() {
            failed.count(out);
        }
    }

    /// How many sessions had to be forgotten.
    pub(super) fn evicted(&self) -> u64 {
        self.sessions.evicted()
    }
}
