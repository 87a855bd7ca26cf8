// The logs of three mail hosts over eight days: ordinary mail to ten kinds of receivers, small troubles
// in the days before, and on the last morning a throttling at one provider and a blocked address at
// another. The same every time.
import fs from 'node:fs';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The end of the story: a Tuesday, half past eleven. */
export const END = Date.UTC(2026, 10, 17, 11, 30);
/** The panels look back a week, and from there another day and an hour. */
export const BEGIN = END - 8 * DAY - 2 * HOUR;

const at = (day, hour, minute = 0) => Date.UTC(2026, 10, day, hour, minute);
const between = (time, from, to) => time >= from && time < to;

/** xorshift32. */
class Dice {
  constructor(seed) { this.state = seed; }
  roll() {
    let x = this.state;
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    this.state = x;
    return (x >>> 0) / 2 ** 32;
  }
  below(limit) { return Math.floor(this.roll() * limit); }
  exponential(mean) { return -Math.log(1 - this.roll()) * mean; }
}

const reply = (dsn, said, command = 'RCPT TO command') => ({
  dsn, said, command, status: dsn.startsWith('4') ? 'deferred' : 'bounced',
});
/** No reply at all: what Postfix says of the connection. */
const silence = (said) => ({ dsn: '4.4.1', said, command: null, status: 'deferred' });

const LISTED = (list) => reply('5.7.1',
  `554 5.7.1 Service unavailable; Client host [198.51.100.22] blocked using ${list}`);

/** Receivers: their part of the mail in hundredths, how quickly they take it (seconds), and what they
 * refuse on an ordinary day, in thousandths. */
const RECEIVERS = [
  {
    domain: 'gmail.com', relay: 'gmail-smtp-in.l.google.com[192.0.2.27]', share: 33, delay: 1.1,
    ordinary: [
      [5, reply('5.1.1', "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address. {q} - gsmtp")],
      [3, reply('4.2.2', '452-4.2.2 The recipient\'s inbox is out of storage space. {q} - gsmtp')],
      [1, reply('4.7.28', '421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating 421-4.7.28 from your IP address. {q} - gsmtp', 'end of DATA command')],
    ],
    // A key that was not published: one afternoon without DKIM.
    trouble: (time) => between(time, at(14, 13), at(14, 16)) && [350, reply('5.7.26',
      '550-5.7.26 Your email has been blocked because the sender is unauthenticated. 550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM. {q} - gsmtp', 'end of DATA command')],
  },
  {
    domain: 'outlook.com', relay: 'outlook-com.olc.protection.outlook.com[192.0.2.41]', share: 17, delay: 2.4,
    ordinary: [
      [7, reply('5.5.0', '550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).')],
      [2, reply('4.7.500', '451 4.7.500 Server busy. Please try again later from [198.51.100.21]. (S77719)', 'MAIL FROM command')],
    ],
    trouble: (time, host) => host === 2 && between(time, at(12, 8), at(12, 12)) && [500, reply('5.7.1',
      '550 5.7.1 Unfortunately, messages from [198.51.100.23] weren\'t sent. Please contact your Internet service provider since part of their network is on our block list (S3140).', 'MAIL FROM command')],
  },
  {
    domain: 'example.com', relay: 'example-com.mail.protection.outlook.com[192.0.2.44]', share: 12, delay: 3.1,
    ordinary: [[9, reply('5.4.1', '550 5.4.1 Recipient address rejected: Access denied. {q}')]],
  },
  {
    domain: 'yahoo.com', relay: 'mta6.am0.yahoodns.net[192.0.2.94]', share: 13, delay: 0.9,
    ordinary: [
      [6, reply('5.0.0', "554 delivery error: dd This user doesn't have a yahoo.com account (user@yahoo.com) [0] - {q}", 'end of DATA command')],
      [2, reply('5.2.2', '552 1 Requested mail action aborted, mailbox not found')],
    ],
    trouble: (time) => {
      const throttled = [reply('4.7.0',
        '421 4.7.0 [TSS04] Messages from 198.51.100.21 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes', 'MAIL FROM command')];
      if (between(time, at(17, 8, 40), at(17, 9))) return [450, ...throttled];
      if (between(time, at(17, 9), at(17, 10, 50))) return [880, ...throttled];
      if (between(time, at(17, 10, 50), END + 1)) return [620, ...throttled];
      return null;
    },
  },
  {
    domain: 'icloud.com', relay: 'mx01.mail.icloud.com[192.0.2.115]', share: 7, delay: 1.6,
    ordinary: [[5, reply('4.2.2', '452 4.2.2 user is over quota, please direct the recipient to contact support')]],
  },
  {
    domain: 'gmx.de', relay: 'mx00.gmx.net[192.0.2.9]', share: 6, delay: 0.6,
    ordinary: [[6, reply('5.0.0', '550 Requested action not taken: mailbox unavailable')]],
    // One of our addresses is blocked.
    trouble: (time, host) => host === 1 && between(time, at(17, 10, 20), END + 1) && [930, reply('5.0.0',
      '554-Transaction failed 554-Reject due to policy restrictions. 554 For explanation visit https://postmaster.gmx.net/en/case?c=hi&i=ip&v=198.51.100.22&r={q}', 'end of DATA command')],
  },
  {
    domain: 'comcast.net', relay: 'mx1a1.comcast.net[192.0.2.71]', share: 4, delay: 1.3,
    ordinary: [[8, reply('5.1.1', '550 5.1.1 Not our Customer')]],
    trouble: (time, host) => host === 1 && between(time, at(17, 10, 30), END + 1) && [300, LISTED('zen.spamhaus.org')],
  },
  {
    domain: 'orange.fr', relay: 'smtp-in.orange.fr[192.0.2.80]', share: 3, delay: 1.9,
    ordinary: [[12, reply('4.0.0', '421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]', null)]],
    trouble: (time, host) => host === 2 && between(time, at(11, 7), at(11, 9)) && [700, reply('5.7.1',
      '550 5.7.1 Mail from unknown host: no PTR record for [198.51.100.23]')],
  },
  {
    domain: 'example.net', relay: 'mx.example.net[192.0.2.120]', share: 5, delay: 2.2,
    ordinary: [
      [60, reply('4.7.1', '450 4.7.1 <user@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example.net/')],
      [10, silence('connect to mx.example.net[192.0.2.120]:25: Connection timed out')],
      [4, silence('connect to mx.example.net[192.0.2.120]:25: Connection refused')],
      [2, reply('5.0.0', '550 Zwei mal drei macht vier')],
      [3, LISTED('b.barracudacentral.org')],
    ],
    trouble: (time, host) => host === 1 && between(time, at(15, 2), at(15, 6)) && [250, LISTED('zen.spamhaus.org')],
  },
];

