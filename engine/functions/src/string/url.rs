//! PARSE_URL, URL_ENCODE and URL_DECODE.
//!
//! # Flink
//! `SqlFunctionUtils.parseUrl`: what `java.net.URL` does not read gives NULL, as does an unknown part. With a key
//! the part must be QUERY; keys are compared as they stand, nothing is decoded.

use std::borrow::Cow;

use arrow_array::ArrayRef;
use millrace_connector::FlinkType;

use super::java_url::JavaUrl;
use super::kernel::{BatchKernel, Texts};
use super::signature::{Param, check};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `PARSE_URL`.
pub(crate) static PARSE_URL: FunctionDef = FunctionDef {
    name: "PARSE_URL",
    aliases: &[],
    category: Category::String,
    signatures: &["PARSE_URL(url STRING, part STRING [, key STRING]) → STRING"],
    doc: "Returns a part of a URL: HOST, PATH, QUERY, REF, PROTOCOL, FILE, AUTHORITY or USERINFO.\n\
          With a key, the value of that key in the QUERY.\n\
          A text that is no URL, a part it lacks, an unknown part and NULL give NULL.",
    examples: &[
        ("PARSE_URL('http://h.com/p?k1=v1', 'HOST')", "h.com"),
        ("PARSE_URL('http://h.com/p?k1=v1', 'QUERY', 'k1')", "v1"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("PARSE_URL", args, &[Param::Text; 3], 1)?,
            return_type: FlinkType::string(),
            kernel: BatchKernel::infallible("PARSE_URL", parse_url),
        })
    },
};

/// `URL_ENCODE`.
pub(crate) static URL_ENCODE: FunctionDef = FunctionDef {
    name: "URL_ENCODE",
    aliases: &[],
    category: Category::String,
    signatures: &["URL_ENCODE(string STRING) → STRING"],
    doc: "Returns the text as `application/x-www-form-urlencoded` in UTF-8.\nNULL gives NULL.\n\
          Flink has it from 1.20 on.",
    examples: &[("URL_ENCODE('a b&c')", "a+b%26c")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        bind("URL_ENCODE", args, |text| {
            Some(Cow::Owned(url_encoded(text)))
        })
    },
};

/// `URL_DECODE`.
pub(crate) static URL_DECODE: FunctionDef = FunctionDef {
    name: "URL_DECODE",
    aliases: &[],
    category: Category::String,
    signatures: &["URL_DECODE(string STRING) → STRING"],
    doc: "Returns the text that is written as `application/x-www-form-urlencoded` in UTF-8.\n\
          A broken escape and NULL give NULL.\nFlink has it from 1.20 on.",
    examples: &[("URL_DECODE('a+b%26c')", "a b&c")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("URL_DECODE", args, url_decoded),
};

fn bind(
    name: &'static str,
    args: &[Arg],
    map: for<'a> fn(&'a str) -> Option<Cow<'a, str>>,
) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check(name, args, &[Param::Text], 0)?,
        return_type: FlinkType::string(),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let mut out = TextBuilder::new(rows);
            for row in 0..rows {
                out.push_option(texts.get(row).and_then(map).as_deref());
            }
            out.finish()
        }),
    })
}

fn parse_url(args: &[Column], rows: usize) -> ArrayRef {
    let urls = Texts::new(&args[0]);
    let parts = Texts::new(&args[1]);
    let keys = args.get(2).map(Texts::new);
    let mut out = TextBuilder::new(rows);
    for row in 0..rows {
        let value = urls
            .get(row)
            .zip(parts.get(row))
            .and_then(|(url, part)| match &keys {
                Some(keys) => query_value(url, part, keys.get(row)?),
                None => url_part(url, part),
            });
        out.push_option(value.as_deref());
    }
    out.finish()
}

fn url_part(url: &str, part: &str) -> Option<String> {
    let url = JavaUrl::parse(url)?;
    match part {
        "HOST" => Some(url.host),
        "PATH" => Some(url.path),
        "QUERY" => url.query,
        "REF" => url.reference,
        "PROTOCOL" => Some(url.protocol),
        "FILE" => Some(url.file()),
        "AUTHORITY" => url.authority,
        "USERINFO" => url.user_info,
        _ => None,
    }
}

fn query_value(url: &str, part: &str, key: &str) -> Option<String> {
    if part != "QUERY" {
        return None;
    }
    let query = JavaUrl::parse(url)?.query?;
    query.split('&').find_map(|pair| {
        let value = pair.strip_prefix(key)?.strip_prefix('=')?;
        Some(value.to_owned())
    })
}

/// `java.net.URLEncoder`.
fn url_encoded(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                result.push(char::from(byte));
            }
            b' ' => result.push('+'),
            _ => result.push_str(&format!("%{byte:02X}")),
        }
    }
    result
}

/// `java.net.URLDecoder`, whose errors are NULL.
fn url_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit()? * 16 + digit()?;
                bytes.push(u8::try_from(value).expect("two hexadecimal digits"));
            }
            _ => bytes.push(byte),
        }
    }
    Some(Cow::Owned(super::charset::decode_utf8(&bytes).into_owned()))
}
