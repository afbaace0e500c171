//! The quick way of a row to disk: its line is cut, each value looked at by `fits`, and copied as it is.
//!
//! Whatever is out of the ordinary gives `false`, and the row goes the slow way through `serde_json`.

use memchr::{memchr, memchr2};

use crate::fits::fits;
use crate::schema::ColumnType;

/// A field that the load stores.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) ty: ColumnType,
    pub(crate) nullable: bool,
}

/// Turns lines of JSON or CSV into stored lines, by places of fields that it learns from row to row.
#[derive(Debug)]
pub(crate) struct QuickLines {
    fields: Vec<Field>,
    /// The names as they stand in a line, with quotes.
    keys: Vec<Vec<u8>>,
    /// Which field stood where in the row before; `usize::MAX` is one that nobody wants.
    order: Vec<usize>,
    /// Where the value of each field stands in the line.
    places: Vec<Option<(usize, usize)>>,
}

const UNWANTED: usize = usize::MAX;
const NULL: &[u8] = b"null";

impl QuickLines {
    pub(crate) fn new(fields: Vec<Field>) -> Self {
        let keys = fields
            .iter()
            .map(|field| format!("\"{}\"", field.name).into_bytes())
            .collect();
        Self {
            places: vec![None; fields.len()],
            order: Vec::new(),
            fields,
            keys,
        }
    }

    /// Appends the stored line of a JSON object; `false` leaves `out` as it was.
    pub(crate) fn json(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        // A control character is either wrong or blank space of a pretty line.
        if line.iter().fold(false, |any, byte| any | (*byte < 0x20))
            || std::str::from_utf8(line).is_err()
        {
            return false;
        }
        self.places.fill(None);
        self.object(line).is_some() && self.store(line, out)
    }

    fn object(&mut self, line: &[u8]) -> Option<()> {
        let mut at = blanks(line, 0);
        if *line.get(at)? != b'{' {
            return None;
        }
        at = blanks(line, at + 1);
        let mut nth = 0;
        loop {
            let field = self.key(line, &mut at, nth)?;
            at = blanks(line, at);
            if *line.get(at)? != b':' {
                return None;
            }
            at = blanks(line, at + 1);
            let end = value_end(line, at)?;
            if field != UNWANTED {
                self.check(field, &line[at..end])?;
                self.places[field] = Some((at, end));
            }
            at = blanks(line, end);
            match line.get(at)? {
                b',' => at = blanks(line, at + 1),
                b'}' => break,
                _ => return None,
            }
            nth += 1;
        }
        (blanks(line, at + 1) == line.len()).then_some(())
    }

    /// Returns which field the key at `at` names, and moves behind it.
    fn key(&mut self, line: &[u8], at: &mut usize, nth: usize) -> Option<usize> {
        if let Some(field) = self.order.get(nth).filter(|field| **field != UNWANTED)
            && line[*at..].starts_with(&self.keys[*field])
        {
            *at += self.keys[*field].len();
            return Some(*field);
        }
        let end = text_end(line, *at)?;
        let key = &line[*at..end];
        *at = end;
        if memchr(b'\\', key).is_some() {
            return None;
        }
        let field = self.keys.iter().position(|known| known == key);
        let field = field.unwrap_or(UNWANTED);
        match self.order.get_mut(nth) {
            Some(there) => *there = field,
            None => self.order.push(field),
        }
        Some(field)
    }

    fn check(&self, field: usize, token: &[u8]) -> Option<()> {
        let Field { ty, nullable, .. } = self.fields[field];
        let is_fine = match token {
            b"null" => nullable,
            [b'"', text @ .., b'"'] => match memchr(b'\\', text) {
                None => fits(ty, text),
                Some(first) => {
                    matches!(ty, ColumnType::Text(most) if text.len() <= most)
                        && are_simple_escapes(&text[first..])
                }
            },
            text => fits(ty, text),
        };
        is_fine.then_some(())
    }

    fn store(&self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let before = out.len();
        out.push(b'[');
        for (place, field) in self.places.iter().zip(&self.fields) {
            match place {
                Some((from, to)) => out.extend_from_slice(&line[*from..*to]),
                None if field.nullable => out.extend_from_slice(NULL),
                None => {
                    out.truncate(before);
                    return false;
                }
            }
            out.push(b',');
        }
        let last = out.len() - 1;
        out[last] = b']';
        out.push(b'\n');
        true
    }

    /// Appends the stored line of fields between separators; `false` leaves `out` as it was.
    pub(crate) fn csv(&self, line: &[u8], separator: &[u8], out: &mut Vec<u8>) -> bool {
        if std::str::from_utf8(line).is_err() {
            return false;
        }
        let before = out.len();
        let is_done = self.fields_of_csv(line, separator, out).is_some();
        if !is_done {
            out.truncate(before);
        }
        is_done
    }

