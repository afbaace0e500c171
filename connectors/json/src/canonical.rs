//! A document as Jackson's `JsonNode.toString` writes it.

use crate::escape::{unescaped, write_escaped};
use crate::java_decimal::push_stripped;
use crate::number::push_double;
use crate::scanner::{Kind, Span};
use crate::tape::{Node, Tape};

/// Appends `node` of `tape` as Jackson's `toString` writes it: no white space, repeated keys merged, numbers in
/// Java's spelling.
pub fn write_canonical(tape: &Tape, bytes: &[u8], node: Node, out: &mut Vec<u8>) {
    write_document(tape, bytes, node, out, write_leaf);
}

/// Appends `node` as [`write_canonical`] does where Jackson reads numbers with a point as `BigDecimal`s.
pub fn write_canonical_exact(tape: &Tape, bytes: &[u8], node: Node, out: &mut Vec<u8>) {
    write_document(tape, bytes, node, out, |span, bytes, out| match span.kind {
        Kind::Float if is_finite(span.of(bytes)) => push_stripped(span.of(bytes), out),
        _ => write_leaf(span, bytes, out),
    });
}

fn is_finite(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .is_some_and(f64::is_finite)
}

fn write_document(
    tape: &Tape,
    bytes: &[u8],
    node: Node,
    out: &mut Vec<u8>,
    write_leaf: impl Fn(Span, &[u8], &mut Vec<u8>),
) {
    /// What is still to be written, last first.
    enum Step<'a> {
        Value(Node),
        Key(std::borrow::Cow<'a, [u8]>),
        Text(&'static [u8]),
    }
    let mut steps = vec![Step::Value(node)];
    while let Some(step) = steps.pop() {
        let node = match step {
            Step::Text(text) => {
                out.extend_from_slice(text);
                continue;
            }
            Step::Key(key) => {
                write_escaped(&key, out);
                out.push(b':');
                continue;
            }
            Step::Value(node) => node,
        };
        let span = tape.span(node);
        match span.kind {
            Kind::Object => {
                out.push(b'{');
                steps.push(Step::Text(b"}"));
                let entries = tape.entries(bytes, node);
                for (i, (key, value)) in entries.into_iter().enumerate().rev() {
                    steps.push(Step::Value(value));
                    steps.push(Step::Key(key));
                    if i > 0 {
                        steps.push(Step::Text(b","));
                    }
                }
            }
            Kind::Array => {
                out.push(b'[');
                steps.push(Step::Text(b"]"));
                let elements: Vec<Node> = tape.elements(node).collect();
                for (i, element) in elements.into_iter().enumerate().rev() {
                    steps.push(Step::Value(element));
                    if i > 0 {
                        steps.push(Step::Text(b","));
                    }
                }
            }
            _ => write_leaf(span, bytes, out),
        }
    }
}

fn write_leaf(span: Span, bytes: &[u8], out: &mut Vec<u8>) {
    let text = span.of(bytes);
    match span.kind {
        Kind::String => write_escaped(&unescaped(text, span.is_escaped()), out),
        Kind::Float => {
            let value: f64 = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(f64::NAN);
            // Jackson quotes numbers that JSON has no text for.
            if value.is_finite() {
                push_double(value, out);
            } else {
                out.push(b'"');
                push_double(value, out);
                out.push(b'"');
            }
        }
        Kind::Int if text == b"-0" => out.push(b'0'),
        _ => out.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let mut tape = Tape::new();
        let root = tape.parse::<true>(text.as_bytes(), 0).expect(text);
        let mut out = Vec::new();
        write_canonical(&tape, text.as_bytes(), root, &mut out);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expect);
    }

    #[test]
    fn writes_as_jackson_does() {
        check(
            r#" { "z" : 1.10 , "y" : [ 1 , 2 ] } x"#,
            r#"{"z":1.1,"y":[1,2]}"#,
        );
        check(r#"{"d":1,"e":0,"d":2}"#, r#"{"d":2,"e":0}"#);
        check(
            r#"{"f":1.50,"g":1e2,"h":123456789012345678901234567890.5}"#,
            r#"{"f":1.5,"g":100.0,"h":1.2345678901234568E29}"#,
        );
        check(r#"{"e":"\u00e9","s":"a\/b"}"#, r#"{"e":"é","s":"a/b"}"#);
        check(
            "[1e400,-0,[],{},null,true]",
            r#"["Infinity",0,[],{},null,true]"#,
        );
        let many: String = (0..40).map(|i| format!("\"k{}\":{i},", i % 30)).collect();
        let expect: String = (0..30)
            .map(|i| format!("\"k{i}\":{}", if i < 10 { i + 30 } else { i }))
            .collect::<Vec<_>>()
            .join(",");
        check(
            &format!("{{{}}}", many.trim_end_matches(',')),
            &format!("{{{expect}}}"),
        );
    }
}
