//! The numbered lines, and the cells that they are counted in.

use std::io::Write;

pub const PROVIDERS: usize = 24;
pub const CODES: [u16; 9] = [250, 421, 450, 451, 452, 550, 552, 553, 554];
pub const CELLS: usize = PROVIDERS * CODES.len();

pub fn cell_of_number(number: u64) -> usize {
    number as usize % CELLS
}

/// The cell of a provider's id and a code.
pub fn cell_of(provider: &str, code: u16) -> Option<usize> {
    let provider: usize = provider.strip_prefix('p')?.parse().ok()?;
    let code = CODES.iter().position(|known| *known == code)?;
    (provider < PROVIDERS).then_some(code * PROVIDERS + provider)
}

/// The line of that number, as Postfix writes it.
pub fn write(out: &mut Vec<u8>, number: u64) {
    let cell = cell_of_number(number);
    let (provider, code) = (cell % PROVIDERS, CODES[cell / PROVIDERS]);
    let relay = format_args!("mx.d{provider:02}.example.com[192.0.2.27]");
    let (class, status) = match code / 100 {
        2 => (2, "sent"),
        4 => (4, "deferred"),
        _ => (5, "bounced"),
    };
    write!(
        out,
        "Nov 21 20:00:00 mx1 postfix/smtp[58640]: {:010X}: to=<user@d{provider:02}.example.com>, \
         relay={relay}:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn={class}.7.0, status={status} (",
        0x19_86AA_0000_u64 + number,
    )
    .unwrap();
    if code == 250 {
        writeln!(out, "250 2.7.0 number {number:09} cell {cell:03})").unwrap();
    } else {
        writeln!(
            out,
            "host {relay} said: {code} {class}.7.0 number {number:09} cell {cell:03} (in reply to \
             RCPT TO command))"
        )
        .unwrap();
    }
}

/// The cell that a line names, if it is one of ours and whole.
pub fn read(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let text = text.strip_prefix("Nov 21 20:00:00 mx1 ")?.strip_suffix(')')?;
    let (_, rest) = text.split_once(" cell ")?;
    rest.get(..3)?.parse().ok().filter(|cell| *cell < CELLS)
}

/// A table of the providers, in the form of `config/providers.toml`.
pub fn providers() -> String {
    (0..PROVIDERS)
        .map(|provider| {
            format!(
                "[[provider]]\nid = \"p{provider:02}\"\nname = \"Number {provider}\"\n\
                 kind = \"mailbox\"\ntracked = true\ndomains = [\"d{provider:02}.example.com\"]\n\
                 mx = [\"=mx.d{provider:02}.example.com\"]\n\
                 examples = [\"d{provider:02}.example.com\"]\nsource = \"made up\"\n\n"
            )
        })
        .collect()
}
