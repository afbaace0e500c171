//! Options as a static table: what exists, what is required, what was written, and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::grammar::{parse_bool, parse_duration, parse_memory_size};
use crate::{Diagnostic, Span, Spanned, TableDefinition, did_you_mean};

/// One option of a connector or format.
#[derive(Clone, Copy, Debug)]
pub struct OptionDef {
    /// The key as Flink spells it; with [`OptionKind::Prefix`], the prefix with its dot.
    pub key: &'static str,
    /// What its value is.
    pub kind: OptionKind,
    /// The default as it would be written; `None` where there is none.
    pub default: Option<&'static str>,
    /// Whether it must be written.
    pub required: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// What an option's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A whole number of at least 1.
    Positive,
    /// `true` or `false`.
    Boolean,
    /// Flink's duration grammar.
    Duration,
    /// Flink's memory-size grammar.
    MemorySize,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// Texts separated by semicolons.
    List,
    /// Any key that begins with this one.
    Prefix,
}

/// Checked options of one table: every value fits its kind, and every key is known.
#[derive(Clone, Debug, Default)]
pub struct Options {
    values: BTreeMap<String, Spanned<String>>,
    spans: BTreeMap<String, Span>,
}

impl OptionDef {
    /// Returns an optional text option; the other fields are set by struct update.
    #[must_use]
    pub const fn text(key: &'static str, doc: &'static str) -> Self {
        Self {
            key,
            kind: OptionKind::Text,
            default: None,
            required: false,
            secret: false,
            doc,
        }
    }

    /// Returns what is said of a bad value: a secret is not repeated.
    fn shown(&self, why: String) -> String {
        if self.secret {
            return "the value does not fit".to_owned();
        }
        why
    }

    fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            OptionKind::Text | OptionKind::List | OptionKind::Prefix => Ok(()),
            OptionKind::Integer => value
                .trim()
                .parse::<i64>()
                .map(drop)
                .map_err(|_| format!("'{value}' is not a whole number")),
            OptionKind::Positive => match value.trim().parse::<i32>() {
                Ok(1..) => Ok(()),
                Ok(_) => Err(format!("'{value}' is below 1")),
                Err(_) => Err(format!("'{value}' is not a whole number")),
            },
            OptionKind::Boolean => parse_bool(value).map(drop),
            OptionKind::Duration => parse_duration(value).map(drop),
            OptionKind::MemorySize => parse_memory_size(value).map(drop),
            OptionKind::OneOf(words) => {
                if words.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                    Ok(())
                } else {
                    Err(format!("'{value}' is none of {}", words.join(", ")))
                }
            }
        }
    }
}

/// Returns the options of `table` checked against `definitions` (pairs of full key and definition), or everything
/// that is wrong with them: `MR0101` missing, `MR0102` bad value, `MR0103` unknown, `MR0104` written twice.
///
/// # Errors
/// One diagnostic for each fault.
pub fn check_options(
    table: &TableDefinition,
    definitions: &[(String, OptionDef)],
    connector: &str,
) -> Result<Options, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut options = Options::default();
    for (key, value) in &table.options {
        let exact = definitions
            .iter()
            .find(|(full, def)| *full == key.value && def.kind != OptionKind::Prefix);
        let definition = exact.or_else(|| {
            definitions.iter().find(|(full, def)| {
                def.kind == OptionKind::Prefix && key.value.starts_with(full.as_str())
            })
        });
        let Some((_, definition)) = definition else {
            diagnostics.push(unknown(key, definitions, connector));
            continue;
        };
        if let Err(why) = definition.check(&value.value) {
            diagnostics.push(
                Diagnostic::error(
                    "MR0102",
                    format!("bad value for option '{}'", key.value),
                    value.span,
                )
                .label(definition.shown(why)),
            );
        }
        if let Some(first) = options.spans.insert(key.value.clone(), key.span) {
            diagnostics.push(
                Diagnostic::error(
                    "MR0104",
                    format!("option '{}' is written twice", key.value),
                    key.span,
                )
                .also(first, "first here"),
            );
        }
        options.values.insert(key.value.clone(), value.clone());
    }
    for (key, definition) in definitions
        .iter()
        .filter(|(_, definition)| definition.required)
    {
        if !options.values.contains_key(key) {
            diagnostics.push(
                Diagnostic::error(
                    "MR0101",
                    format!("connector '{connector}' needs the option '{key}'"),
                    table.options_span,
                )
                .label(format!("no '{key}' here"))
                .help(format!("'{key}': {}", definition.doc)),
            );
        }
    }
    for (key, definition) in definitions {
        if let Some(default) = definition.default {
            options
                .values
                .entry(key.clone())
                .or_insert_with(|| Spanned::new(default.to_owned(), table.options_span));
        }
    }
    if diagnostics.is_empty() {
        Ok(options)
    } else {
        Err(diagnostics)
    }
}

fn unknown(
    key: &Spanned<String>,
    definitions: &[(String, OptionDef)],
    connector: &str,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "MR0103",
        format!("unknown option '{}' for connector '{connector}'", key.value),
        key.span,
    )
    .label(format!("not an option of '{connector}'"));
    match did_you_mean(
        &key.value,
        definitions.iter().map(|(full, _)| full.as_str()),
    ) {
        Some(near) => diagnostic.help(format!("did you mean '{near}'?")),
        None => diagnostic.help(format!(
            "options of '{connector}': {}",
            definitions
                .iter()
                .map(|(full, _)| full.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

impl Options {
    /// Returns the value of `key`, its default included.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.value.as_str())
    }

    /// Returns the place of the value of `key`.
    #[must_use]
    pub fn span(&self, key: &str) -> Option<Span> {
        self.values.get(key).map(|value| value.span)
    }

    /// Returns whether the user wrote `key`.
    #[must_use]
    pub fn is_written(&self, key: &str) -> bool {
        self.spans.contains_key(key)
    }

    /// Returns a whole number. `None` where it is not set.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        self.text(key).and_then(|text| text.trim().parse().ok())
    }

    /// Returns a truth value. `false` where it is not set.
    #[must_use]
    pub fn boolean(&self, key: &str) -> bool {
        self.text(key)
            .is_some_and(|text| parse_bool(text).unwrap_or(false))
    }

    /// Returns a duration. `None` where it is not set.
    #[must_use]
    pub fn duration(&self, key: &str) -> Option<Duration> {
        self.text(key).and_then(|text| parse_duration(text).ok())
    }

    /// Returns a memory size in bytes. `None` where it is not set.
    #[must_use]
    pub fn memory_size(&self, key: &str) -> Option<u64> {
        self.text(key).and_then(|text| parse_memory_size(text).ok())
    }

    /// Returns the texts of a list, trimmed, empty ones left out.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<String> {
        self.text(key)
            .map(|text| {
                text.split(';')
                    .map(str::trim)
                    .filter(|t| !t.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    }

    /// Returns the options that begin with `prefix`, without it, with their places.
    pub fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Spanned<String>)> + 'a {
        self.values
            .iter()
            .filter_map(move |(key, value)| key.strip_prefix(prefix).map(|rest| (rest, value)))
    }

    /// Returns the place where the user wrote the key.
    #[must_use]
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.spans.get(key).copied()
    }
}
