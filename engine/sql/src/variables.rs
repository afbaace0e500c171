//! `${name}` and `${name:-default}` before the text is parsed.

use std::collections::BTreeMap;

use millrace_connector::{Diagnostic, Span, did_you_mean};

/// A text with its variables filled in, and the way back to the text as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substituted {
    /// The text to parse.
    pub text: String,
    /// Every replacement, in order.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    /// The `${…}` in the text as written.
    original: Span,
    /// Its value in [`Substituted::text`].
    replaced: Span,
}

impl Substituted {
    /// Returns where `span` of the new text stands in the text as written.
    ///
    /// What lies in a value is placed at its whole `${…}`.
    #[must_use]
    pub fn original(&self, span: Span) -> Span {
        let start = self.position(span.start, false);
        let end = self.position(span.end, true).max(start);
        Span { start, end }
    }

    /// Moves all places of `diagnostic` to the text as written.
    pub fn relocate(&self, diagnostic: &mut Diagnostic) {
        for label in diagnostic
            .primary
            .iter_mut()
            .chain(&mut diagnostic.secondary)
        {
            label.span = self.original(label.span);
        }
    }

    /// Maps one position; inside a value it goes to the reference's start, or its end for `to_end`.
    fn position(&self, at: u32, to_end: bool) -> u32 {
        let after = self.pieces.partition_point(|piece| {
            piece.replaced.start < at
                || (!to_end && piece.replaced.start == at && piece.replaced.end > at)
        });
        let Some(piece) = after.checked_sub(1).map(|index| &self.pieces[index]) else {
            return at;
        };
        if at >= piece.replaced.end {
            return piece.original.end + (at - piece.replaced.end);
        }
        if to_end {
            piece.original.end
        } else {
            piece.original.start
        }
    }
}

/// Fills in the variables of `text`, comments left alone.
///
/// A name consists of letters, digits, `_`, `-` and `.`. A value is put in as it is, also inside strings. Values are
/// not searched for further variables.
///
/// # Errors
/// All references that have no value, and all that are not well formed; the places are in `text`.
pub fn substitute(
    text: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Substituted, Vec<Diagnostic>> {
    let mut substituted = Substituted {
        text: String::with_capacity(text.len()),
        pieces: Vec::new(),
    };
    let mut diagnostics = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    while at < text.len() {
        let rest = &text[at..];
        let byte = rest.as_bytes()[0];
        if !in_string && rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if !in_string && rest.starts_with("/*") && !rest.starts_with("/*+") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if rest.starts_with("${") {
            match reference(rest, at, variables) {
                Ok((value, length)) => {
                    substituted.text.push_str(&text[copied..at]);
                    let start = substituted.text.len();
                    substituted.text.push_str(value);
                    substituted.pieces.push(Piece {
                        original: Span::new(at, at + length),
                        replaced: Span::new(start, substituted.text.len()),
                    });
                    at += length;
                    copied = at;
                }
                Err(diagnostic) => {
                    diagnostics.push(*diagnostic);
                    at += 2;
                }
            }
        } else {
            in_string ^= byte == b'\'';
            at += 1;
            while !text.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    substituted.text.push_str(&text[copied..]);
    if diagnostics.is_empty() {
        Ok(substituted)
    } else {
        Err(diagnostics)
    }
}

/// Reads the reference at the start of `rest`, which stands at `at`; returns its value and its length.
fn reference<'a>(
    rest: &'a str,
    at: usize,
    variables: &'a BTreeMap<String, String>,
) -> Result<(&'a str, usize), Box<Diagnostic>> {
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let Some(close) = line.find('}') else {
        return Err(Box::new(
            Diagnostic::error(
                "MR0702",
                "this variable is not closed",
                Span::new(at, at + 2),
            )
            .label("no `}` follows on this line")
            .help("write ${name} or ${name:-default}"),
        ));
    };
    let inside = &rest[2..close];
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let name_span = Span::new(at + 2, at + 2 + name.len());
    if name.is_empty()
        || !name
            .chars()
            .all(|c| c.is_alphanumeric() || "_-.".contains(c))
    {
        return Err(Box::new(
            Diagnostic::error(
                "MR0702",
                format!("`{name}` is no name of a variable"),
                Span::new(at, at + close + 1),
            )
            .help(
                "a name consists of letters, digits, `_`, `-` and `.`: ${name} or ${name:-default}",
            ),
        ));
    }
    if let Some(value) = variables.get(name).map(String::as_str).or(default) {
        return Ok((value, close + 1));
    }
    let mut diagnostic = Diagnostic::error(
        "MR0701",
        format!("variable `{name}` has no value"),
        name_span,
    )
    .label("unknown variable");
    if let Some(meant) = did_you_mean(name, variables.keys().map(String::as_str)) {
        diagnostic = diagnostic.help(format!("did you mean `{meant}`?"));
    }
    Err(Box::new(diagnostic.help(format!(
        "pass --var {name}=value, or give a default: ${{{name}:-default}}"
    ))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("topic", "orders"), ("group.id", ""), ("host", "a:1,b:2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn check(text: &str, expect: &str) {
        let substituted = substitute(text, &variables()).expect("all variables are known");
        assert_eq!(substituted.text, expect);
    }

    #[test]
    fn fills_in_values_and_defaults() {
        check("a '${topic}' ${group.id}${host}", "a 'orders' a:1,b:2");
        check("${x:-y z} ${topic:-q}", "y z orders");
        check(
            "-- ${nope}\n/* ${nope} */ '--${topic}' é",
            "-- ${nope}\n/* ${nope} */ '--orders' é",
        );
        check("'it''s ${topic}' $ { $1", "'it''s orders' $ { $1");
    }

    #[test]
    fn finds_the_way_back() {
        let text = "ab ${topic} cd ${group.id} ef";
        let substituted = substitute(text, &variables()).expect("all variables are known");
        assert_eq!(substituted.text, "ab orders cd  ef");
        let original = |word: &str| {
            let at = substituted
                .text
                .find(word)
                .expect("the word is in the text");
            &text[substituted.original(Span::new(at, at + word.len())).range()]
        };
        assert_eq!(original("ab"), "ab");
        assert_eq!(original("cd"), "cd");
        assert_eq!(original("ef"), "ef");
        assert_eq!(original("rder"), "${topic}");
        assert_eq!(original("orders"), "${topic}");
        assert_eq!(original("b orders c"), "b ${topic} c");
    }

    #[test]
    fn reports_every_reference_without_a_value() {
        let found =
            substitute("${topik} ${ ${a b} ${zzz}", &variables()).expect_err("none has a value");
        let codes: Vec<_> = found.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, ["MR0701", "MR0702", "MR0702", "MR0701"]);
        assert_eq!(found[0].help[0], "did you mean `topic`?");
        assert_eq!(
            found[3].help,
            ["pass --var zzz=value, or give a default: ${zzz:-default}"]
        );
    }
}
