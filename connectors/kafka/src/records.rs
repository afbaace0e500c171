//! The records of a batch before decoding: bytes in one buffer, and where each came from.

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::Buffer;
use millrace_connector::source::{RowOrigin, SplitRun};
use millrace_kafka_wire::{
    Arena, Batch, Record, TimestampKind, TopicPartition, WireError, read_headers, read_record,
};

use crate::splits::split;

/// Headers of a record, names and values.
pub(crate) type Headers = Vec<(String, Option<Vec<u8>>)>;

/// Which parts of records are wanted besides the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    pub(crate) keys: bool,
    pub(crate) headers: bool,
    pub(crate) timestamps: bool,
}

/// What records in a row have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) partition: usize,
    base_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) timestamp_kind: TimestampKind,
}

/// Where a record came from: its run, and how far behind the run's first offset it is.
#[derive(Clone, Copy, Debug)]
struct Place {
    run: u32,
    delta: i32,
}

/// A batch that is being read, wherever its bytes are.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) partition: usize,
    pub(crate) last_offset: i64,
    run: Run,
    /// First timestamp, and whether it is that of all.
    timestamps: Timestamps,
    /// Records not read yet.
    left: usize,
    /// Where they are.
    rest: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Timestamps {
    From(i64),
    All(i64),
}

impl Pending {
    pub(crate) fn new(partition: usize, batch: &Batch<'_>, rest: Range<usize>) -> Self {
        Self {
            partition,
            last_offset: batch.last_offset,
            run: Run {
                partition,
                base_offset: batch.base_offset,
                leader_epoch: batch.leader_epoch,
                timestamp_kind: batch.timestamp_kind,
            },
            timestamps: match batch.timestamp_kind {
                TimestampKind::CreateTime => Timestamps::From(batch.timestamp(0)),
                TimestampKind::LogAppendTime => Timestamps::All(batch.timestamp(0)),
            },
            left: batch.count,
            rest,
        }
    }

    /// Tells whether all its records were read.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Returns the next record and its offset.
    fn next(&mut self, bytes: &[u8]) -> Result<Option<(Record, i64)>, WireError> {
        if self.left == 0 {
            return Ok(None);
        }
        let record = read_record(&bytes[..self.rest.end], &mut self.rest.start)?;
        self.left -= 1;
        let delta = i64::from(record.offset_delta);
        let offset = self.run.base_offset.saturating_add(delta);
        Ok(Some((record, offset)))
    }
}

/// The records of a batch. Cleared and used again.
#[derive(Default)]
pub(crate) struct Records {
    /// The values, and between them nothing but zeros: so all of it is text when each value is.
    pub(crate) values: Arena,
    pub(crate) value_ranges: Vec<Option<Range<u32>>>,
    pub(crate) keys: Vec<u8>,
    pub(crate) key_ranges: Vec<Option<Range<u32>>>,
    pub(crate) headers: Vec<Headers>,
    pub(crate) timestamps: Vec<i64>,
    /// Bytes of keys and values.
    pub(crate) bytes: u64,
    origins: Origins,
    /// The buffer of the last batch, whose memory is used again when no column points there any more.
    spent: Option<Buffer>,
}

/// Where records came from.
#[derive(Clone, Debug, Default)]
struct Origins {
    runs: Vec<Run>,
    places: Vec<Place>,
}

fn range(range: &Range<usize>) -> Range<u32> {
    let number = |at: usize| u32::try_from(at).expect("a batch has less than 4 GiB");
    number(range.start)..number(range.end)
}

impl Records {
    pub(crate) fn len(&self) -> usize {
        self.origins.places.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.origins.places.is_empty()
    }

    /// Removes all records and keeps the memory.
    pub(crate) fn clear(&mut self) {
        if let Some(spent) = self.spent.take() {
            let size = spent.len();
            // Some column still points there: a new buffer of about the same size.
            let bytes = spent
                .into_vec()
                .unwrap_or_else(|_| vec![0; size + size / 8]);
            self.values = Arena::reuse(bytes);
        }
        self.value_ranges.clear();
        self.keys.clear();
        self.key_ranges.clear();
        self.headers.clear();
        self.timestamps.clear();
        self.bytes = 0;
        self.origins.runs.clear();
        self.origins.places.clear();
    }

    /// Reads all records of `pending`, whose bytes are in `values`, from offset `from` on.
    pub(crate) fn read_in_place(
        &mut self,
        pending: &mut Pending,
        from: i64,
        to: Option<i64>,
        wants: Wants,
    ) -> Result<(), WireError> {
        let run = self.begin(pending);
        let mut blank = pending.rest.start;
        while let Some((record, offset)) = pending.next(self.values.bytes())? {
            let wanted = offset >= from && to.is_none_or(|to| offset < to);
            if !wanted {
                continue;
            }
            let Self { values, .. } = self;
            let bytes = values.bytes();
            let key = record.key.clone().filter(|_| wants.keys).map(|key| {
                let start = self.keys.len();
                self.keys.extend_from_slice(&bytes[key]);
                start..self.keys.len()
            });
            if wants.headers {
                self.headers.push(own_headers(bytes, &record)?);
            }
            // What lies before the value is not read any more.
            let bytes = self.values.bytes_mut();
            if let Some(value) = &record.value {
                bytes[blank..value.start].fill(0);
                blank = value.end;
            }
            self.note(
                pending,
                run,
                &record,
                key.as_ref(),
                record.value.as_ref(),
                wants,
            );
        }
        self.values.bytes_mut()[blank..pending.rest.end].fill(0);
        Ok(())
    }

