//! Row events into rows.

use millrace_connector::{ConnectorError, ErrorKind, Retry, RowKind};

use super::Stream;
use crate::decode::{Image, RowsEvent, RowsKind};
use crate::events::RawEvent;
use crate::out::{Origin, Out};
use crate::position::Place;
use crate::properties::SkippedOperations;
use crate::snapshot::{Replay, Side};
use crate::tables::{Captured, damaged};

/// The table number of an event without rows that only ends a statement.
const NO_TABLE: u64 = 0xff_ffff;

/// What is the same for all rows of an event.
struct Event<'a> {
    origin: Origin,
    skips: SkippedOperations,
    start: &'a Place,
}

impl Stream {
    pub(super) fn rows(
        &mut self,
        event: &RawEvent,
        code: u8,
        body: &[u8],
        start: &Place,
        out: &mut Out,
    ) -> Result<(), ConnectorError> {
        let Some(skipped_rows) = self.wanted(event, code, body)? else {
            return Ok(());
        };
        let rows =
            RowsEvent::parse(code, body).map_err(|error| damaged(&error.to_string(), start))?;
        if rows.table_id == NO_TABLE {
            return Ok(());
        }
        let at = &self.at;
        let Some((mapped, captured)) = self.tables.mapped(rows.table_id) else {
            return Err(damaged("a row event has no TABLE_MAP before it", at));
        };
        let Some(captured) = captured else {
            return Ok(());
        };
        let context = Event {
            origin: Origin {
                table: captured.number,
                seconds: event.timestamp,
            },
            skips: self.config.properties.skips,
            start,
        };
        let mut reader = rows
            .rows(&mapped.map)
            .map_err(|error| damaged(&error.to_string(), start))?;
        if let Some(replay) = &mut self.replay {
            replay.prepare(
                captured,
                &mapped.map,
                at,
                self.transaction.as_ref().and_then(|trx| trx.gtid.as_ref()),
            );
        }
        out.bytes += body.len() as u64;
        let mut rows_done = 0;
        while reader
            .next()
            .map_err(|error| damaged(&error.to_string(), start))?
        {
            if rows_done < skipped_rows {
                rows_done += 1;
                continue;
            }
            out.records += 1;
            let begin = out.rows();
            let (before, after) = (reader.before(), reader.after());
            let emitted = match &mut self.replay {
                None => emit(captured, rows.kind, before, after, &context, out),
                Some(replay) => {
                    emit_beside_snapshot(replay, captured, rows.kind, before, after, &context, out)
                }
            };
            if let Err(error) = emitted {
                // The rows before it stand, and the position says so.
                out.truncate(begin);
                if let Some(trx) = &mut self.transaction {
                    trx.stop_at_row(rows_done);
                }
                return Err(error);
            }
            rows_done += 1;
        }
        if let Some(trx) = &mut self.transaction {
            trx.pass(rows_done);
        }
        let replaced = captured.decoder.take_replacements();
        if replaced > 0 {
            tracing::debug!(table = %captured.name, replaced, "texts with bytes that are none in their charset");
        }
        Ok(())
    }

    /// Counts a row event, and returns how many of its rows were passed in an earlier life; `None` if all of it is to be
    /// left out, or kept for later.
    fn wanted(
        &mut self,
        event: &RawEvent,
        code: u8,
        body: &[u8],
    ) -> Result<Option<u64>, ConnectorError> {
        if self.is_replaying_xa() {
            return Ok(None);
        }
        let mut skipped_rows = 0;
        if let Some(trx) = &mut self.transaction {
            if trx.keeps() {
                let kept = RawEvent {
                    code,
                    body: body.to_vec(),
                    ..event.clone()
                };
                return trx.keep(kept).map(|()| None);
            }
            trx.events += 1;
            if self.skip_events.0 > 0 {
                return Ok(None);
            }
            if let Some(skip) = &trx.skip {
                if skip.counted_by.is_some() {
                    skipped_rows = skip.trx_rows.saturating_sub(trx.rows);
                } else if trx.events <= skip.events {
                    return Ok(None);
                } else {
                    skipped_rows = skip.rows;
                    trx.rows = skip.trx_rows.saturating_sub(skip.rows);
                    trx.skip = None;
                }
            }
            if trx.is_left_out {
                return Ok(None);
            }
        }
        let is_early = u64::from(event.timestamp) < self.from_seconds;
        Ok((!is_early).then_some(skipped_rows))
    }
}

