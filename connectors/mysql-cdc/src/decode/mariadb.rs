//! MariaDB's own types: UUID, INET4 and INET6.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::definition::ColumnType;

/// Returns the text of a value in its binary form, whose zeros at the end a row image lacks.
pub(crate) fn text(kind: &ColumnType, bytes: &[u8]) -> Option<String> {
    match kind {
        ColumnType::Inet4 => Some(Ipv4Addr::from(padded::<4>(bytes)?).to_string()),
        ColumnType::Inet6 => Some(Ipv6Addr::from(padded::<16>(bytes)?).to_string()),
        _ => Some(uuid(&padded::<16>(bytes)?)),
    }
}

fn padded<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let mut padded = [0; N];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(padded)
}

/// Writes a UUID; the log has it in the order of its text, unlike the server's files.
fn uuid(bytes: &[u8; 16]) -> String {
    let mut out = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        write!(out, "{byte:02x}").expect("a String takes all");
    }
    out
}
