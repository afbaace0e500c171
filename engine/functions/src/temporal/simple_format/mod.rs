//! Patterns of `java.text.SimpleDateFormat`: what it prints and how leniently it reads.
//!
//! # Flink
//! FROM_UNIXTIME, UNIX_TIMESTAMP, CONVERT_TZ, TO_DATE with a format and DATE_FORMAT of text use it. The locale is
//! `en` with weeks that begin on Sunday.

mod parse;
mod print;
#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

use super::hybrid_calendar::hybrid_date;

/// The letters of a pattern.
const LETTERS: &[u8] = b"GyMdkHmsSEDFwWahKzZYuXL";

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// Text that stands for itself.
    Literal(String),
    /// A letter and how often it is repeated.
    Field(u8, usize),
}

/// A pattern that was read.
#[derive(Clone, Debug)]
pub(crate) struct SimpleFormat {
    items: Vec<Item>,
    /// Days since the epoch of the day 80 years ago, where the 100 years begin that two digits of a year mean.
    century_start: i64,
}

/// The pattern of functions that are given none.
pub(crate) const TIMESTAMP_PATTERN: &str = "yyyy-MM-dd HH:mm:ss";

impl SimpleFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none, in Java's words.
    pub(crate) fn compile(pattern: &str) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                quoted(&mut chars, &mut items)?;
            } else if c.is_ascii_alphabetic() {
                let letter = c as u8;
                if !LETTERS.contains(&letter) {
                    return Err(format!("Illegal pattern character '{c}'"));
                }
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if letter == b'X' && count > 3 {
                    return Err(format!("invalid ISO 8601 format: length={count}"));
                }
                items.push(Item::Field(letter, count));
            } else {
                push_literal(&mut items, c);
            }
        }
        Ok(Self {
            items,
            century_start: eighty_years_ago(),
        })
    }
}

/// Reads the text behind a quote; two quotes are one.
fn quoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    items: &mut Vec<Item>,
) -> Result<(), String> {
    if chars.next_if_eq(&'\'').is_some() {
        push_literal(items, '\'');
        return Ok(());
    }
    while let Some(c) = chars.next() {
        if c != '\'' {
            push_literal(items, c);
        } else if chars.next_if_eq(&'\'').is_some() {
            push_literal(items, '\'');
        } else {
            return Ok(());
        }
    }
    Err("Unterminated quote".to_owned())
}

fn push_literal(items: &mut Vec<Item>, c: char) {
    match items.last_mut() {
        Some(Item::Literal(text)) => text.push(c),
        _ => items.push(Item::Literal(c.to_string())),
    }
}

fn eighty_years_ago() -> i64 {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let today = i64::try_from(seconds / 86_400).unwrap_or(0);
    let (year, month, day) = hybrid_date(today);
    crate::cast::civil::days_from_date(year - 80, month, day)
}
