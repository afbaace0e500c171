//! Packets of the MySQL protocol: framing, numbers and texts of variable length, result sets.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A packet longer than this comes in parts, and the stand-in takes none.
const PACKET_BYTES_MAX: usize = (1 << 24) - 2;
const UTF8MB4_GENERAL_CI: u16 = 45;
const BINARY: u16 = 63;
const NOTHING_MORE: u16 = 0x0002;

/// How a column travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tiny,
    Integer,
    BigInteger,
    Float,
    Double,
    Decimal,
    Date,
    DateTime,
    Text,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Tiny => 1,
            Self::Integer => 3,
            Self::Float => 4,
            Self::Double => 5,
            Self::BigInteger => 8,
            Self::Date => 10,
            Self::DateTime => 12,
            Self::Decimal => 246,
            Self::Text => 253,
        }
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Rows of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) heads: Vec<Head>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Returns a table of texts without rows.
    pub(crate) fn of(names: &[&str]) -> Self {
        let head = |name: &&str| Head {
            name: (*name).to_owned(),
            kind: Kind::Text,
        };
        Self {
            heads: names.iter().map(head).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Option<String>>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

/// What a statement could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) state: &'static str,
    pub(crate) text: String,
}

impl Refusal {
    /// Returns an error in the words of Doris's planner.
    pub(crate) fn detail(text: impl std::fmt::Display) -> Self {
        Self {
            code: 1105,
            state: "HY000",
            text: format!("errCode = 2, detailMessage = {text}"),
        }
    }

    /// Returns an error with a number of its own.
    pub(crate) fn numbered(code: u16, state: &'static str, text: impl Into<String>) -> Self {
        Self {
            code,
            state,
            text: text.into(),
        }
    }
}

/// A connection's packets.
#[derive(Debug)]
pub(crate) struct Packets {
    stream: TcpStream,
    sequence: u8,
    out: Vec<u8>,
}

impl Packets {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            sequence: 0,
            out: Vec::new(),
        }
    }

    /// Reads one packet; `None` when the client is gone.
    pub(crate) async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut head).await {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Ok(None),
                _ => Err(error),
            };
        }
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if length > PACKET_BYTES_MAX {
            return Err(io::Error::other("a packet of 16 MiB or more"));
        }
        self.sequence = head[3].wrapping_add(1);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Some(body))
    }

    /// Starts a new exchange.
    pub(crate) fn restart(&mut self) {
        self.sequence = 0;
    }

    pub(crate) fn write(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len().min(PACKET_BYTES_MAX)).expect("it is capped");
        self.out.extend_from_slice(&length.to_le_bytes()[..3]);
        self.out.push(self.sequence);
        self.out.extend_from_slice(&body[..length as usize]);
        self.sequence = self.sequence.wrapping_add(1);
    }

    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out).await?;
        self.out.clear();
        self.stream.flush().await
    }

    pub(crate) fn ok(&mut self, affected: u64) {
        let mut body = vec![0];
        number(&mut body, affected);
        number(&mut body, 0);
        body.extend_from_slice(&NOTHING_MORE.to_le_bytes());
        body.extend_from_slice(&[0, 0]);
        self.write(&body);
    }

    pub(crate) fn end_of_rows(&mut self) {
        let status = NOTHING_MORE.to_le_bytes();
        self.write(&[0xfe, 0, 0, status[0], status[1]]);
    }

    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        let mut body = vec![0xff];
        body.extend_from_slice(&refusal.code.to_le_bytes());
        body.push(b'#');
        body.extend_from_slice(refusal.state.as_bytes());
        body.extend_from_slice(refusal.text.as_bytes());
        self.write(&body);
    }

    /// Writes how many columns there are, and each.
    pub(crate) fn heads(&mut self, heads: &[Head]) {
        if heads.is_empty() {
            return;
        }
        for head in heads {
            self.head(head);
        }
        self.end_of_rows();
    }

    fn head(&mut self, head: &Head) {
        let mut body = Vec::new();
        for part in ["def", "", "", "", &head.name, &head.name] {
            text(&mut body, part.as_bytes());
        }
        body.push(0x0c);
        let charset = if head.kind == Kind::Text {
            UTF8MB4_GENERAL_CI
        } else {
            BINARY
        };
        body.extend_from_slice(&charset.to_le_bytes());
        body.extend_from_slice(&65_535_u32.to_le_bytes());
        body.push(head.kind.code());
        body.extend_from_slice(&[0, 0, 0, 0, 0]);
        self.write(&body);
    }

    /// Writes a result whose values are texts.
    pub(crate) fn table(&mut self, table: &Table) {
        let mut body = Vec::new();
        number(&mut body, table.heads.len() as u64);
        self.write(&body);
        self.heads(&table.heads);
        for row in &table.rows {
            body.clear();
            for cell in row {
                match cell {
                    None => body.push(0xfb),
                    Some(value) => text(&mut body, value.as_bytes()),
                }
            }
            self.write(&body);
        }
        self.end_of_rows();
    }

    /// Writes a result for a prepared statement: all values as texts, which every client takes.
    pub(crate) fn binary_table(&mut self, table: &Table) {
        let heads: Vec<Head> = table
            .heads
            .iter()
            .map(|head| Head {
                name: head.name.clone(),
                kind: match head.kind {
                    Kind::Tiny | Kind::Integer | Kind::BigInteger => Kind::BigInteger,
                    Kind::Float | Kind::Double => Kind::Double,
                    Kind::Decimal => Kind::Decimal,
                    Kind::Date | Kind::DateTime | Kind::Text => Kind::Text,
                },
            })
            .collect();
        let mut body = Vec::new();
        number(&mut body, heads.len() as u64);
        self.write(&body);
        self.heads(&heads);
        for row in &table.rows {
            body.clear();
            body.push(0);
            let nulls = body.len();
            body.resize(nulls + (heads.len() + 9) / 8, 0);
            for (at, (cell, head)) in row.iter().zip(&heads).enumerate() {
                let Some(value) = cell else {
                    body[nulls + (at + 2) / 8] |= 1 << ((at + 2) % 8);
                    continue;
                };
                match head.kind {
                    Kind::BigInteger => {
                        let value: i64 = value.parse().unwrap_or_default();
                        body.extend_from_slice(&value.to_le_bytes());
                    }
                    Kind::Double => {
                        let value: f64 = value.parse().unwrap_or_default();
                        body.extend_from_slice(&value.to_le_bytes());
                    }
                    _ => text(&mut body, value.as_bytes()),
                }
            }
            self.write(&body);
        }
        self.end_of_rows();
    }
}

/// Appends a number of variable length.
pub(crate) fn number(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    match value {
        0..=250 => out.push(bytes[0]),
        251..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a text with its length before it.
pub(crate) fn text(out: &mut Vec<u8>, value: &[u8]) {
    number(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Reads from the front of a packet.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a>(pub(crate) &'a [u8]);

impl<'a> Reading<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub(crate) fn little(&mut self, bytes: usize) -> Option<u64> {
        let mut all = [0; 8];
        all[..bytes].copy_from_slice(self.take(bytes)?);
        Some(u64::from_le_bytes(all))
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        match self.byte()? {
            0xfc => self.little(2),
            0xfd => self.little(3),
            0xfe => self.little(8),
            small => Some(u64::from(small)),
        }
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// Reads up to a zero byte.
    pub(crate) fn zero_ended(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.take(length);
        self.take(1)?;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_went() {
        for value in [0, 250, 251, 65_535, 65_536, 1 << 24, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            let mut reading = Reading(&out);
            assert_eq!(reading.number(), Some(value));
            assert!(reading.0.is_empty());
        }
    }
}
