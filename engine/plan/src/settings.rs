//! Settings of a pipeline: one flat key space, each value with the place it came from.

use std::collections::BTreeMap;

use millrace_connector::{Diagnostic, Span, parse_time_zone};
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