    fn fields_of_csv(&self, line: &[u8], separator: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut rest = Some(line);
        out.push(b'[');
        for field in &self.fields {
            let from = rest?;
            let at = match separator {
                [byte] => memchr(*byte, from),
                _ => memchr::memmem::find(from, separator),
            };
            let text = match at {
                Some(at) => {
                    rest = Some(&from[at + separator.len()..]);
                    &from[..at]
                }
                None => {
                    rest = None;
                    from
                }
            };
            if text == b"\\N" {
                if !field.nullable {
                    return None;
                }
                out.extend_from_slice(NULL);
            } else {
                let is_plain = text.iter().fold(true, |all, byte| {
                    all & (*byte >= 0x20 && *byte != b'"' && *byte != b'\\')
                });
                if !is_plain || !fits(field.ty, text) {
                    return None;
                }
                out.push(b'"');
                out.extend_from_slice(text);
                out.push(b'"');
            }
            out.push(b',');
        }
        let last = out.len() - 1;
        out[last] = b']';
        out.push(b'\n');
        rest.is_none().then_some(())
    }
}

fn blanks(line: &[u8], mut at: usize) -> usize {
    while line.get(at) == Some(&b' ') {
        at += 1;
    }
    at
}

/// Returns the place behind the text in quotes that begins at `at`.
fn text_end(line: &[u8], at: usize) -> Option<usize> {
    if *line.get(at)? != b'"' {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr2(b'"', b'\\', line.get(at..)?)?;
        if line[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Returns the place behind the value at `at`; `None` for what is nested.
fn value_end(line: &[u8], at: usize) -> Option<usize> {
    let is_literal =
        |byte: &&u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E');
    match line.get(at)? {
        b'"' => text_end(line, at),
        b'n' | b't' | b'f' => {
            let words: [&[u8]; 3] = [NULL, b"true", b"false"];
            let word = words
                .into_iter()
                .find(|word| line[at..].starts_with(word))?;
            Some(at + word.len())
        }
        b'-' | b'0'..=b'9' => {
            let token = &line[at..];
            let length = token.iter().take_while(is_literal).count();
            is_number(&token[..length]).then_some(at + length)
        }
        _ => None,
    }
}

/// Tells whether it is a plain number in the form of JSON, which allows no leading zeros.
fn is_number(token: &[u8]) -> bool {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    let (whole, fraction) = match memchr(b'.', digits) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let all_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    // Longer ones lose digits in `serde_json`.
    digits.len() <= if fraction.is_some() { 15 } else { 19 }
        && all_digits(whole)
        && (whole.len() == 1 || whole[0] != b'0')
        && fraction.is_none_or(all_digits)
}

/// Tells whether every backslash begins an escape of two characters.
fn are_simple_escapes(mut text: &[u8]) -> bool {
    while let Some(at) = memchr(b'\\', text) {
        if !matches!(
            text.get(at + 1),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
        ) {
            return false;
        }
        text = &text[at + 2..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> QuickLines {
        let field = |name: &str, ty: &str, nullable| Field {
            name: name.into(),
            ty: ColumnType::parse(ty).unwrap(),
            nullable,
        };
        QuickLines::new(vec![
            field("id", "INT", false),
            field("name", "VARCHAR(6)", true),
            field("at", "DATETIME", true),
        ])
    }

    fn json(quick: &mut QuickLines, line: &str) -> Option<String> {
        let mut out = Vec::new();
        let is_done = quick.json(line.as_bytes(), &mut out);
        assert_eq!(is_done, !out.is_empty());
        is_done.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn ordinary_lines_are_cut_and_others_left_to_the_slow_way() {
        let mut quick = quick();
        let some = |text: &str| Some(format!("{text}\n"));
        for _ in 0..2 {
            let line = r#"{"id":1,"name":"a\"b","at":"2024-03-01 00:00:00"}"#;
            assert_eq!(
                json(&mut quick, line),
                some(r#"[1,"a\"b","2024-03-01 00:00:00"]"#)
            );
            let line = r#" { "name" : null , "x":true, "id" : "-12" } "#;
            assert_eq!(json(&mut quick, line), some(r#"["-12",null,null]"#));
        }
        for line in [
            "{}",
            "{\"id\":null}",
            "{\"name\":\"a\"}",
            "{\"id\":01}",
            "{\"id\":1,}",
            "{\"id\":1}}",
            "{\"id\":1,\"name\":\"\\u0041\"}",
            "{\"id\":1,\"name\":\"sevenxx\"}",
            "{\"id\":1,\"x\":[1]}",
            "{\"id\":1,\"name\":\"a\tb\"}",
            "{\"id\":1e3}",
            "[1]",
            "{\"id\":1",
        ] {
            assert_eq!(json(&mut quick, line), None, "{line}");
        }
    }

    #[test]
    fn fields_of_csv_are_counted() {
        let quick = quick();
        let mut out = Vec::new();
        assert!(quick.csv(b"1\ta\t\\N", b"\t", &mut out));
        assert_eq!(out, b"[\"1\",\"a\",null]\n");
        for line in [
            "1\ta",
            "1\ta\t\\N\tb",
            "\\N\ta\t\\N",
            "x\ta\t\\N",
            "1\ta\"\t\\N",
        ] {
            assert!(!quick.csv(line.as_bytes(), b"\t", &mut out), "{line}");
        }
        assert_eq!(out, b"[\"1\",\"a\",null]\n");
    }
}
