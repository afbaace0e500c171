//! When to start again after a failure: pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::RestartStrategy;

/// What a strategy remembers of the failures so far.
#[derive(Debug)]
pub(crate) struct RestartPolicy {
    strategy: RestartStrategy,
    failures: VecDeque<Duration>,
    restarts: u32,
    delay: Duration,
}

/// How many failures are remembered at most: the newest.
const FAILURES_MAX: usize = 10_000;

impl RestartPolicy {
    pub(crate) fn new(strategy: RestartStrategy) -> Self {
        Self {
            strategy,
            failures: VecDeque::new(),
            restarts: 0,
            delay: Duration::ZERO,
        }
    }

    /// Returns how long to wait before starting again after a failure at `now`, or `None` to stop.
    pub(crate) fn after_failure(&mut self, now: Duration) -> Option<Duration> {
        let last = self.failures.back().copied();
        if self.failures.len() == FAILURES_MAX {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        self.restarts = self.restarts.saturating_add(1);
        match &self.strategy {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay {
                attempts_max,
                delay,
            } => (self.restarts <= *attempts_max).then_some(*delay),
            RestartStrategy::FailureRate {
                failures_max,
                interval,
                delay,
            } => {
                self.failures
                    .retain(|at| now.saturating_sub(*at) < *interval);
                (self.failures.len() <= *failures_max as usize).then_some(*delay)
            }
            RestartStrategy::ExponentialDelay {
                initial,
                max,
                reset_after,
            } => {
                let calm = last.is_none_or(|last| now.saturating_sub(last) >= *reset_after);
                self.delay = if calm {
                    *initial
                } else {
                    (self.delay * 2).min(*max)
                };
                Some(self.delay)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn waits_longer_after_each_failure_until_it_was_calm() {
        let mut policy = RestartPolicy::new(RestartStrategy::default());
        let waits: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 700]
            .map(|at| policy.after_failure(seconds(at)).map(|wait| wait.as_secs()))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 1]);
    }

    #[test]
    fn remembers_the_newest_failures() {
        let mut policy = RestartPolicy::new(RestartStrategy::default());
        for at in 0..FAILURES_MAX as u64 + 10 {
            policy.after_failure(seconds(at));
        }
        // A failure a second later is no calm time, however many there were before.
        let next = policy.after_failure(seconds(FAILURES_MAX as u64 + 10));
        assert_eq!(next, Some(seconds(60)));
        assert_eq!(policy.failures.len(), FAILURES_MAX);
    }

    #[test]
    fn stops_when_the_strategy_says_so() {
        assert_eq!(
            RestartPolicy::new(RestartStrategy::None).after_failure(seconds(1)),
            None
        );
        let mut fixed = RestartPolicy::new(RestartStrategy::FixedDelay {
            attempts_max: 2,
            delay: seconds(3),
        });
        assert_eq!(fixed.after_failure(seconds(1)), Some(seconds(3)));
        assert_eq!(fixed.after_failure(seconds(9)), Some(seconds(3)));
        assert_eq!(fixed.after_failure(seconds(99)), None);
        let mut rate = RestartPolicy::new(RestartStrategy::FailureRate {
            failures_max: 1,
            interval: seconds(10),
            delay: seconds(1),
        });
        assert_eq!(rate.after_failure(seconds(0)), Some(seconds(1)));
        assert_eq!(rate.after_failure(seconds(20)), Some(seconds(1)));
        assert_eq!(rate.after_failure(seconds(21)), None);
    }
}
