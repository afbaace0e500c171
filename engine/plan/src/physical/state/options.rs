//! Settings that nodes with state depend on.

use std::time::Duration;

use jiff::tz::TimeZone;
use millrace_connector::Diagnostic;
use millrace_connector::grammar::parse_duration;
use millrace_operators::{Emit, Firing, Ttl, WindowEmit};

use crate::settings::Settings;

/// Settings of state and time.
#[derive(Clone, Debug)]
pub(crate) struct StateOptions {
    /// `table.exec.state.ttl`.
    pub(crate) ttl: Option<Ttl>,
    /// `table.exec.mini-batch.*`.
    pub(crate) emit: Emit,
    /// `pipeline.auto-watermark-interval`.
    pub(crate) watermark_interval_ms: i64,
    /// `table.exec.emit.*`.
    pub(crate) windows: WindowEmit,
    /// `table.exec.sink.upsert-materialize`.
    pub(crate) materialize: Materialize,
    /// Whether the plan has nodes that need watermarks or keep rows.
    pub(crate) has_state: bool,
    /// `execution.runtime-mode` = `batch`.
    pub(crate) is_bounded: bool,
    /// `table.exec.source.cdc-events-duplicate`.
    pub(crate) cdc_duplicates: bool,
    zone: TimeZone,
}

/// When a sink's changes are put in order by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Materialize {
    None,
    Auto,
    Force,
}

impl StateOptions {
    pub(crate) fn of(settings: &Settings, zone: TimeZone) -> Result<Self, Diagnostic> {
        let ms = |key: &str| -> Result<Option<i64>, Diagnostic> {
            let Some(text) = settings.get(key) else {
                return Ok(None);
            };
            let found: Result<Duration, String> = parse_duration(text);
            match found {
                Ok(duration) => Ok(Some(
                    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
                )),
                Err(reason) => Err(bad(key, text, &reason)),
            }
        };
        let is_on = |key: &str| {
            settings
                .get(key)
                .is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
        };
        let firing = |name: &str| -> Result<Option<Firing>, Diagnostic> {
            if !is_on(&format!("table.exec.emit.{name}-fire.enabled")) {
                return Ok(None);
            }
            let delay = ms(&format!("table.exec.emit.{name}-fire.delay"))?.unwrap_or(0);
            Ok(Some(match delay {
                0 => Firing::EachRow,
                ms => Firing::Every { ms },
            }))
        };
        let ttl_ms = ms("table.exec.state.ttl")?.unwrap_or(0);
        let (early, late) = (firing("early")?, firing("late")?);
        let lateness_ms = ms("table.exec.emit.allow-lateness")?.unwrap_or(0);
        let emit = match is_on("table.exec.mini-batch.enabled") {
            false => Emit::EachRow,
            true => Emit::MiniBatch {
                rows_max: rows_max(settings)?,
                latency_ms: ms("table.exec.mini-batch.allow-latency")?.unwrap_or(0),
            },
        };
        let is_bounded = settings
            .get("execution.runtime-mode")
            .is_some_and(|mode| mode.trim().eq_ignore_ascii_case("batch"));
        Ok(Self {
            is_bounded,
            cdc_duplicates: is_on("table.exec.source.cdc-events-duplicate"),
            ttl: (ttl_ms > 0 && !is_bounded).then_some(Ttl { ms: ttl_ms }),
            emit,
            watermark_interval_ms: ms("pipeline.auto-watermark-interval")?.unwrap_or(200),
            windows: WindowEmit {
                early,
                late,
                lateness_ms,
                updates: early.is_some() || late.is_some(),
                update_before: false,
            },
            materialize: materialize(settings)?,
            has_state: false,
            zone,
        })
    }

    /// Returns the session's zone for windows of local times.
    pub(crate) fn zone(&self, is_local: bool) -> Option<TimeZone> {
        is_local.then(|| self.zone.clone())
    }
}

fn bad(key: &str, text: &str, reason: &str) -> Diagnostic {
    Diagnostic::global("MR0120", format!("'{key}' = '{text}': {reason}"))
}

fn rows_max(settings: &Settings) -> Result<usize, Diagnostic> {
    const KEY: &str = "table.exec.mini-batch.size";
    let text = settings.get(KEY).unwrap_or("-1").trim();
    match text.parse::<i64>().map(usize::try_from) {
        Ok(Ok(rows)) if rows > 0 => Ok(rows),
        _ => Err(bad(KEY, text, "mini-batches need a size greater than 0")),
    }
}

fn materialize(settings: &Settings) -> Result<Materialize, Diagnostic> {
    const KEY: &str = "table.exec.sink.upsert-materialize";
    let text = settings.get(KEY).unwrap_or("AUTO").trim();
    match text.to_ascii_uppercase().as_str() {
        "NONE" => Ok(Materialize::None),
        "AUTO" => Ok(Materialize::Auto),
        "FORCE" => Ok(Materialize::Force),
        _ => Err(bad(KEY, text, "it is NONE, AUTO or FORCE")),
    }
}
