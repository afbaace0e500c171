//! Settings of a pipeline: one flat key space, each value with the place it came from.

use std::collections::BTreeMap;

use millrace_connector::{Diagnostic, Span};
use millrace_program::NotNullEnforcer;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A SET statement: the places of its key and value.
    Statement {
        /// Where the key stands.
        key: Span,
        /// Where the value stands.
        value: Span,
    },
    /// The command line.
    CommandLine,
    /// The environment variable of that name.
    Environment(String),
    /// The configuration file of that path.
    File(String),
}

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The text.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
}

/// All settings of a pipeline by Flink's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, Setting>,
}

/// The session zone's key.
pub const LOCAL_TIME_ZONE: &str = "table.local-time-zone";
/// The key of what happens to a NULL for a NOT NULL column.
pub const NOT_NULL_ENFORCER: &str = "table.exec.sink.not-null-enforcer";
/// The key of what happens to texts that are longer than the sink's column.
pub const TYPE_LENGTH_ENFORCER: &str = "table.exec.sink.type-length-enforcer";
/// The key of casts as they were before Flink 1.15.
pub const LEGACY_CAST: &str = "table.exec.legacy-cast-behaviour";
/// The key of which version's names are known.
pub const FLINK_VERSION: &str = "millrace.sql.flink-version";

impl Settings {
    /// Returns the text of a setting.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|setting| setting.value.as_str())
    }

    /// Returns a setting with its origin.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Setting> {
        self.values.get(key)
    }

    /// Sets a value; the last one counts.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>, origin: Origin) {
        self.values.insert(
            key.into(),
            Setting {
                value: value.into(),
                origin,
            },
        );
    }

    /// Forgets a value.
    pub fn reset(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// Forgets all that statements of the file have set.
    pub fn reset_statements(&mut self) {
        self.values
            .retain(|_, setting| !matches!(setting.origin, Origin::Statement { .. }));
    }

    /// Returns all settings by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.values
            .iter()
            .map(|(key, setting)| (key.as_str(), setting))
    }

    /// Returns the session zone's name; UTC where none is set.
    #[must_use]
    pub fn session_time_zone_name(&self) -> &str {
        match self.get(LOCAL_TIME_ZONE) {
            None | Some("default") => "UTC",
            Some(name) => name,
        }
    }

    /// Returns the session zone.
    ///
    /// # Errors
    /// A name that no zone has.
    #[expect(
        clippy::result_large_err,
        reason = "made once, at start; boxing would only burden callers"
    )]
    pub fn session_time_zone(&self) -> Result<jiff::tz::TimeZone, Diagnostic> {
        let name = self.session_time_zone_name();
        parse_time_zone(name).ok_or_else(|| {
            self.bad_value(LOCAL_TIME_ZONE, format!("'{name}' is not a time zone"))
                .help("write a name such as 'Asia/Shanghai', or an offset such as 'GMT+08:00'")
        })
    }

    /// Returns what happens to a NULL for a NOT NULL column.
    ///
    /// # Errors
    /// A word that Flink does not know.
    #[expect(
        clippy::result_large_err,
        reason = "made once, at start; boxing would only burden callers"
    )]
    pub fn not_null_enforcer(&self) -> Result<NotNullEnforcer, Diagnostic> {
        match self
            .get(NOT_NULL_ENFORCER)
            .map(str::to_ascii_uppercase)
            .as_deref()
        {
            None | Some("ERROR") => Ok(NotNullEnforcer::Error),
            Some("DROP") => Ok(NotNullEnforcer::Drop),
            Some(other) => Err(self
                .bad_value(
                    NOT_NULL_ENFORCER,
                    format!("'{other}' is not a value of '{NOT_NULL_ENFORCER}'"),
                )
                .help("write 'ERROR' or 'DROP'")),
        }
    }

    /// Tells whether texts and bytes are cut and padded to the sink column's length.
    ///
    /// # Errors
    /// A word that Flink does not know.
    #[expect(
        clippy::result_large_err,
        reason = "made once, at start; boxing would only burden callers"
    )]
    pub fn trims_and_pads(&self) -> Result<bool, Diagnostic> {
        match self
            .get(TYPE_LENGTH_ENFORCER)
            .map(str::to_ascii_uppercase)
            .as_deref()
        {
            None | Some("IGNORE") => Ok(false),
            Some("TRIM_PAD") => Ok(true),
            Some(other) => Err(self
                .bad_value(
                    TYPE_LENGTH_ENFORCER,
                    format!("'{other}' is not a value of '{TYPE_LENGTH_ENFORCER}'"),
                )
                .help("write 'IGNORE' or 'TRIM_PAD'")),
        }
    }

    /// Tells whether functions and clauses are known that Flink got after version 1.17.
    ///
    /// # Errors
    /// A version that is not known.
    #[expect(
        clippy::result_large_err,
        reason = "made once, at start; boxing would only burden callers"
    )]
    pub fn later_functions(&self) -> Result<bool, Diagnostic> {
        match self.get(FLINK_VERSION) {
            None | Some("2") => Ok(true),
            Some("1.17") => Ok(false),
            Some(other) => Err(self
                .bad_value(
                    FLINK_VERSION,
                    format!("'{other}' is not a value of '{FLINK_VERSION}'"),
                )
                .help("write '1.17' or '2'")),
        }
    }

    /// Tells whether casts behave as before Flink 1.15.
    #[must_use]
    pub fn legacy_cast(&self) -> bool {
        self.get(LEGACY_CAST).is_some_and(|value| {
            value.eq_ignore_ascii_case("enabled") || value.eq_ignore_ascii_case("true")
        })
    }

    fn bad_value(&self, key: &str, message: String) -> Diagnostic {
        match self.values.get(key).map(|setting| &setting.origin) {
            Some(Origin::Statement { value, .. }) => Diagnostic::error("MR0120", message, *value),
            _ => Diagnostic::global("MR0120", message),
        }
    }
}

