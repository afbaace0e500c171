//! Events inside of others: a compressed transaction, read as a stream, and the kept events of an XA transaction.

use std::io::{BufReader, Cursor, Read};

use crate::decode::Bytes;
use crate::events::RawEvent;
use crate::kept::Returned;

/// Events that come before the next one of the log.
pub(crate) enum Inner {
    /// Of a compressed transaction.
    Payload(Box<dyn Read + Send>),
    /// Of an XA transaction that was committed: its end ends the transaction.
    Kept(Returned),
}

/// The longest event that is taken.
const EVENT_BYTES_MAX: usize = 1 << 30;
const HEADER: usize = 19;

/// Opens the body of a TRANSACTION_PAYLOAD event.
pub(crate) fn open(body: Vec<u8>) -> Result<Inner, String> {
    let (compression, start) = fields(&body).ok_or("its head is cut short")?;
    let mut packed = Cursor::new(body);
    packed.set_position(start as u64);
    let reader: Box<dyn Read + Send> = match compression {
        0 => Box::new(
            zstd::stream::read::Decoder::new(packed)
                .map(BufReader::new)
                .map_err(|error| error.to_string())?,
        ),
        255 => Box::new(packed),
        other => return Err(format!("compression {other} is not known")),
    };
    Ok(Inner::Payload(reader))
}

/// Returns the compression's number and where the payload begins.
fn fields(body: &[u8]) -> Option<(u64, usize)> {
    let mut cursor = Bytes::new(body);
    let mut compression = 255;
    loop {
        let field = cursor.length()?;
        if field == 0 {
            return Some((compression, body.len() - cursor.rest().len()));
        }
        let value = cursor.text()?;
        if field == 2 {
            compression = Bytes::new(value).length()?;
        }
    }
}

impl Inner {
    /// Returns the next event; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RawEvent>, String> {
        let reader = match self {
            Self::Kept(events) => return events.next().map_err(|error| error.to_string()),
            Self::Payload(reader) => reader,
        };
        let mut header = [0; HEADER];
        let mut filled = 0;
        while filled < HEADER {
            let count = reader
                .read(&mut header[filled..])
                .map_err(|error| error.to_string())?;
            match (count, filled) {
                (0, 0) => return Ok(None),
                (0, _) => return Err("it is cut short".to_owned()),
                _ => filled += count,
            }
        }
        let mut fields = Bytes::new(&header);
        let mut number = |width| fields.uint(width).unwrap_or(0) as u32;
        let timestamp = number(4);
        let code = number(1) as u8;
        number(4);
        let size = number(4);
        let log_pos = number(4);
        let flags = number(2) as u16;
        let length = (size as usize).saturating_sub(HEADER);
        if length > EVENT_BYTES_MAX {
            return Err(format!("an event of {length} bytes"));
        }
        let mut body = Vec::with_capacity(length.min(1 << 20));
        reader
            .take(length as u64)
            .read_to_end(&mut body)
            .map_err(|error| error.to_string())?;
        if body.len() != length {
            return Err("it is cut short".to_owned());
        }
        Ok(Some(RawEvent {
            code,
            timestamp,
            flags,
            log_pos,
            size,
            body,
            gtid: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_events_of_a_compressed_transaction() {
        let mut plain = Vec::new();
        for body in [&b"one"[..], b"second"] {
            plain.extend(7_u32.to_le_bytes());
            plain.push(16);
            plain.extend([0; 4]);
            plain.extend((19 + body.len() as u32).to_le_bytes());
            plain.extend([0; 4]);
            plain.extend([0; 2]);
            plain.extend(body);
        }
        let packed = zstd::stream::encode_all(&plain[..], 0).unwrap();
        let mut body = vec![
            2,
            1,
            0,
            3,
            3,
            252,
            plain.len() as u8,
            0,
            1,
            1,
            packed.len() as u8,
            0,
        ];
        body.extend(packed);
        let mut inner = open(body.clone()).unwrap();
        assert_eq!(inner.next().unwrap().unwrap().body, b"one");
        assert_eq!(inner.next().unwrap().unwrap().body, b"second");
        assert!(inner.next().unwrap().is_none());
        body.truncate(body.len() - 4);
        let mut cut = open(body).unwrap();
        let all = std::iter::from_fn(|| cut.next().transpose()).collect::<Result<Vec<_>, _>>();
        assert!(all.is_err());
    }
}
