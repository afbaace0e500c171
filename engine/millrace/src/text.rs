//! The text of a pipeline: read, variables filled in, parsed; and diagnostics shown in it.

use std::collections::BTreeMap;
use std::path::Path;

use millrace_connector::{Diagnostic, Spanned};
use millrace_sql::ast::Statement;
use millrace_sql::{Substituted, parse, render, render_json, substitute};

use crate::failure::Failure;
use crate::secrets;
use crate::settings::layers::unreadable;

/// A text and the name that messages give it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SqlText {
    /// The name: a path as the user wrote it.
    pub(crate) name: String,
    /// The text as written.
    pub(crate) text: String,
}

/// A parsed text.
#[derive(Debug)]
pub(crate) struct ParsedText {
    /// The statements that could be read; their places are in the substituted text.
    pub(crate) statements: Vec<Spanned<Statement>>,
    /// What is wrong with variables and syntax; places are in the text as written.
    pub(crate) diagnostics: Vec<Diagnostic>,
    substituted: Substituted,
    has_gaps: bool,
}

/// What stands for a variable without a value, so that the rest of the text can be looked at.
const UNKNOWN_VALUE: &str = "unknown";
/// The path that stands for standard input.
pub(crate) const STDIN: &str = "-";
/// How often unknown variables are filled in before the rest of a text is given up.
const ROUNDS_MAX: usize = 2;

impl SqlText {
    /// Reads a file; `-` is standard input.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        if path == Path::new(STDIN) {
            let text = std::io::read_to_string(std::io::stdin());
            let name = "<stdin>".to_owned();
            return match text {
                Ok(text) => Ok(Self { name, text }),
                Err(error) => Err(Failure::refused(unreadable(Path::new(&name), &error))),
            };
        }
        match std::fs::read_to_string(path) {
            Ok(text) => {
                secrets::note_text(&text);
                Ok(Self {
                    name: path.display().to_string(),
                    text,
                })
            }
            Err(error) => Err(Failure::refused(unreadable(path, &error))),
        }
    }

    /// Returns diagnostics as rustc shows them.
    pub(crate) fn render(&self, diagnostics: &[Diagnostic], colours: bool) -> String {
        render(diagnostics, &self.name, &self.text, colours)
    }

    /// Returns diagnostics as JSON.
    pub(crate) fn render_json(&self, diagnostics: &[Diagnostic]) -> String {
        render_json(diagnostics, &self.name, &self.text)
    }

    /// Fills variables in and parses.
    pub(crate) fn parse(&self, variables: &BTreeMap<String, String>) -> ParsedText {
        let mut variables = variables.clone();
        let mut diagnostics = Vec::new();
        for _ in 0..ROUNDS_MAX {
            match substitute(&self.text, &variables) {
                Ok(substituted) => return ParsedText::new(substituted, diagnostics),
                Err(found) => {
                    for one in &found {
                        if let (Some(label), "MR0701") = (&one.primary, one.code) {
                            let name = self.text[label.span.range()].to_owned();
                            variables.insert(name, UNKNOWN_VALUE.to_owned());
                        }
                    }
                    if diagnostics.is_empty() {
                        diagnostics = found;
                    }
                }
            }
        }
        // A reference that is not well formed: what follows it cannot be trusted.
        let empty = substitute("", &variables).expect("an empty text has no variables");
        ParsedText {
            statements: Vec::new(),
            diagnostics,
            substituted: empty,
            has_gaps: true,
        }
    }
}

impl ParsedText {
    fn new(substituted: Substituted, mut diagnostics: Vec<Diagnostic>) -> Self {
        secrets::note_text(&substituted.text);
        let parsed = parse(&substituted.text);
        let mut parsed_text = Self {
            statements: parsed.statements,
            diagnostics: Vec::new(),
            has_gaps: !diagnostics.is_empty()
                || parsed.diagnostics.iter().any(Diagnostic::is_error),
            substituted,
        };
        diagnostics.extend(parsed_text.relocate(parsed.diagnostics));
        parsed_text.diagnostics = diagnostics;
        parsed_text
    }

    /// Tells whether something of the text could not be read, so that later findings may only follow from that.
    pub(crate) fn has_gaps(&self) -> bool {
        self.has_gaps
    }

    /// Moves diagnostics from the substituted text to the text as written.
    pub(crate) fn relocate(&self, mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        for diagnostic in &mut diagnostics {
            self.substituted.relocate(diagnostic);
        }
        diagnostics
    }
}

/// Sorts by place, and drops what was found twice at one place.
pub(crate) fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |found: &Diagnostic| {
        found
            .primary
            .as_ref()
            .map_or((0, 0), |label| (label.span.start, label.span.end))
    };
    diagnostics.sort_by_key(place);
    diagnostics.dedup_by(|a, b| a.code == b.code && a.message == b.message && place(a) == place(b));
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_on_after_a_variable_without_a_value() {
        let text = SqlText {
            name: "a.sql".into(),
            text: "SET 'a' = '${x}';\nSELEC 1;\nSELECT '${y}';".into(),
        };
        let parsed = text.parse(&BTreeMap::new());
        let codes: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes[..2], ["MR0701", "MR0701"]);
        assert!(codes.len() > 2, "the misspelt word is found too: {codes:?}");
        assert!(parsed.has_gaps());
    }
}
