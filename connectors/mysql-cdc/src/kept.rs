//! Events that are kept until an XA transaction ends: in memory, and beyond a bound in a file without a name.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::events::RawEvent;

/// What one transaction keeps in memory.
const MEMORY_MAX: usize = 64 << 20;

/// Events of an XA transaction, in order.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    memory: VecDeque<RawEvent>,
    bytes: usize,
    file: Option<BufWriter<File>>,
}

/// Kept events on their way out.
#[derive(Debug)]
pub(crate) struct Returned {
    memory: VecDeque<RawEvent>,
    file: Option<BufReader<File>>,
}

impl Kept {
    /// Keeps an event behind those that are there.
    pub(crate) fn push(&mut self, event: RawEvent) -> io::Result<()> {
        self.push_within(event, MEMORY_MAX)
    }

    fn push_within(&mut self, event: RawEvent, memory_max: usize) -> io::Result<()> {
        self.bytes += event.body.len() + size_of::<RawEvent>();
        if self.bytes <= memory_max {
            self.memory.push_back(event);
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => BufWriter::new(nameless()?),
        };
        file.write_all(&[event.code])?;
        for number in [
            event.timestamp,
            event.log_pos,
            event.size,
            u32::from(event.flags),
        ] {
            file.write_all(&number.to_le_bytes())?;
        }
        file.write_all(&(event.body.len() as u64).to_le_bytes())?;
        file.write_all(&event.body)?;
        self.file = Some(file);
        Ok(())
    }

    /// Returns the events.
    pub(crate) fn into_events(self) -> io::Result<Returned> {
        let file = match self.file {
            None => None,
            Some(writer) => {
                let mut file = writer
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                file.rewind()?;
                Some(BufReader::new(file))
            }
        };
        Ok(Returned {
            memory: self.memory,
            file,
        })
    }
}

impl Returned {
    /// Returns the next event; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<RawEvent>> {
        if let Some(event) = self.memory.pop_front() {
            return Ok(Some(event));
        }
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let mut head = [0; 25];
        if file.read(&mut head[..1])? == 0 {
            return Ok(None);
        }
        file.read_exact(&mut head[1..])?;
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = u64::from(number(17)) | u64::from(number(21)) << 32;
        let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact(&mut body)?;
        Ok(Some(RawEvent {
            code: head[0],
            timestamp: number(1),
            log_pos: number(5),
            size: number(9),
            flags: number(13) as u16,
            body,
            gtid: None,
        }))
    }
}

/// Opens a file that is gone when the process is.
fn nameless() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("millrace-xa-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_in_order_from_memory_and_file() {
        let mut kept = Kept::default();
        for number in 0..100_u32 {
            let event = RawEvent {
                code: 30,
                timestamp: number,
                log_pos: 7,
                flags: 1,
                body: vec![number as u8; 300],
                ..RawEvent::default()
            };
            kept.push_within(event, 4096).unwrap();
        }
        assert!(kept.file.is_some() && !kept.memory.is_empty());
        let mut events = kept.into_events().unwrap();
        for number in 0..100_u32 {
            let event = events.next().unwrap().unwrap();
            assert_eq!(
                (event.timestamp, event.log_pos, event.flags),
                (number, 7, 1)
            );
            assert_eq!(event.body, vec![number as u8; 300]);
        }
        assert!(events.next().unwrap().is_none());
    }
}