/** What of all mail each host sends, in hundredths. */
export const HOSTS = [{ name: 'mx1', share: 40 }, { name: 'mx2', share: 35 }, { name: 'mx3', share: 25 }];

/** Messages a minute: nights are quiet, weekends quieter, and newsletters go out Tuesday and Thursday
 * morning. */
function perMinute(time) {
  const date = new Date(time);
  const hour = date.getUTCHours() + date.getUTCMinutes() / 60;
  const weekday = date.getUTCDay();
  const day = 14 + 46 * Math.exp(-((hour - 13.5) ** 2) / 28);
  const week = weekday === 0 || weekday === 6 ? 0.55 : 1;
  const letters = (weekday === 2 || weekday === 4) && hour >= 8.5 && hour < 10.5 ? 38 : 0;
  // This week's went to more people.
  return day * week + letters * (time > END - DAY ? 1.35 : 1);
}

const BACKOFF = [5, 10, 20, 40, 66].map((minutes) => minutes * MINUTE);

/** One host and its log. */
export class Host {
  constructor(directory, index) {
    this.index = index;
    this.name = HOSTS[index].name;
    this.dice = new Dice(0x9e3779b9 + index);
    this.path = `${directory}/${this.name}.log`;
    this.log = fs.openSync(this.path, 'w');
    this.messages = 0;
    this.retries = [];
    this.written = 0;
    this.lines = [];
    this.rotated = BEGIN;
  }

  /** Everything that can be said is said once, so that no series is new later. */
  begin() {
    for (const receiver of RECEIVERS) {
      const sayings = receiver.ordinary.map(([, said]) => said);
      for (let time = BEGIN; receiver.trouble && time <= END; time += 5 * MINUTE) {
        const trouble = receiver.trouble(time, this.index);
        if (trouble && !sayings.includes(trouble[1]) && !sayings.some((one) => one.said === trouble[1].said)) {
          sayings.push(trouble[1]);
        }
      }
      for (const said of [null, ...sayings]) {
        this.attempt(BEGIN - HOUR, { receiver, id: this.id(), tries: 9, since: BEGIN - HOUR - 2000 }, said);
      }
    }
    this.refuseClient(BEGIN - HOUR);
    this.flush();
  }

  /** Appends what happens until `to`, minute by minute. */
  live(from, to) {
    for (let minute = from; minute < to; minute += MINUTE) {
      const due = this.retries.filter((retry) => retry.at < minute + MINUTE);
      if (due.length) this.retries = this.retries.filter((retry) => retry.at >= minute + MINUTE);
      for (const retry of due) this.attempt(retry.at, retry);
      const expected = perMinute(minute) * HOSTS[this.index].share / 100;
      const count = Math.floor(expected + this.dice.roll() + this.dice.roll() - 0.5);
      for (let i = 0; i < count; i += 1) this.message(minute + (i + this.dice.roll()) * MINUTE / count);
      if (this.dice.below(30) === 0) this.refuseClient(minute + 30_000);
      if (this.dice.below(8) === 0) this.local(minute + 45_000);
    }
    this.flush();
  }

