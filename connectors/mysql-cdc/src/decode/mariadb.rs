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

/// Turns the parts of a UUID around: the server keeps the node first, so that neighbours in time lie side by side.
fn uuid(stored: &[u8; 16]) -> String {
    let parts = [
        &stored[12..16],
        &stored[10..12],
        &stored[8..10],
        &stored[6..8],
        &stored[..6],
    ];
    let mut out = String::with_capacity(36);
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push('-');
        }
        for byte in part {
            write!(out, "{byte:02x}").expect("a String takes all");
        }
    }
    out
}
