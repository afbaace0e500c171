//! One validating pass over a document: where each value lies, instead of the value.

use crate::error::{Fault, JsonError};
use crate::number::is_canonical_float;
use crate::swar::{is_equal, key_hash, string_stop};

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// There is none.
    #[default]
    Missing,
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number without point and exponent.
    Int,
    /// A number with a point or an exponent.
    Float,
    /// A string; the span is what stands between the quotes.
    String,
    /// An array, with its brackets.
    Array,
    /// An object, with its braces.
    Object,
}

/// Fact about a string: it has a backslash.
pub const ESCAPED: u8 = 1;
/// Fact about a value: its text is not the one that Jackson would write for it.
pub const REWRITE: u8 = 2;

/// Where a value lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: u32,
    /// The byte after its last.
    pub end: u32,
    /// What it is.
    pub kind: Kind,
    /// [`ESCAPED`] and [`REWRITE`], where they were asked for.
    pub facts: u8,
}

impl Span {
    /// Returns the text of the value in the document it was found in.
    #[must_use]
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// Tells whether it is a string with a backslash.
    #[must_use]
    pub fn is_escaped(&self) -> bool {
        self.facts & ESCAPED != 0
    }

    /// Tells whether its text differs from Jackson's.
    #[must_use]
    pub fn needs_rewrite(&self) -> bool {
        self.facts & REWRITE != 0
    }
}

/// Memory that scanners reuse.
#[derive(Debug, Default)]
pub struct Scratch {
    key_hashes: Vec<u64>,
    objects: Vec<usize>,
}

/// A position in a document of valid UTF-8. With `LENIENT`, control characters in strings are fine
/// (Jackson's `ALLOW_UNESCAPED_CONTROL_CHARS`).
#[derive(Debug)]
pub struct Scanner<'a, const LENIENT: bool> {
    bytes: &'a [u8],
    at: usize,
    scratch: &'a mut Scratch,
}

/// Keys of one object up to which repeated ones are looked for one by one.
const KEYS_COMPARED_MAX: usize = 48;

impl<'a, const LENIENT: bool> Scanner<'a, LENIENT> {
    /// Returns a scanner at `at` in `bytes`. Spans count from the start of `bytes`, which ends with the document.
    #[inline]
    pub fn new(bytes: &'a [u8], at: usize, scratch: &'a mut Scratch) -> Self {
        Self { bytes, at, scratch }
    }

    /// Returns the place of the next byte.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes to `at`, which must be the end of something scanned or known to be well formed.
    #[inline]
    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    /// Steps over white space and returns the byte there; `None` at the end. Tells the second time whether there
    /// was any.
    #[inline]
    pub fn token(&mut self) -> Option<u8> {
        let mut byte = *self.bytes.get(self.at)?;
        while byte <= b' ' {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
            byte = *self.bytes.get(self.at)?;
        }
        Some(byte)
    }

    /// Steps over the byte that [`Scanner::token`] returned.
    #[inline]
    pub fn bump(&mut self) {
        self.at += 1;
    }

    /// Steps over `text` if it stands here.
    #[inline]
    pub fn skip_text(&mut self, text: &[u8]) -> bool {
        let stands = self
            .bytes
            .get(self.at..self.at + text.len())
            .is_some_and(|here| is_equal(here, text));
        if stands {
            self.at += text.len();
        }
        stands
    }

    /// Scans the key at `"` and the colon behind it, and steps to the value.
    ///
    /// # Errors
    /// It is malformed.
    #[inline]
    pub fn key(&mut self) -> Result<Span, JsonError> {
        match self.token() {
            Some(b'"') => {}
            Some(_) => {
                return Err(self.unexpected("was expecting double-quote to start field name"));
            }
            None => return Err(self.end(" within/between Object entries")),
        }
        let key = self.string::<false>()?;
        match self.token() {
            Some(b':') => self.at += 1,
            Some(_) => {
                return Err(
                    self.unexpected("was expecting a colon to separate field name and value")
                );
            }
            None => return Err(self.end(" within/between Object entries")),
        }
        Ok(key)
    }

