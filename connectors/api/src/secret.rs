//! Secrets in text: which names have secret values, and where such values stand.
//!
//! A text may be wrong in any way when it is shown, so nothing is parsed: whatever follows a name of a secret and `=` is
//! taken for its value, and whatever stands before the `@` of an address for its user and password.

use std::borrow::Cow;
use std::ops::Range;

/// Parts of names that have secret values.
const PARTS: [&str; 17] = [
    "password",
    "passwd",
    "pasword",
    "passwort",
    "passphrase",
    "secret",
    "credential",
    "jaas",
    "token",
    "private-key",
    "private.key",
    "access-key",
    "access.key",
    "accesskey",
    "api-key",
    "api.key",
    "keystore.key",
];
/// Names that misspelt ones are compared with.
const NEAR: [&str; 3] = ["password", "secret-key", "sasl.jaas.config"];
/// From here on a name counts as misspelt.
const LIKENESS: f64 = 0.75;

/// Tells whether an option, a setting or a variable of this name has a secret value; misspelt names count too.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let last = lower.rsplit(['.', '-']).next().unwrap_or(&lower);
    PARTS.iter().any(|part| lower.contains(part))
        || matches!(last, "pwd" | "pass" | "pw")
        || NEAR.iter().any(|known| {
            strsim::normalized_damerau_levenshtein(&lower, known) >= LIKENESS
                || strsim::normalized_damerau_levenshtein(last, known) >= LIKENESS
        })
}

/// Returns where secret values stand in a text, in order, none within another.
#[must_use]
pub fn secret_spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    values(text, &mut spans);
    addresses(text, &mut spans);
    spans.sort_by_key(|span| (span.start, span.end));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => apart.push(span),
        }
    }
    apart
}

/// Returns the text with an asterisk for each byte of secret values, so that places in it stay the same.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let spans = secret_spans(text);
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        shown.push_str(&text[from..span.start]);
        for byte in text[span.clone()].bytes() {
            shown.push(if byte == b'\n' { '\n' } else { '*' });
        }
        from = span.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// Finds what follows names of secrets.
fn values(text: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_of_name(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_of_name(bytes[at]) {
            at += 1;
        }
        if let Some(value) = value_behind(text, at)
            && is_secret(&text[start..at])
            && !value.is_empty()
        {
            at = value.end;
            spans.push(value);
        }
    }
}

/// Returns the value that follows a name which ends at `at`.
fn value_behind(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let skip = |mut at: usize, also: &[u8]| {
        loop {
            let rest = &text[at..];
            let comment = if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2)
            } else if rest.starts_with("--") {
                rest.find('\n')
            } else {
                None
            };
            match (comment, bytes.get(at)) {
                (Some(length), _) => at += length,
                (None, Some(byte)) if byte.is_ascii_whitespace() || also.contains(byte) => at += 1,
                _ => return at,
            }
        }
    };
    let sign = skip(at, b"'\"`\\");
    if !matches!(bytes.get(sign), Some(b'=' | b':')) {
        return None;
    }
    let mut begin = skip(sign + 1, b"=\\");
    let quote = *bytes.get(begin)?;
    if !matches!(quote, b'\'' | b'"' | b'`') {
        let ends = |c: char| c.is_whitespace() || ",;)&'\"`".contains(c);
        let rest = &text[begin..];
        let end = rest.find(ends).unwrap_or(rest.len());
        return Some(begin..begin + end);
    }
    begin += 1;
    let mut end = begin;
    while let Some(byte) = bytes.get(end) {
        match (*byte == quote, bytes.get(end + 1) == Some(&quote)) {
            (true, true) => end += 2,
            (true, false) => break,
            (false, _) => end += 1,
        }
    }
    Some(begin..end.min(bytes.len()))
}

/// Finds `user:password` and keys before the `@` of addresses.
fn addresses(text: &str, spans: &mut Vec<Range<usize>>) {
    let ends = |c: char| c.is_whitespace() || "/'\"`,;()<>?#=".contains(c);
    for (at, _) in text.match_indices('@') {
        let before = &text[..at];
        let start = before
            .char_indices()
            .rev()
            .find(|(_, c)| ends(*c))
            .map_or(0, |(place, c)| place + c.len_utf8());
        let user = &text[start..at];
        let is_address = user.contains(':') || text[..start].ends_with("://");
        if is_address && !user.is_empty() {
            spans.push(start..at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secrets_are_masked_in_whatever_text() {
        for (text, expected) in [
            ("'password'='S3','x'='y'", "'password'='**','x'='y'"),
            ("'password' = 'a''b' , 'z'", "'password' = '****' , 'z'"),
            ("'password'=\n 'S3' x", "'password'=\n '**' x"),
            (
                "'password' = /* it's */ 'S3'",
                "'password' = /* it's */ '**'",
            ),
            ("-- don't\n'password'='S3'", "-- don't\n'password'='**'"),
            (
                "'topic='t','s3.secret-key'='S3'",
                "'topic='t','s3.secret-key'='**'",
            ),
            ("'pasword'='S3'", "'pasword'='**'"),
            ("'passwrd' = 'S3'", "'passwrd' = '**'"),
            ("'password='S3'", "'password='**'"),
            ("password'='S3 never closed", "password'='***************"),
            (
                "SET s3.secret-key = S3; SET a = b",
                "SET s3.secret-key = **; SET a = b",
            ),
            (
                "'properties.sasl.jaas.config'='x required username=\"u\" password=\"p\";'",
                "'properties.sasl.jaas.config'='*************************************'",
            ),
            ("config: password=\"p;q\" x", "config: password=\"***\" x"),
            ("\"password\": \"S3\"", "\"password\": \"**\""),
            (
                "jdbc:mysql://h/d?user=u&password=S3&x=y",
                "jdbc:mysql://h/d?user=u&password=**&x=y",
            ),
            (
                "'fenodes'='root:S3@h:80,u:p@i:1'",
                "'fenodes'='*******@h:80,***@i:1'",
            ),
            ("s3://KEY@bucket/x", "s3://***@bucket/x"),
            ("http://u:p/q@h", "http://u:p/q@h"),
            ("'password'='密'", "'password'='***'"),
            ("mail a@b and 'x'='y'", "mail a@b and 'x'='y'"),
            ("'password'=''", "'password'=''"),
            (
                "'key.fields'='id','format'='json'",
                "'key.fields'='id','format'='json'",
            ),
        ] {
            assert_eq!(masked(text), expected, "{text}");
            assert_eq!(masked(text).len(), text.len(), "{text}");
        }
    }
}
