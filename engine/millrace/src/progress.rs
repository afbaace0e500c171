//! What a run shows while it runs: a status line for each dataflow on a terminal, else a log line now and then.

use std::sync::Arc;
use std::time::Duration;

use millrace_runtime::{Clock, OperatorStatus, Phase, StatusSnapshot};

use crate::metrics::Watched;
use crate::output::{bytes, grouped};
use crate::screen;

/// How often the status lines are drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(500);
/// How often, at most, a log line tells of progress.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Watches dataflows and shows them.
pub(crate) struct Progress {
    flows: Vec<Seen>,
    clock: Arc<dyn Clock>,
    draws: bool,
    next_draw: Duration,
    next_log: Duration,
}

struct Seen {
    flow: Watched,
    drawn: (Duration, StatusSnapshot),
    logged: (Duration, StatusSnapshot),
    phase: Option<Phase>,
}

/// Rows a second between two looks.
struct Rates {
    read: f64,
    bytes_read: f64,
    written: f64,
}

impl Progress {
    /// Returns what watches `flows`.
    pub(crate) fn new(flows: Vec<Watched>, clock: Arc<dyn Clock>) -> Self {
        let now = clock.monotonic();
        let seen = |flow: Watched| Seen {
            flow,
            drawn: (now, StatusSnapshot::default()),
            logged: (now, StatusSnapshot::default()),
            phase: None,
        };
        Self {
            flows: flows.into_iter().map(seen).collect(),
            draws: screen::is_terminal(),
            next_draw: now,
            next_log: now + LOG_INTERVAL,
            clock,
        }
    }

    /// Looks, and shows what is due. To be called every few hundredths of a second.
    pub(crate) fn tick(&mut self) {
        let now = self.clock.monotonic();
        for seen in &mut self.flows {
            seen.tell_phase();
        }
        if self.draws && now >= self.next_draw {
            self.next_draw = now + DRAW_INTERVAL;
            let now_ms = self.clock.now_ms();
            screen::set_status(
                self.flows
                    .iter_mut()
                    .map(|seen| seen.draw(now, now_ms))
                    .collect(),
            );
        }
        if !self.draws && now >= self.next_log {
            self.next_log = now + LOG_INTERVAL;
            for seen in &mut self.flows {
                seen.log(now);
            }
        }
    }

    /// Shows the end.
    pub(crate) fn finish(&mut self) {
        if self.draws {
            screen::set_status(Vec::new());
        }
        for seen in &mut self.flows {
            let now = seen.flow.status.snapshot();
            tracing::info!(
                dataflow = seen.flow.name,
                phase = now.phase.word(),
                read = now.records_in,
                written = now.records_out,
                committed = now.records_committed,
                skipped = now.records_skipped,
                epoch = now.epoch,
                restarts = now.restarts,
                "dataflow ended"
            );
        }
    }
}

impl Seen {
    fn tell_phase(&mut self) {
        let phase = self.flow.status.snapshot().phase;
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            // Ends are told with their figures, waits with their cause.
            if matches!(phase, Phase::Starting | Phase::Running) {
                tracing::info!(dataflow = self.flow.name, "{}", phase.word());
            }
        }
    }

    fn draw(&mut self, now: Duration, now_ms: i64) -> String {
        let snapshot = self.flow.status.snapshot();
        let rates = rates(&self.drawn, (now, &snapshot));
        self.drawn = (now, snapshot.clone());
        let mut line = status_line(&self.flow.name, &snapshot, &rates, now_ms);
        line.push_str(&state_part(&self.flow.status.operators(), now_ms));
        line
    }

    fn log(&mut self, now: Duration) {
        let snapshot = self.flow.status.snapshot();
        if snapshot.records_in == self.logged.1.records_in && snapshot.epoch == self.logged.1.epoch
        {
            return;
        }
        let rates = rates(&self.logged, (now, &snapshot));
        self.logged = (now, snapshot.clone());
        tracing::info!(
            dataflow = self.flow.name,
            read = snapshot.records_in,
            written = snapshot.records_out,
            read_per_s = rates.read.round(),
            written_per_s = rates.written.round(),
            lag = snapshot.lag,
            skipped = snapshot.records_skipped,
            epoch = snapshot.epoch,
            checkpoint_ms = snapshot.checkpoint_ms,
            state_bytes = state_bytes(&self.flow.status.operators()),
            "progress"
        );
    }
}

