//! The watermark of a source: per split, the minimum over splits, idle ones left out. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_connector::SplitId;
use serde::{Deserialize, Serialize};

/// What a source's watermark is made of, as a checkpoint keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedWatermark {
    /// The last one that was sent.
    pub(crate) sent_ms: i64,
    /// The greatest of each split.
    pub(crate) splits: BTreeMap<SplitId, i64>,
    /// Whether the source had come to its end.
    #[serde(default)]
    pub(crate) has_ended: bool,
}

/// What a source tells the operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    /// Whether it is idle now, where that has changed.
    pub(crate) idle: Option<bool>,
    /// Its new watermark.
    pub(crate) watermark_ms: Option<i64>,
}

/// The watermark of a source.
#[derive(Clone, Debug)]
pub(crate) struct SourceWatermark {
    splits: BTreeMap<SplitId, Split>,
    idle_timeout_ms: i64,
    interval_ms: i64,
    sent_ms: i64,
    /// When the last one was sent, by the clock.
    sent_at_ms: i64,
    is_idle: bool,
}

#[derive(Clone, Debug)]
struct Split {
    greatest_ms: i64,
    /// When its last rows came, by the clock.
    rows_at_ms: i64,
}

impl SourceWatermark {
    pub(crate) fn new(idle_timeout: Duration, interval: Duration) -> Self {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self {
            splits: BTreeMap::new(),
            idle_timeout_ms: ms(idle_timeout),
            interval_ms: ms(interval),
            sent_ms: i64::MIN,
            sent_at_ms: i64::MIN,
            is_idle: false,
        }
    }

    /// Takes what a checkpoint has kept; splits are assigned afterwards.
    pub(crate) fn restore(&mut self, saved: &SavedWatermark, now_ms: i64) {
        self.sent_ms = saved.sent_ms;
        for (split, greatest_ms) in &saved.splits {
            let split = self.split(split, now_ms);
            split.greatest_ms = *greatest_ms;
        }
    }

    /// Returns what a checkpoint keeps.
    pub(crate) fn save(&self, has_ended: bool) -> SavedWatermark {
        let splits = self.splits.iter();
        SavedWatermark {
            sent_ms: self.sent_ms,
            splits: splits
                .map(|(split, state)| (split.clone(), state.greatest_ms))
                .collect(),
            has_ended,
        }
    }

    /// Adds a split.
    pub(crate) fn assign(&mut self, split: &SplitId, now_ms: i64) {
        self.split(split, now_ms);
    }

    fn split(&mut self, split: &SplitId, now_ms: i64) -> &mut Split {
        self.splits.entry(split.clone()).or_insert(Split {
            greatest_ms: i64::MIN,
            rows_at_ms: now_ms,
        })
    }

    /// Takes the greatest watermark of some rows of a split; `None` = all were NULL.
    pub(crate) fn observe(&mut self, split: &SplitId, greatest_ms: Option<i64>, now_ms: i64) {
        let state = self.split(split, now_ms);
        state.rows_at_ms = now_ms;
        state.greatest_ms = state.greatest_ms.max(greatest_ms.unwrap_or(i64::MIN));
    }

    /// Returns what there is to tell at a moment.
    pub(crate) fn advance(&mut self, now_ms: i64) -> Advance {
        let is_idle = |split: &&Split| {
            self.idle_timeout_ms > 0
                && now_ms.saturating_sub(split.rows_at_ms) >= self.idle_timeout_ms
        };
        let active = self.splits.values().filter(|split| !is_idle(split));
        let least = active.map(|split| split.greatest_ms).min();
        let idle = !self.splits.is_empty() && least.is_none();
        let mut advance = Advance::default();
        if idle != self.is_idle {
            self.is_idle = idle;
            advance.idle = Some(idle);
        }
        let least = least.unwrap_or(i64::MIN);
        // As Flink: at the interval, and at once where event time has leapt further than that.
        let is_due = least.saturating_sub(self.sent_ms) > self.interval_ms
            || now_ms.saturating_sub(self.sent_at_ms) >= self.interval_ms;
        if least > self.sent_ms && is_due {
            self.sent_ms = least;
            self.sent_at_ms = now_ms;
            advance.watermark_ms = Some(least);
        }
        advance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> SplitId {
        SplitId(name.into())
    }

    fn source(idle_ms: u64, interval_ms: u64) -> SourceWatermark {
        let (idle, interval) = (
            Duration::from_millis(idle_ms),
            Duration::from_millis(interval_ms),
        );
        let mut source = SourceWatermark::new(idle, interval);
        source.assign(&split("a"), 0);
        source.assign(&split("b"), 0);
        source
    }

    fn watermark(source: &mut SourceWatermark, now_ms: i64) -> Option<i64> {
        source.advance(now_ms).watermark_ms
    }

    #[test]
    fn the_slowest_split_decides() {
        let mut source = source(0, 0);
        source.observe(&split("a"), Some(100), 1);
        assert_eq!(watermark(&mut source, 1), None, "nothing of b yet");
        source.observe(&split("b"), Some(50), 2);
        assert_eq!(watermark(&mut source, 2), Some(50));
        source.observe(&split("b"), Some(40), 3);
        assert_eq!(watermark(&mut source, 3), None, "it never goes back");
        source.observe(&split("b"), None, 3);
        assert_eq!(watermark(&mut source, 3), None, "NULL changes nothing");
        source.observe(&split("b"), Some(300), 4);
        assert_eq!(watermark(&mut source, 4), Some(100));
    }

    #[test]
    fn an_idle_split_is_left_out_until_it_has_rows_again() {
        let mut source = source(10, 0);
        source.observe(&split("a"), Some(100), 5);
        assert_eq!(source.advance(9), Advance::default());
        assert_eq!(watermark(&mut source, 10), Some(100), "b is idle");
        let all_idle = source.advance(15);
        assert_eq!((all_idle.idle, all_idle.watermark_ms), (Some(true), None));
        source.observe(&split("b"), Some(90), 16);
        let awake = source.advance(16);
        assert_eq!((awake.idle, awake.watermark_ms), (Some(false), None));
        source.observe(&split("b"), Some(120), 17);
        assert_eq!(watermark(&mut source, 17), Some(120), "a is idle");
    }

    #[test]
    fn watermarks_come_at_the_interval_and_at_leaps() {
        let mut source = source(0, 200);
        let both = |source: &mut SourceWatermark, at, now| {
            source.observe(&split("a"), Some(at), now);
            source.observe(&split("b"), Some(at), now);
            watermark(source, now)
        };
        assert_eq!(both(&mut source, 1_000, 0), Some(1_000));
        assert_eq!(both(&mut source, 1_100, 10), None, "too soon");
        assert_eq!(both(&mut source, 1_201, 20), Some(1_201), "a leap");
        assert_eq!(both(&mut source, 1_202, 30), None);
        assert_eq!(watermark(&mut source, 220), Some(1_202));
    }

    #[test]
    fn a_checkpoint_keeps_what_was_sent() {
        let mut source = source(0, 0);
        source.observe(&split("a"), Some(7), 0);
        source.observe(&split("b"), Some(9), 0);
        assert_eq!(watermark(&mut source, 0), Some(7));
        let mut again = SourceWatermark::new(Duration::ZERO, Duration::ZERO);
        again.restore(&source.save(false), 0);
        assert_eq!(again.save(false), source.save(false));
        again.observe(&split("a"), Some(8), 0);
        assert_eq!(watermark(&mut again, 0), Some(8));
    }
}
