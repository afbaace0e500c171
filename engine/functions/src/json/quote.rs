//! JSON_QUOTE and JSON_UNQUOTE of Flink 2.0.
//!
//! # Flink
//! JSON_QUOTE escapes `/` and, by UTF-16 units, everything beyond ASCII; of a character beyond U+FFFF the first unit is
//! written as its whole code point, so `😀` becomes `\u1f600\ude00`. JSON_UNQUOTE changes only a text that is a JSON
//! string.

use std::fmt::Write as _;

use millrace_connector::FlinkType;
use millrace_json::{Kind, Scanner, Scratch, unescaped};

use crate::string::{BatchKernel, TextBuilder, Texts, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `JSON_QUOTE`.
pub(crate) static JSON_QUOTE: FunctionDef = FunctionDef {
    name: "JSON_QUOTE",
    aliases: &[],
    category: Category::Json,
    signatures: &["JSON_QUOTE(string STRING) → STRING"],
    doc: "Returns the text as a JSON string: in quotes, with escapes for quotes, backslashes, slashes, control \
          characters that have a letter, and all beyond ASCII.\nNULL gives NULL.\nFlink has it from 2.0 on.",
    examples: &[("JSON_QUOTE('a/b')", "\"a\\/b\"")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("JSON_QUOTE", args, quote),
};

/// `JSON_UNQUOTE`.
pub(crate) static JSON_UNQUOTE: FunctionDef = FunctionDef {
    name: "JSON_UNQUOTE",
    aliases: &[],
    category: Category::Json,
    signatures: &["JSON_UNQUOTE(json STRING) → STRING"],
    doc: "Returns the text of a JSON string; any other text as it is.\nNULL gives NULL.\nFlink has it from 2.0 on.",
    examples: &[("JSON_UNQUOTE('\"a\\/b\"')", "a/b")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("JSON_UNQUOTE", args, unquote),
};

fn bind(name: &'static str, args: &[Arg], map: fn(&str) -> String) -> Result<Bound, CallError> {
    let [arg] = args else {
        return Err(count_error(name, args.len(), 1, Some(1)));
    };
    if !arg.ty.kind.is_character() {
        return Err(types_error(name, args));
    }
    Ok(Bound {
        arg_types: vec![arg.ty.clone()],
        return_type: FlinkType::string().with_nullable(arg.ty.nullable),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let mut out = TextBuilder::new(rows);
            for row in 0..rows {
                out.push_option(texts.get(row).map(map).as_deref());
            }
            out.finish()
        }),
    })
}

fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' | '/' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            character if character.is_ascii() => quoted.push(character),
            character => {
                let mut units = [0; 2];
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
                for unit in character.encode_utf16(&mut units).iter().skip(1) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

fn unquote(text: &str) -> String {
    let is_quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    let mut scratch = Scratch::default();
    let mut scanner = Scanner::<false>::new(text.as_bytes(), 0, &mut scratch);
    let whole = scanner
        .value::<true>()
        .is_ok_and(|span| span.kind == Kind::String && span.end as usize + 1 == text.len());
    if !is_quoted || !whole {
        return text.to_owned();
    }
    let inner = &text.as_bytes()[1..text.len() - 1];
    String::from_utf8_lossy(&unescaped(inner, true)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_flink_does() {
        assert_eq!(quote("a\"b\né\\/😀"), r#""a\"b\n\u00e9\\\/\u1f600\ude00""#);
    }

    #[test]
    fn unquotes_only_strings() {
        for (text, expected) in [
            (r#""a\"b\n\u00e9""#, "a\"b\né"),
            ("abc", "abc"),
            ("\"abc", "\"abc"),
            (r#""a" b"#, r#""a" b"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("", ""),
            (r#""""#, ""),
            ("1", "1"),
            (r#""\u12""#, r#""\u12""#),
            (r#""\q""#, r#""\q""#),
            ("\"", "\""),
        ] {
            assert_eq!(unquote(text), expected, "{text}");
        }
    }
}