fn rates(before: &(Duration, StatusSnapshot), (now, after): (Duration, &StatusSnapshot)) -> Rates {
    let seconds = now.saturating_sub(before.0).as_secs_f64().max(0.001);
    let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
    Rates {
        read: rate(before.1.records_in, after.records_in),
        bytes_read: rate(before.1.bytes_in, after.bytes_in),
        written: rate(before.1.records_out, after.records_out),
    }
}

fn status_line(name: &str, now: &StatusSnapshot, rates: &Rates, now_ms: i64) -> String {
    let whole = |rate: f64| grouped(rate.round() as u64);
    let lag = now
        .lag
        .map_or_else(String::new, |lag| format!(" · lag {}", grouped(lag)));
    let checkpoint = if now.checkpoints == 0 {
        "no checkpoint yet".to_owned()
    } else {
        let age = (now_ms - now.checkpoint_at_ms).max(0) / 1000;
        format!(
            "checkpoint {} {age} s ago in {} ms",
            now.epoch, now.checkpoint_ms
        )
    };
    let mut line = format!(
        "{name}: {} · in {}/s ({}/s) · out {}/s · {} committed{lag} · {checkpoint}",
        now.phase.word(),
        whole(rates.read),
        bytes(rates.bytes_read.round() as u64),
        whole(rates.written),
        grouped(now.records_committed),
    );
    if now.records_skipped > 0 {
        line.push_str(&format!(" · {} skipped", grouped(now.records_skipped)));
    }
    if now.restarts > 0 {
        line.push_str(&format!(" · {} restarts", now.restarts));
    }
    line
}

/// Returns how many bytes the operators hold; `None` where there are none.
fn state_bytes(operators: &[OperatorStatus]) -> Option<u64> {
    let stateful = operators.iter().filter(|it| it.has_state);
    let sizes: Vec<u64> = stateful.map(|it| it.state_bytes).collect();
    (!sizes.is_empty()).then(|| sizes.iter().sum())
}

/// Returns the part of the status line that tells of state and time.
fn state_part(operators: &[OperatorStatus], now_ms: i64) -> String {
    let Some(size) = state_bytes(operators) else {
        return String::new();
    };
    let keys: u64 = operators.iter().map(|it| it.keys).sum();
    let late: u64 = operators.iter().map(|it| it.late_rows).sum();
    let mut text = format!(" · state {} of {} keys", bytes(size), grouped(keys));
    let watermarks = operators.iter().filter_map(|it| it.watermark_ms);
    // The one that is behind all others tells what the results wait for.
    if let Some(watermark_ms) = watermarks.min().filter(|known| *known < i64::MAX) {
        let behind = now_ms.saturating_sub(watermark_ms).max(0) / 1000;
        let behind = u64::try_from(behind).unwrap_or_default();
        text.push_str(&format!(" · watermark {} s ago", grouped(behind)));
    }
    if late > 0 {
        text.push_str(&format!(" · {} late", grouped(late)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_tells_rates_lag_and_checkpoint() {
        let before = (Duration::ZERO, StatusSnapshot::default());
        let now = StatusSnapshot {
            phase: Phase::Running,
            records_in: 3_000,
            bytes_in: 4 << 20,
            records_out: 2_000,
            records_committed: 1_500,
            lag: Some(12_345),
            epoch: 7,
            checkpoints: 7,
            checkpoint_ms: 12,
            checkpoint_at_ms: 1_000,
            ..StatusSnapshot::default()
        };
        let rates = rates(&before, (Duration::from_secs(2), &now));
        assert_eq!(
            status_line("d", &now, &rates, 3_500),
            "d: running · in 1,500/s (2.0 MiB/s) · out 1,000/s · 1,500 committed · lag 12,345 · checkpoint 7 2 s ago in 12 ms"
        );
    }

    #[test]
    fn the_status_line_tells_of_state_where_there_is_some() {
        assert_eq!(state_part(&[], 0), "");
        let operator = |keys, watermark_ms| OperatorStatus {
            has_state: true,
            keys,
            state_bytes: 1 << 20,
            late_rows: 2,
            watermark_ms,
            ..OperatorStatus::default()
        };
        assert_eq!(
            state_part(&[operator(1_500, Some(1_000)), operator(1, None)], 4_200),
            " · state 2.0 MiB of 1,501 keys · watermark 3 s ago · 4 late"
        );
    }
}
