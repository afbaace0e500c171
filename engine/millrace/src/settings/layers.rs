//! Settings and variables from outside of the SQL file: `--conf` file, environment, command line.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use millrace_connector::{Diagnostic, did_you_mean};
use millrace_functions::UserFunctions;
use millrace_plan::{Origin, Settings};

use super::definitions::{self, key};
use crate::cli::PipelineArgs;
use crate::connectors::Connectors;

/// What the names of environment variables that set something begin with.
const ENVIRONMENT_PREFIX: &str = "MILLRACE_";
/// Environment variables with a meaning of their own.
const RESERVED: [&str; 2] = ["MILLRACE_LOG", "MILLRACE_LOG_FORMAT"];
/// What keys of the conf file that are variables begin with.
const VARIABLES_PREFIX: &str = "variables.";

/// Everything from outside of the SQL file.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// Settings with their origins.
    pub(crate) settings: Settings,
    /// Values of `${name}`.
    pub(crate) variables: BTreeMap<String, String>,
    /// What is wrong with them, and what the user should know.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether the changes of the file's one query are printed instead of written.
    pub(crate) shows_changes: bool,
    /// Functions of an embedding program.
    pub(crate) functions: Arc<UserFunctions>,
    /// Connectors of an embedding program, beside those of this build.
    pub(crate) connectors: Connectors,
}

/// Collects settings and variables; what comes later wins.
pub(crate) fn gather(
    args: &PipelineArgs,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Outside {
    let mut outside = Outside::default();
    if args.changes_to_stdout {
        outside.show_changes();
    }
    if let Some(path) = &args.conf {
        match std::fs::read_to_string(path) {
            Ok(text) => outside.file(path, &text),
            Err(error) => outside.diagnostics.push(unreadable(path, &error)),
        }
    }
    outside.environment(environment);
    for (key, value) in &args.define {
        outside.settings.set(key, value, Origin::CommandLine);
    }
    outside.variables.extend(args.variables.iter().cloned());
    outside
}

/// Says that a file cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic::global("MR0703", format!("cannot read '{}': {why}", path.display()))
        .help("check the path; it is taken from the folder where the command runs")
}

impl Outside {
    /// A look at changes leaves no checkpoints behind and is not begun again, which would print lines twice; everything
    /// that sets these two wins.
    fn show_changes(&mut self) {
        self.shows_changes = true;
        let mut default = |key: &str, value: &str| {
            let origin = Origin::File("--changes-to-stdout".to_owned());
            self.settings.set(key, value, origin);
        };
        default(key::CHECKPOINTS, "memory://");
        default(key::RESTART, "none");
    }

    fn file(&mut self, path: &Path, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            let line = without_comment(line).trim();
            if line.is_empty() || line == "---" {
                continue;
            }
            let Some((key, value)) = key_value(line) else {
                self.diagnostics.push(
                    Diagnostic::global("MR0704", format!("{place}: this line is not `key: value`"))
                        .help("write one setting a line, with a space after the colon, as in flink-conf.yaml"),
                );
                continue;
            };
            match key.strip_prefix(VARIABLES_PREFIX) {
                Some(name) => drop(self.variables.insert(name.to_owned(), value)),
                None => self.settings.set(key, value, Origin::File(place)),
            }
        }
    }

    fn environment(&mut self, environment: impl IntoIterator<Item = (String, String)>) {
        let mut found: Vec<(String, String)> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
            .collect();
        found.sort();
        for (name, value) in found {
            let key = definitions::names().find(|key| environment_name(key) == name);
            match key {
                Some(key) => self.settings.set(key, value, Origin::Environment(name)),
                None => self.diagnostics.push(unknown_variable(&name)),
            }
        }
    }
}

