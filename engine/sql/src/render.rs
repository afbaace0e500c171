//! Diagnostics to text for people, and to JSON for programs.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use millrace_connector::{Diagnostic, Label, Severity, Span, masked};
use serde::Serialize;

/// A place as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1; a tab is one character.
    pub column: usize,
}

/// Returns the line and column of the byte `offset`; an offset behind the text is its end.
#[must_use]
pub fn line_column(source: &str, offset: usize) -> LineColumn {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &source[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    LineColumn {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Shows diagnostics as rustc does, one empty line between two. Values of secrets are masked, in the text and in what is
/// said of it.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], file_name: &str, source: &str, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let source = &masked(source);
    let mut text = String::new();
    for diagnostic in &without_secrets(diagnostics) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&renderer.render(&[group(diagnostic, file_name, source)]));
        text.push('\n');
    }
    text
}

/// Returns the diagnostics with secrets in what they say masked.
fn without_secrets(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    let mask = |text: &mut String| {
        if let std::borrow::Cow::Owned(shown) = masked(text) {
            *text = shown;
        }
    };
    let mut shown = diagnostics.to_vec();
    for diagnostic in &mut shown {
        mask(&mut diagnostic.message);
        diagnostic.help.iter_mut().for_each(mask);
        let labels = diagnostic
            .primary
            .iter_mut()
            .chain(&mut diagnostic.secondary);
        labels.for_each(|label| mask(&mut label.text));
    }
    shown
}

fn group<'a>(diagnostic: &'a Diagnostic, file_name: &'a str, source: &'a str) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    if let Some(primary) = &diagnostic.primary {
        let mut snippet = Snippet::source(source).path(file_name).annotation(
            AnnotationKind::Primary
                .span(range(source, primary.span))
                .label(text(primary)),
        );
        for label in &diagnostic.secondary {
            let range = range(source, label.span);
            snippet = snippet.annotation(AnnotationKind::Context.span(range).label(text(label)));
        }
        group = group.element(snippet);
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

fn text(label: &Label) -> Option<&str> {
    (!label.text.is_empty()).then_some(label.text.as_str())
}

/// Returns the span as a range of `source` that cuts no character.
fn range(source: &str, span: Span) -> std::ops::Range<usize> {
    let clamp = |offset: u32| {
        let mut offset = (offset as usize).min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = clamp(span.start);
    start..clamp(span.end).max(start)
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    file: &'a str,
    primary: Option<JsonLabel<'a>>,
    secondary: Vec<JsonLabel<'a>>,
    help: &'a [String],
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    start: LineColumn,
    end: LineColumn,
    start_byte: u32,
    end_byte: u32,
    text: &'a str,
}

/// Shows diagnostics as a JSON array; lines and columns count from 1, bytes from 0.
#[must_use]
pub fn render_json(diagnostics: &[Diagnostic], file_name: &str, source: &str) -> String {
    let label = |label: &'_ Label| -> (LineColumn, LineColumn) {
        (
            line_column(source, label.span.start as usize),
            line_column(source, label.span.end as usize),
        )
    };
    let diagnostics = &without_secrets(diagnostics);
    let items: Vec<JsonDiagnostic<'_>> = diagnostics
        .iter()
        .map(|diagnostic| JsonDiagnostic {
            code: diagnostic.code,
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &diagnostic.message,
            file: file_name,
            primary: diagnostic
                .primary
                .as_ref()
                .map(|found| json_label(found, label(found))),
            secondary: diagnostic
                .secondary
                .iter()
                .map(|found| json_label(found, label(found)))
                .collect(),
            help: &diagnostic.help,
        })
        .collect();
    serde_json::to_string(&items).expect("strings and numbers can be written as JSON")
}

fn json_label(label: &Label, (start, end): (LineColumn, LineColumn)) -> JsonLabel<'_> {
    JsonLabel {
        start,
        end,
        start_byte: label.span.start,
        end_byte: label.span.end,
        text: &label.text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = "a\n\t中文b\n";
        let at = |offset| {
            let place = line_column(source, offset);
            (place.line, place.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(source.find('b').expect("b is there")), (2, 4));
        assert_eq!(at(4), (2, 2), "inside a character is at its start");
        assert_eq!(at(99), (3, 1));
    }

    #[test]
    fn json_has_places_and_help() {
        let diagnostic = Diagnostic::error("MR0201", "wrong", Span::new(2, 3))
            .label("here")
            .help("do it");
        let json: serde_json::Value =
            serde_json::from_str(&render_json(&[diagnostic], "a.sql", "a\nb")).expect("it is JSON");
        assert_eq!(json[0]["primary"]["start"]["line"], 2);
        assert_eq!(json[0]["primary"]["start"]["column"], 1);
        assert_eq!(json[0]["file"], "a.sql");
        assert_eq!(json[0]["help"][0], "do it");
    }

    #[test]
    fn secrets_beside_a_mistake_are_not_shown() {
        let source =
            "CREATE TABLE a (b INTT) WITH ('password' = 'CANARY', 'x' = 'user:CANARY@host')";
        let diagnostic = Diagnostic::error("MR0214", "bad 'user:CANARY@host'", Span::new(18, 22))
            .label("'password' = 'CANARY'")
            .also(Span::new(0, 6), "password=CANARY")
            .help("http://CANARY@host");
        let all = std::slice::from_ref(&diagnostic);
        let shown = render(all, "a.sql", source, false) + &render_json(all, "a.sql", source);
        assert!(!shown.contains("CANARY"), "{shown}");
        assert!(shown.contains("'password' = '******'"), "{shown}");
    }

    #[test]
    fn looks_like_rustc() {
        let source = "CREATE TABLE 表 (\n\tid INTT\n);";
        let start = source.find("INTT").expect("it is there");
        let diagnostic = Diagnostic::error(
            "MR0214",
            "`INTT` is no type of Flink SQL",
            Span::new(start, start + 4),
        )
        .label("unknown type")
        .help("did you mean INT?");
        assert_eq!(
            render(&[diagnostic], "a.sql", source, false),
            "error[MR0214]: `INTT` is no type of Flink SQL
 --> a.sql:2:5
  |
2 |     id INTT
  |        ^^^^ unknown type
  |
  = help: did you mean INT?
"
        );
    }
}
