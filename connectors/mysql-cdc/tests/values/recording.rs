//! Recordings as text: the definition, the events in hexadecimal, the rows that they hold.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What was recorded of one table.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// What SHOW CREATE TABLE printed.
    pub(crate) create: String,
    /// Each row event: body of its TABLE_MAP, its code, its body.
    pub(crate) events: Vec<(Vec<u8>, u8, Vec<u8>)>,
    /// The rows, as they must decode.
    pub(crate) rows: Vec<String>,
}

pub(crate) type Recordings = BTreeMap<String, Recording>;

pub(crate) fn read(path: &Path) -> Recordings {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut recordings = Recordings::new();
    let mut current = None;
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "case" {
            current = Some(recordings.entry(rest.to_owned()).or_default());
            continue;
        }
        let recording = current.as_mut().expect("a case first");
        match word {
            "create" => recording.create = unescape(rest),
            "event" => {
                let parts: Vec<&str> = rest.split(' ').collect();
                let code = parts[1].parse().expect("a code");
                recording
                    .events
                    .push((bytes(parts[0]), code, bytes(parts[2])));
            }
            "row" => recording.rows.push(unescape(rest)),
            other => panic!("unknown line '{other}'"),
        }
    }
    recordings
}

pub(crate) fn write(path: &Path, recordings: &Recordings) {
    let mut out = String::new();
    for (name, recording) in recordings {
        writeln!(out, "case {name}").expect("text");
        writeln!(out, "create {}", escape(&recording.create)).expect("text");
        for (map, code, body) in &recording.events {
            writeln!(out, "event {} {code} {}", hex(map), hex(body)).expect("text");
        }
        for row in &recording.rows {
            writeln!(out, "row {}", escape(row)).expect("text");
        }
    }
    std::fs::write(path, out).expect("a file that can be written");
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        write!(out, "{byte:02x}").expect("text");
    }
    out
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let byte = |pair: &[char]| {
        u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal digits")
    };
    digits.chunks(2).map(byte).collect()
}
