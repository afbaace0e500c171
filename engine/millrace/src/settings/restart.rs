//! `restart-strategy.*` as the runtime wants it.

use std::time::Duration;

use millrace_plan::Settings;
use millrace_runtime::RestartStrategy;

use super::definitions::key;
use super::typed::Values;

/// The strategies with options of their own.
const KINDS: [&str; 3] = ["fixed-delay", "failure-rate", "exponential-delay"];

/// Says which options are of a strategy that is not the chosen one; Flink leaves them out without a word.
pub(super) fn without_effect(settings: &Settings) -> Vec<String> {
    let chosen = strategy(&Values(settings));
    let chosen = match chosen {
        RestartStrategy::None => "none",
        RestartStrategy::FixedDelay { .. } => KINDS[0],
        RestartStrategy::FailureRate { .. } => KINDS[1],
        RestartStrategy::ExponentialDelay { .. } => KINDS[2],
    };
    let kind_of = |key: &str| {
        let option = key.strip_prefix("restart-strategy.")?;
        let kind = KINDS
            .iter()
            .find(|kind| option.starts_with(&format!("{kind}.")))?;
        (*kind != chosen).then_some(*kind)
    };
    let keys = settings.iter().map(|(key, _)| key);
    keys.filter_map(|key| Some((key, kind_of(key)?)))
        .map(|(key, kind)| {
            format!("'{key}' has no effect: the strategy is '{chosen}'; it needs 'restart-strategy.type' = '{kind}'")
        })
        .collect()
}

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