fn failed(error: &crate::decode::RowError, start: &Place) -> ConnectorError {
    ConnectorError::new(ErrorKind::Data, Retry::Never, format!("{error} (at {start})"))
        .help("change the declared type, or the row, and start again: nothing after the last checkpoint was committed")
}

fn one(
    captured: &mut Captured,
    kind: RowKind,
    image: &Image<'_>,
    event: &Event<'_>,
    out: &mut Out,
) -> Result<(), ConnectorError> {
    captured
        .decoder
        .append(image, &mut out.columns)
        .map_err(|error| failed(&error, event.start))?;
    out.push(kind, event.origin);
    Ok(())
}

fn after_update(
    captured: &mut Captured,
    kind: RowKind,
    before: &Image<'_>,
    after: &Image<'_>,
    event: &Event<'_>,
    out: &mut Out,
) -> Result<(), ConnectorError> {
    captured
        .decoder
        .append_after(before, after, &mut out.columns)
        .map_err(|error| failed(&error, event.start))?;
    out.push(kind, event.origin);
    Ok(())
}

fn emit(
    captured: &mut Captured,
    kind: RowsKind,
    before: &Image<'_>,
    after: &Image<'_>,
    event: &Event<'_>,
    out: &mut Out,
) -> Result<(), ConnectorError> {
    match kind {
        RowsKind::Insert if event.skips.inserts => Ok(()),
        RowsKind::Insert => one(captured, RowKind::Insert, after, event, out),
        RowsKind::Delete if event.skips.deletes => Ok(()),
        RowsKind::Delete => one(captured, RowKind::Delete, before, event, out),
        RowsKind::Update | RowsKind::PartialUpdate if event.skips.updates => Ok(()),
        RowsKind::Update | RowsKind::PartialUpdate => {
            let (old, new) = if captured.decoder.key_changed(before, after) {
                (RowKind::Delete, RowKind::Insert)
            } else {
                (RowKind::UpdateBefore, RowKind::UpdateAfter)
            };
            one(captured, old, before, event, out)?;
            after_update(captured, new, before, after, event, out)
        }
    }
}

/// As [`emit`], while a snapshot runs: what it has not read yet is left to it, what it is reading is put into it.
fn emit_beside_snapshot(
    replay: &mut Replay,
    captured: &mut Captured,
    kind: RowsKind,
    before: &Image<'_>,
    after: &Image<'_>,
    event: &Event<'_>,
    out: &mut Out,
) -> Result<(), ConnectorError> {
    let old = match kind {
        RowsKind::Insert => None,
        _ => Some(replay.side(captured, before)?),
    };
    let new = match kind {
        RowsKind::Delete => None,
        _ => Some(replay.side(captured, after)?),
    };
    if old.is_none_or(|side| side == Side::Read) && new.is_none_or(|side| side == Side::Read) {
        return emit(captured, kind, before, after, event, out);
    }
    match old {
        Some(Side::Read) if !event.skips.deletes => {
            one(captured, RowKind::Delete, before, event, out)?;
        }
        Some(Side::Reading(chunk)) => replay.remove(chunk, captured, before),
        _ => {}
    }
    match new {
        Some(Side::Read) if !event.skips.inserts => match kind {
            RowsKind::Insert => one(captured, RowKind::Insert, after, event, out),
            _ => after_update(captured, RowKind::Insert, before, after, event, out),
        },
        Some(Side::Reading(chunk)) => replay
            .put(
                chunk,
                captured,
                (kind != RowsKind::Insert).then_some(before),
                after,
            )
            .map_err(|error| failed(&error, event.start)),
        _ => Ok(()),
    }
}
