//! `restart-strategy.*` as the runtime wants it.

use std::time::Duration;

use millrace_runtime::RestartStrategy;

use super::definitions::key;
use super::typed::Values;

/// Returns the strategy; values were checked before.
pub(super) fn strategy(values: &Values<'_>) -> RestartStrategy {
    let count = |key: &str| u32::try_from(values.integer(key).unwrap_or(1)).unwrap_or(0);
    let time = |key: &str| values.duration(key).unwrap_or(Duration::from_secs(1));
    match values
        .text(key::RESTART)
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "none" | "off" | "disable" => RestartStrategy::None,
        "fixed-delay" | "fixeddelay" => RestartStrategy::FixedDelay {
            attempts_max: count(key::FIXED_ATTEMPTS),
            delay: time(key::FIXED_DELAY),
        },
        "failure-rate" | "failurerate" => RestartStrategy::FailureRate {
            failures_max: count(key::RATE_FAILURES),
            interval: time(key::RATE_INTERVAL),
            delay: time(key::RATE_DELAY),
        },
        _ => RestartStrategy::ExponentialDelay {
            initial: time(key::EXPONENTIAL_INITIAL),
            max: time(key::EXPONENTIAL_MAX),
            reset_after: time(key::EXPONENTIAL_RESET),
        },
    }
}