fn unknown_variable(name: &str) -> Diagnostic {
    let mut diagnostic = Diagnostic::global(
        "MR0121",
        format!("the environment variable {name} names no setting and is not used"),
    );
    diagnostic.severity = millrace_connector::Severity::Warning;
    let names: Vec<String> = definitions::names().map(environment_name).collect();
    match did_you_mean(name, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean {near}?")),
        None => diagnostic,
    }
}

/// Returns the environment variable of a setting: `MILLRACE_` and the key in capitals, `_` for `.` and `-`.
pub(crate) fn environment_name(key: &str) -> String {
    let name: String = key
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    // Keys that already begin with the name are not named twice.
    let name = name.strip_prefix(ENVIRONMENT_PREFIX).unwrap_or(&name);
    format!("{ENVIRONMENT_PREFIX}{name}")
}

/// Cuts a ` # comment` off, but not a `#` within quotes or a word.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return &line[..at],
            (None, '"' | '\'') if before.is_whitespace() => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

fn key_value(line: &str) -> Option<(String, String)> {
    let (key, value) = match line.split_once(": ") {
        Some(pair) => pair,
        None => (line.strip_suffix(':')?, ""),
    };
    let value = value.trim();
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let key = key.trim();
    (!key.is_empty() && !key.contains(char::is_whitespace))
        .then(|| (key.to_owned(), unquoted.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn later_layers_win_and_each_value_knows_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("a.conf");
        std::fs::write(
            &conf,
            "# a comment\nexecution.checkpointing.interval: 5 s\nparallelism.default: 3 # cores\n\
             state.checkpoints.dir: 's3://b/#c'\nrest.port: 1\nvariables.topic: from-file\nvariables.x: y\n",
        )
        .unwrap();
        let args = PipelineArgs {
            conf: Some(conf.clone()),
            define: pairs(&[("rest.port", "3")]),
            variables: pairs(&[("topic", "from-flag")]),
            ..PipelineArgs::default()
        };
        let environment = pairs(&[
            ("MILLRACE_REST_PORT", "2"),
            ("MILLRACE_PARALLELISM_DEFAULT", "4"),
            ("MILLRACE_MEMORY_BUFFERS", "1 mb"),
            ("HOME", "/root"),
            ("MILLRACE_LOG", "debug"),
        ]);
        let outside = gather(&args, environment);
        assert_eq!(outside.diagnostics, []);
        let entry = |key: &str| {
            let setting = outside.settings.entry(key).unwrap();
            (setting.value.as_str(), setting.origin.clone())
        };
        let place = |line: u32| Origin::File(format!("{}:{line}", conf.display()));
        assert_eq!(entry("execution.checkpointing.interval"), ("5 s", place(2)));
        assert_eq!(entry("state.checkpoints.dir"), ("s3://b/#c", place(4)));
        assert_eq!(
            entry("parallelism.default"),
            (
                "4",
                Origin::Environment("MILLRACE_PARALLELISM_DEFAULT".into())
            )
        );
        assert_eq!(entry("millrace.memory.buffers").0, "1 mb");
        assert_eq!(entry("rest.port"), ("3", Origin::CommandLine));
        assert_eq!(outside.variables["topic"], "from-flag");
        assert_eq!(outside.variables["x"], "y");
    }

    #[test]
    fn says_what_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("a.conf");
        std::fs::write(&conf, "no value here\na b: c\n").unwrap();
        let args = PipelineArgs {
            conf: Some(conf),
            ..PipelineArgs::default()
        };
        let outside = gather(&args, pairs(&[("MILLRACE_REST_PROT", "2")]));
        let codes: Vec<&str> = outside.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, ["MR0704", "MR0704", "MR0121"]);
        assert!(outside.diagnostics[2].help[0].contains("MILLRACE_REST_PORT"));
        let args = PipelineArgs {
            conf: Some("nowhere.conf".into()),
            ..PipelineArgs::default()
        };
        let outside = gather(&args, []);
        assert!(outside.diagnostics[0].message.contains("nowhere.conf"));
        assert!(outside.diagnostics[0].is_error());
    }
}
