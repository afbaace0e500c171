//! What is wrong with settings: values that do not fit, names that do not exist.

use millrace_connector::grammar::{parse_bool, parse_duration, parse_memory_size};
use millrace_connector::{Diagnostic, OptionDef, OptionKind, Severity, did_you_mean};
use millrace_plan::{Origin, Setting, Settings};

use super::definitions::{self, SETTINGS};
use super::restart;

/// What was found about settings.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Bad values (errors) and unknown names (warnings).
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Settings of Flink that mean nothing here, each with why.
    pub(crate) notes: Vec<String>,
}

/// Checks all settings of a pipeline.
pub(crate) fn check(settings: &Settings) -> Findings {
    let mut findings = Findings::default();
    for (key, setting) in settings.iter() {
        if let Some(def) = definitions::find(key) {
            if let Some(fault) = value_fault(def, &setting.value) {
                findings.diagnostics.push(bad_value(key, setting, fault));
            }
        } else if let Some(why) = definitions::meaningless(key) {
            findings
                .notes
                .push(format!("'{key}' has no effect here: {why}"));
        } else {
            findings.diagnostics.push(unknown(key, setting));
        }
    }
    findings.notes.extend(restart::without_effect(settings));
    findings
}

/// Returns what is wrong with a value; a secret is not repeated.
pub(crate) fn value_fault(def: &OptionDef, value: &str) -> Option<String> {
    let fault = match def.kind {
        OptionKind::Text | OptionKind::List | OptionKind::Prefix => None,
        OptionKind::Integer => value
            .trim()
            .parse::<i64>()
            .err()
            .map(|_| format!("'{value}' is not a whole number")),
        OptionKind::Positive => {
            let is_fit = value.trim().parse::<i32>().is_ok_and(|number| number >= 1);
            (!is_fit).then(|| format!("'{value}' is not a whole number from 1"))
        }
        OptionKind::Boolean => parse_bool(value).err(),
        OptionKind::Duration => parse_duration(value).err(),
        OptionKind::MemorySize => parse_memory_size(value).err(),
        OptionKind::OneOf(words) => (!words.iter().any(|word| word.eq_ignore_ascii_case(value)))
            .then(|| format!("'{value}' is none of {}", words.join(", "))),
    };
    fault.map(|fault| {
        if def.secret {
            "the value does not fit".to_owned()
        } else {
            fault
        }
    })
}

/// Says that a value does not fit, at the place where it was set.
pub(crate) fn bad_value(key: &str, setting: &Setting, fault: impl Into<String>) -> Diagnostic {
    let message = format!("bad value for setting '{key}'");
    match &setting.origin {
        Origin::Statement { value, .. } => {
            Diagnostic::error("MR0120", message, *value).label(fault)
        }
        origin => Diagnostic::global("MR0120", format!("{message}: {}", fault.into()))
            .help(set_by(origin)),
    }
}

fn unknown(key: &str, setting: &Setting) -> Diagnostic {
    let message = format!("unknown setting '{key}' is not used");
    let mut diagnostic = match &setting.origin {
        Origin::Statement { key, .. } => Diagnostic::warning("MR0121", message, *key)
            .label("not a setting of millrace or Flink that is known here"),
        origin => Diagnostic::global("MR0121", message).help(set_by(origin)),
    };
    diagnostic.severity = Severity::Warning;
    match did_you_mean(key, SETTINGS.iter().map(|def| def.key)) {
        Some(near) => diagnostic.help(format!("did you mean '{near}'?")),
        None => diagnostic,
    }
}

fn set_by(origin: &Origin) -> String {
    match origin {
        Origin::Statement { .. } => "set by a SET statement".to_owned(),
        Origin::CommandLine => "set by -D on the command line".to_owned(),
        Origin::Environment(name) => format!("set by the environment variable {name}"),
        Origin::File(place) => format!("set at {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_connector::Span;

    #[test]
    fn errors_point_to_where_a_value_came_from() {
        let mut settings = Settings::default();
        let (key, value) = (Span::new(4, 9), Span::new(12, 20));
        settings.set(
            "execution.checkpointing.interval",
            "soon",
            Origin::Statement { key, value },
        );
        settings.set("rest.port", "http", Origin::File("a.conf:7".into()));
        settings.set("paralelism.default", "2", Origin::CommandLine);
        settings.set("taskmanager.numberOfTaskSlots", "2", Origin::CommandLine);
        let findings = check(&settings);
        let find = |word: &str| {
            findings
                .diagnostics
                .iter()
                .find(|found| found.message.contains(word))
                .unwrap()
        };
        assert_eq!(find("interval").primary.as_ref().unwrap().span, value);
        assert_eq!(find("rest.port").help, ["set at a.conf:7"]);
        assert!(
            find("rest.port")
                .message
                .contains("'http' is not a whole number")
        );
        let unknown = find("paralelism.default");
        assert!(!unknown.is_error());
        assert_eq!(unknown.help[1], "did you mean 'parallelism.default'?");
        assert_eq!(findings.diagnostics.len(), 3);
        assert_eq!(findings.notes.len(), 1);
    }
}