    /// Scans the separator after an entry of an object: `true` if another entry follows, `false` after `}`.
    ///
    /// # Errors
    /// Neither stands here.
    #[inline]
    pub fn next_entry(&mut self) -> Result<bool, JsonError> {
        match self.token() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Err(self.unexpected("was expecting comma to separate Object entries")),
            None => Err(self.end(": expected close marker for Object")),
        }
    }

    /// Scans the separator after an element of an array: `true` if another follows, `false` after `]`.
    ///
    /// # Errors
    /// Neither stands here.
    #[inline]
    pub fn next_element(&mut self) -> Result<bool, JsonError> {
        match self.token() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Err(self.unexpected("was expecting comma to separate Array entries")),
            None => Err(self.end(": expected close marker for Array")),
        }
    }

    /// Scans a value. With `FACTS` the span says whether its text differs from Jackson's.
    ///
    /// # Errors
    /// It is malformed.
    #[inline]
    pub fn value<const FACTS: bool>(&mut self) -> Result<Span, JsonError> {
        match self.token() {
            Some(b'"') => self.string::<false>(),
            Some(b'{' | b'[') => self.container::<FACTS>(),
            Some(byte) => self.scalar(byte),
            None => Err(self.end("")),
        }
    }

    /// Checks that a document that was a number ends here or goes on after white space, as Jackson does.
    ///
    /// # Errors
    /// Something else follows.
    pub fn check_root_number(&self) -> Result<(), JsonError> {
        match self.bytes.get(self.at) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r') => Ok(()),
            Some(_) => Err(self.unexpected("Expected space separating root-level values")),
        }
    }

    /// Scans the string at `"`.
    #[inline]
    fn string<const CONTROLS: bool>(&mut self) -> Result<Span, JsonError> {
        let start = self.at + 1;
        let stop = if LENIENT && !CONTROLS {
            string_stop::<false>(self.bytes, start)
        } else {
            string_stop::<true>(self.bytes, start)
        };
        if let Some(stop) = stop
            && self.bytes[stop] == b'"'
        {
            self.at = stop + 1;
            return Ok(Span {
                start: start as u32,
                end: stop as u32,
                kind: Kind::String,
                facts: 0,
            });
        }
        self.special_string(start, stop)
    }

    /// Scans on in a string that has something special at `stop`.
    fn special_string(&mut self, start: usize, stop: Option<usize>) -> Result<Span, JsonError> {
        let mut facts = 0;
        let mut next = stop;
        while let Some(stop) = next {
            let byte = self.bytes[stop];
            self.at = stop;
            match byte {
                b'"' => {
                    self.at = stop + 1;
                    return Ok(Span {
                        start: start as u32,
                        end: stop as u32,
                        kind: Kind::String,
                        facts,
                    });
                }
                b'\\' => {
                    facts |= self.escape()?;
                    next = string_stop::<true>(self.bytes, self.at);
                }
                _ if LENIENT => {
                    facts |= REWRITE;
                    next = string_stop::<true>(self.bytes, stop + 1);
                }
                _ => return Err(self.fault(Fault::Control(byte))),
            }
        }
        self.at = self.bytes.len();
        Err(self.end(": was expecting closing quote for a string value"))
    }

    /// Steps over the escape at `\` and returns its facts.
    fn escape(&mut self) -> Result<u8, JsonError> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(ESCAPED)
            }
            Some(b'/') => {
                self.at += 1;
                Ok(ESCAPED | REWRITE)
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.bytes.get(self.at) {
                        Some(digit) if digit.is_ascii_hexdigit() => self.at += 1,
                        Some(_) => return Err(self.fault(Fault::Unicode(self.character()))),
                        None => return Err(self.end(" in character escape sequence")),
                    }
                }
                Ok(ESCAPED | REWRITE)
            }
            Some(_) => Err(self.fault(Fault::Escape(self.character()))),
            None => Err(self.end(" in character escape sequence")),
        }
    }

    /// Scans a number, `true`, `false` or `null` that begins with `byte`.
    #[inline]
    fn scalar(&mut self, byte: u8) -> Result<Span, JsonError> {
        let start = self.at;
        let (kind, facts) = match byte {
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => (self.word(b"true", Kind::True)?, 0),
            b'f' => (self.word(b"false", Kind::False)?, 0),
            b'n' => (self.word(b"null", Kind::Null)?, 0),
            _ => return Err(self.not_a_value(byte)),
        };
        Ok(Span {
            start: start as u32,
            end: self.at as u32,
            kind,
            facts,
        })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, JsonError> {
        if !self.skip_text(word) {
            return Err(self.fault(Fault::Token));
        }
        match self.bytes.get(self.at) {
            Some(byte) if is_name_byte(*byte) => Err(self.fault(Fault::Token)),
            _ => Ok(kind),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<(Kind, u8), JsonError> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => {
                self.at += 1;
                if self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
                    return Err(self.fault(Fault::LeadingZero));
                }
            }
            Some(b'1'..=b'9') => self.digits(),
            Some(_) => {
                return Err(self.unexpected(
                    "expected digit (0-9) to follow minus sign, for valid numeric value",
                ));
            }
            None => return Err(self.end(" in a Number value")),
        }
        match self.bytes.get(self.at) {
            Some(b'.' | b'e' | b'E') => self.fraction(start),
            _ if self.at == start + 2 && self.bytes[start..self.at] == *b"-0" => {
                Ok((Kind::Int, REWRITE))
            }
            _ => Ok((Kind::Int, 0)),
        }
    }

    fn fraction(&mut self, start: usize) -> Result<(Kind, u8), JsonError> {
        if self.bytes[self.at] == b'.' {
            self.at += 1;
            self.some_digits("Decimal point not followed by a digit")?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.some_digits("Exponent indicator not followed by a digit")?;
        }
        let is_canonical = is_canonical_float(&self.bytes[start..self.at]);
        Ok((Kind::Float, if is_canonical { 0 } else { REWRITE }))
    }

    #[inline]
    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, otherwise: &'static str) -> Result<(), JsonError> {
        let start = self.at;
        self.digits();
        if self.at == start {
            return Err(self.fault(Fault::Number(otherwise)));
        }
        Ok(())
    }

    /// Scans the array or object that begins here, without recursion.
    fn container<const FACTS: bool>(&mut self) -> Result<Span, JsonError> {
        let start = self.at;
        let kind = if self.bytes[start] == b'{' {
            Kind::Object
        } else {
            Kind::Array
        };
        let mut facts = 0;
        let mut is_object = kind == Kind::Object;
        let mut outer = BitStack::default();
        // A fault in an earlier document may have left something.
        self.scratch.key_hashes.clear();
        self.scratch.objects.clear();
        self.at += 1;
        self.enter::<FACTS>(is_object);
        let mut is_first = true;
        loop {
            // Here an entry, an element or, right after the opening bracket, the closing one is due.
            let byte = self.token_noting::<FACTS>(&mut facts)?;
            let mut is_open = true;
            if is_first && byte == closing(is_object) {
                is_open = false;
            } else {
                let byte = if is_object {
                    self.noted_key::<FACTS>(byte, &mut facts)?
                } else {
                    byte
                };
                match byte {
                    b'"' => facts |= self.string::<FACTS>()?.facts & REWRITE,
                    b'{' | b'[' => {
                        outer.push(is_object);
                        is_object = byte == b'{';
                        self.at += 1;
                        self.enter::<FACTS>(is_object);
                        is_first = true;
                        continue;
                    }
                    _ => facts |= self.scalar(byte)?.facts,
                }
            }
            // Behind a value: a comma, or the end of this container and of those around it.
            loop {
                if is_open {
                    let byte = self.token_noting::<FACTS>(&mut facts)?;
                    if byte == b',' {
                        self.at += 1;
                        is_first = false;
                        break;
                    }
                    if byte != closing(is_object) {
                        return Err(self.no_separator(is_object));
                    }
                }
                self.at += 1;
                self.leave::<FACTS>(is_object);
                is_open = true;
                match outer.pop() {
                    Some(around) => is_object = around,
                    None => {
                        return Ok(Span {
                            start: start as u32,
                            end: self.at as u32,
                            kind,
                            facts,
                        });
                    }
                }
            }
        }
    }

    /// Steps to the next token inside a container and notes white space, which Jackson would not write.
    #[inline]
    fn token_noting<const FACTS: bool>(&mut self, facts: &mut u8) -> Result<u8, JsonError> {
        let before = self.at;
        let Some(byte) = self.token() else {
            return Err(self.end(": expected close marker for Array or Object"));
        };
        if FACTS && self.at != before {
            *facts |= REWRITE;
        }
        Ok(byte)
    }

    /// Scans a key inside a container, notes what Jackson would write otherwise, and returns the value's first byte.
    #[inline]
    fn noted_key<const FACTS: bool>(&mut self, byte: u8, facts: &mut u8) -> Result<u8, JsonError> {
        if byte != b'"' {
            return Err(self.unexpected("was expecting double-quote to start field name"));
        }
        let key = self.string::<FACTS>()?;
        if FACTS {
            *facts |= key.facts & REWRITE;
            if self.is_repeated(key) {
                *facts |= REWRITE;
            }
        }
        if self.token_noting::<FACTS>(facts)? != b':' {
            return Err(self.unexpected("was expecting a colon to separate field name and value"));
        }
        self.at += 1;
        self.token_noting::<FACTS>(facts)
    }

    #[inline]
    fn enter<const FACTS: bool>(&mut self, is_object: bool) {
        if FACTS && is_object {
            self.scratch.objects.push(self.scratch.key_hashes.len());
        }
    }

    #[inline]
    fn leave<const FACTS: bool>(&mut self, is_object: bool) {
        if FACTS && is_object {
            let start = self.scratch.objects.pop().unwrap_or(0);
            self.scratch.key_hashes.truncate(start);
        }
    }

    /// Tells whether the innermost object may have had this key before. Equal hashes count as equal keys: that
    /// costs a needless rewrite, never a wrong one.
    #[inline]
    fn is_repeated(&mut self, key: Span) -> bool {
        let hash = key_hash(key.of(self.bytes));
        let start = self.scratch.objects.last().copied().unwrap_or(0);
        let earlier = &self.scratch.key_hashes[start..];
        let repeated = earlier.len() >= KEYS_COMPARED_MAX || earlier.contains(&hash);
        self.scratch.key_hashes.push(hash);
        repeated
    }

    fn character(&self) -> char {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let head = &rest[..rest.len().min(4)];
        head.utf8_chunks()
            .next()
            .and_then(|chunk| chunk.valid().chars().next())
            .unwrap_or('\u{fffd}')
    }

    fn fault(&self, fault: Fault) -> JsonError {
        JsonError {
            offset: self.at,
            fault,
        }
    }

    #[cold]
    fn end(&self, what: &'static str) -> JsonError {
        self.fault(Fault::End(what))
    }

    /// Returns the fault of the byte here; `wanted` says what was expected.
    #[cold]
    pub fn unexpected(&self, wanted: &'static str) -> JsonError {
        self.fault(Fault::Unexpected(self.character(), wanted))
    }

    #[cold]
    fn no_separator(&self, is_object: bool) -> JsonError {
        self.unexpected(if is_object {
            "was expecting comma to separate Object entries"
        } else {
            "was expecting comma to separate Array entries"
        })
    }

    #[cold]
    fn not_a_value(&self, byte: u8) -> JsonError {
        match byte {
            b'/' => self.unexpected(
                "maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)",
            ),
            _ if is_name_byte(byte) => self.fault(Fault::Token),
            _ => self.unexpected(
                "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            ),
        }
    }
}