/// Returns the zone of that name, as Java's `ZoneId.of` reads it: `Asia/Shanghai`, `UTC`, `+08:00`, `GMT+8`, `Z`.
#[must_use]
pub fn parse_time_zone(name: &str) -> Option<jiff::tz::TimeZone> {
    if name == "Z" {
        return Some(jiff::tz::TimeZone::UTC);
    }
    let offset = ["UTC", "GMT", "UT"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    if offset.is_empty() {
        return Some(jiff::tz::TimeZone::UTC);
    }
    if let Some(seconds) = parse_offset(offset) {
        return jiff::tz::Offset::from_seconds(seconds)
            .ok()
            .map(jiff::tz::TimeZone::fixed);
    }
    jiff::tz::TimeZone::get(name).ok()
}

/// Reads `+8`, `+08`, `+08:00`, `+0800` and the same with seconds.
fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let compact: String = digits.chars().filter(|c| *c != ':').collect();
    if compact.is_empty() || compact.len() > 6 || !compact.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| {
        compact
            .get(range)
            .map_or(Some(0), |text| text.parse::<i32>().ok())
    };
    let hours_end = if compact.len() == 1 { 1 } else { 2 };
    let hours = part(0..hours_end)?;
    let minutes = part(2..4)?;
    let seconds = part(4..6)?;
    (hours <= 18 && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_zones_as_java_does() {
        for name in [
            "UTC",
            "Asia/Shanghai",
            "+08:00",
            "GMT+8",
            "UTC+07:30",
            "Z",
            "-0330",
        ] {
            assert!(parse_time_zone(name).is_some(), "{name}");
        }
        for name in ["Nowhere/Land", "+99:00", ""] {
            assert_eq!(parse_time_zone(name).is_some(), name.is_empty(), "{name}");
        }
    }
}