  /** As logrotate does it. */
  rotate() {
    fs.closeSync(this.log);
    fs.renameSync(this.path, `${this.path}.1`);
    this.log = fs.openSync(this.path, 'w');
  }

  flush() {
    const bytes = Buffer.from(this.lines.join(''));
    fs.writeSync(this.log, bytes);
    this.written += bytes.length;
    this.lines = [];
  }

  line(time, daemon, text) {
    const stamp = new Date(time).toISOString().replace('Z', '+00:00');
    this.lines.push(`${stamp} ${this.name} postfix/${daemon}[4711]: ${text}\n`);
  }

  id() {
    this.messages += 1;
    return (0x3a00000000 + this.index * 0x1000000000 + this.messages * 0x9d).toString(16).toUpperCase();
  }

  message(time) {
    let point = this.dice.below(100);
    const receiver = RECEIVERS.find(({ share }) => (point -= share) < 0);
    const id = this.id();
    const client = 'app.example.com[203.0.113.10]';
    this.line(time, 'smtpd', `connect from ${client}`);
    this.line(time, 'smtpd', `${id}: client=${client}`);
    this.line(time, 'cleanup', `${id}: message-id=<${this.messages}@app.example.com>`);
    this.line(time, 'qmgr', `${id}: from=<news@example.com>, size=14236, nrcpt=1 (queue active)`);
    this.line(time, 'smtpd', `disconnect from ${client} ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5`);
    this.attempt(time, { receiver, id, tries: 0, since: time });
  }

  attempt(time, message, said = this.answer(time, message.receiver)) {
    const { receiver, id, tries, since } = message;
    const took = 0.15 + this.dice.exponential(receiver.delay);
    const delay = (time - since) / 1000 + took;
    const number = (seconds) => (seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0));
    const to = `to=<reader${this.dice.below(5000)}@${receiver.domain}>`;
    const delays = `delay=${number(delay)}, delays=${number(delay - took)}/0.01/0.1/${number(took)}`;
    const made = this.dice.below(2 ** 31).toString(36);
    const done = time + took * 1000;
    if (!said) {
      this.line(done, 'smtp', `${id}: ${to}, relay=${receiver.relay}:25, ${delays}, dsn=2.0.0, status=sent (250 2.0.0 OK ${made})`);
      this.line(done, 'qmgr', `${id}: removed`);
      return;
    }
    const answered = said.command !== null || /^\d/.test(said.said);
    const relay = answered ? `${receiver.relay}:25` : 'none';
    let text = said.said.replace('{q}', made);
    if (answered) {
      text = said.command === null
        ? `host ${receiver.relay} refused to talk to me: ${text}`
        : `host ${receiver.relay} said: ${text} (in reply to ${said.command})`;
    }
    this.line(done, 'smtp', `${id}: ${to}, relay=${relay}, ${delays}, dsn=${said.dsn}, status=${said.status} (${text})`);
    if (said.status === 'bounced') {
      this.line(done, 'bounce', `${id}: sender non-delivery notification: ${id}F`);
      this.line(done, 'qmgr', `${id}: removed`);
    } else if (tries < 9) {
      const wait = BACKOFF[Math.min(tries, BACKOFF.length - 1)] * (0.9 + 0.3 * this.dice.roll());
      this.retries.push({ ...message, tries: tries + 1, at: done + wait });
    }
  }

  answer(time, receiver) {
    const trouble = receiver.trouble?.(time, this.index);
    if (trouble && this.dice.below(1000) < trouble[0]) return trouble[1];
    let luck = this.dice.below(1000);
    return receiver.ordinary.find(([often]) => (luck -= often) < 0)?.[1] ?? null;
  }

  refuseClient(time) {
    this.line(time, 'smtpd', `NOQUEUE: reject: RCPT from unknown[198.51.100.${this.dice.below(256)}]: 554 5.7.1 Service unavailable; Client host [198.51.100.9] blocked using zen.spamhaus.org; from=<win@example.org> to=<ann@example.com> proto=ESMTP helo=<localhost>`);
  }

  local(time) {
    const id = this.id();
    this.line(time, 'local', `${id}: to=<root@${this.name}.example.com>, relay=local, delay=0.02, delays=0.01/0/0/0.01, dsn=2.0.0, status=sent (delivered to mailbox)`);
  }
}