fn closing(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// Tells whether a literal goes on with this byte, as in `nullx`.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Whether each of the containers around is an object; 64 of them without memory from the heap.
#[derive(Default)]
struct BitStack {
    bits: u64,
    depth: usize,
    spilled: Vec<u64>,
}

impl BitStack {
    #[inline]
    fn push(&mut self, bit: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.spilled.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(bit);
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) -> Option<bool> {
        if self.depth == 0 {
            return None;
        }
        let bit = self.bits & 1 == 1;
        self.bits >>= 1;
        self.depth -= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.spilled.pop().unwrap_or(0);
        }
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Span, JsonError> {
        let mut scratch = Scratch::default();
        Scanner::<true>::new(text.as_bytes(), 0, &mut scratch).value::<true>()
    }

    #[test]
    fn notes_what_jackson_would_write_otherwise() {
        for same in [
            r#"{"a":1,"b":[1,2.5,{"a":null}],"c":"x\"\\\n"}"#,
            "[]",
            "{}",
            "[[],{},[{}]]",
            "-1",
            "12345678901234567890",
            r#"[{"k":1},{"k":2}]"#,
        ] {
            assert!(!scan(same).expect(same).needs_rewrite(), "{same}");
        }
        for other in [
            r#"{"a": 1}"#,
            r#"{"a":1 }"#,
            "[ ]",
            r#"{"a":1.50}"#,
            r#"{"a":-0}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"x\/y"}"#,
            "{\"a\":\"x\ty\"}",
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
        ] {
            assert!(scan(other).expect(other).needs_rewrite(), "{other}");
        }
    }

    #[test]
    fn refuses_what_jackson_refuses() {
        for bad in [
            "",
            "{",
            "[",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "{,}",
            "01",
            "-",
            "1.",
            "1e",
            "+1",
            ".5",
            "nul",
            "nullx",
            "truefalse",
            "'a'",
            "{a:1}",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "{\"a\" 1}",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "NaN",
            "// c\n1",
        ] {
            assert!(scan(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn goes_as_deep_as_the_document() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(scan(&deep).expect("well formed").end, 200_000);
        let mixed = "{\"a\":[".repeat(5_000) + "1" + &"]}".repeat(5_000);
        assert!(scan(&mixed).is_ok());
        let crossed = "{\"a\":[".repeat(5_000) + "1" + &"]}".repeat(4_000) + "}]";
        assert!(scan(&crossed).is_err());
    }
}