    /// Copies records of `pending`, whose bytes are in `large`, until there are `rows_max` or `bytes_max` of them; returns the
    /// offset after the last that was looked at.
    pub(crate) fn copy_some(
        &mut self,
        pending: &mut Pending,
        large: &Arena,
        (from, to): (i64, Option<i64>),
        (rows_max, bytes_max): (usize, usize),
        wants: Wants,
    ) -> Result<i64, WireError> {
        let run = self.begin(pending);
        let mut next = from;
        while self.len() < rows_max && self.values.len() < bytes_max {
            let Some((record, offset)) = pending.next(large.bytes())? else {
                break;
            };
            if offset < from {
                continue;
            }
            next = offset.saturating_add(1);
            if to.is_some_and(|to| offset >= to) {
                continue;
            }
            let bytes = large.bytes();
            let key = record.key.clone().filter(|_| wants.keys).map(|key| {
                let start = self.keys.len();
                self.keys.extend_from_slice(&bytes[key]);
                start..self.keys.len()
            });
            if wants.headers {
                self.headers.push(own_headers(bytes, &record)?);
            }
            let value = record.value.clone();
            let value = value.map(|value| self.values.append(&bytes[value]));
            self.note(pending, run, &record, key.as_ref(), value.as_ref(), wants);
        }
        Ok(next)
    }

    fn begin(&mut self, pending: &Pending) -> u32 {
        self.origins.runs.push(pending.run);
        u32::try_from(self.origins.runs.len() - 1).expect("a poll has few batches")
    }

    fn note(
        &mut self,
        pending: &Pending,
        run: u32,
        record: &Record,
        key: Option<&Range<usize>>,
        value: Option<&Range<usize>>,
        wants: Wants,
    ) {
        let size =
            |range: &Option<Range<usize>>| range.as_ref().map_or(0, |range| range.len() as u64);
        self.bytes += size(&record.value) + size(&record.key);
        self.value_ranges.push(value.map(range));
        if wants.keys {
            self.key_ranges.push(key.map(range));
        }
        if wants.timestamps {
            self.timestamps.push(match pending.timestamps {
                Timestamps::From(first) => first.wrapping_add(record.timestamp_delta),
                Timestamps::All(time) => time,
            });
        }
        self.origins.places.push(Place {
            run,
            delta: record.offset_delta,
        });
    }

    /// Returns the values as a buffer that columns may point into. Its memory comes back with [`Records::clear`].
    pub(crate) fn freeze(&mut self) -> Buffer {
        let buffer = Buffer::from_vec(std::mem::take(&mut self.values).into_vec());
        self.spent = Some(buffer.clone());
        buffer
    }

    pub(crate) fn run(&self, message: usize) -> &Run {
        &self.origins.runs[self.origins.places[message].run as usize]
    }

    pub(crate) fn offset(&self, message: usize) -> i64 {
        self.origins.offset(message)
    }

    /// Returns who names the records of rows later.
    pub(crate) fn origin(
        &self,
        names: &Arc<Vec<TopicPartition>>,
        message_of_row: Option<&[u32]>,
    ) -> Origin {
        let places = match message_of_row {
            None => self.origins.places.clone(),
            Some(messages) => {
                let places = messages.iter();
                places
                    .map(|message| self.origins.places[*message as usize])
                    .collect()
            }
        };
        Origin {
            names: Arc::clone(names),
            origins: Origins {
                runs: self.origins.runs.clone(),
                places,
            },
        }
    }
}

fn own_headers(bytes: &[u8], record: &Record) -> Result<Headers, WireError> {
    let mut headers = Headers::new();
    read_headers(bytes, &record.headers, |(name, value)| {
        let name = String::from_utf8_lossy(name).into_owned();
        headers.push((name, value.map(<[u8]>::to_vec)));
    })?;
    Ok(headers)
}

impl Origins {
    fn offset(&self, message: usize) -> i64 {
        let place = self.places[message];
        let base = self.runs[place.run as usize].base_offset;
        base.saturating_add(i64::from(place.delta))
    }
}

/// Names the records of rows.
pub(crate) struct Origin {
    names: Arc<Vec<TopicPartition>>,
    origins: Origins,
}

impl RowOrigin for Origin {
    fn describe(&self, row: usize) -> String {
        let Some(place) = self.origins.places.get(row) else {
            return "an unknown record".into();
        };
        let name = &self.names[self.origins.runs[place.run as usize].partition];
        format!("{name}, offset {}", self.origins.offset(row))
    }

    fn runs(&self) -> Vec<SplitRun> {
        let mut runs: Vec<(usize, SplitRun)> = Vec::new();
        for (row, place) in self.origins.places.iter().enumerate() {
            let partition = self.origins.runs[place.run as usize].partition;
            match runs.last_mut() {
                Some((last, run)) if *last == partition => run.end = row + 1,
                _ => {
                    let split = split(&self.names[partition]);
                    runs.push((
                        partition,
                        SplitRun {
                            split,
                            end: row + 1,
                        },
                    ));
                }
            }
        }
        runs.into_iter().map(|(_, run)| run).collect()
    }
}
