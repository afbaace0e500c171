//! MySQL's words and functions for SQLite.

use std::cmp::Ordering;
use std::panic::{RefUnwindSafe, UnwindSafe};

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

use super::token::{Kind, Token};
use crate::value::scaled;

/// Writes a statement in SQLite's dialect.
pub(crate) fn to_sqlite(tokens: &[Token]) -> String {
    let mut sql = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is_apart || token.kind == Kind::Text {
            sql.push(' ');
        }
        let next_is_dual = tokens.get(at + 1).is_some_and(|next| next.is_word("DUAL"));
        match token.kind {
            Kind::Text => sql.push_str(&format!("'{}'", token.text.replace('\'', "''"))),
            Kind::Name => sql.push_str(&format!("`{}`", token.text.replace('`', "``"))),
            Kind::Word if token.is_word("FROM") && next_is_dual => at += 1,
            Kind::Word if token.is_word("STRING") && at > 0 && tokens[at - 1].is_word("AS") => {
                sql.push_str("TEXT");
            }
            Kind::Word if token.is_word("DIV") => sql.push('/'),
            Kind::Word if token.is_word("COUNT") => {
                if let Some(end) = distinct_list(&tokens[at..]) {
                    let inside = to_sqlite(&tokens[at + 3..at + end]);
                    sql.push_str(&format!("COUNT(DISTINCT row_key({inside}))"));
                    at += end;
                } else {
                    sql.push_str(&token.text);
                }
            }
            Kind::Sign => sql.push_str(match token.text.as_str() {
                "&&" => " AND ",
                "||" => " OR ",
                "<=>" => " IS ",
                "!" => " NOT ",
                "/" => " * 1.0 / ",
                other => other,
            }),
            _ => sql.push_str(&token.text),
        }
        at += 1;
    }
    sql
}

/// Returns where `COUNT(DISTINCT a, b)` ends, if it has more than one column.
fn distinct_list(tokens: &[Token]) -> Option<usize> {
    if !(tokens.get(1)?.is_sign("(") && tokens.get(2)?.is_word("DISTINCT")) {
        return None;
    }
    let (mut depth, mut has_comma) = (0, false);
    for (at, token) in tokens.iter().enumerate().skip(1) {
        if token.is_sign("(") {
            depth += 1;
        } else if token.is_sign(")") {
            depth -= 1;
            if depth == 0 {
                return has_comma.then_some(at);
            }
        } else if token.is_sign(",") && depth == 1 {
            has_comma = true;
        }
    }
    None
}

/// A decimal of any scale, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    unscaled: i128,
    scale: u32,
}

impl Exact {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let scale = match text.split_once('.') {
            Some((_, fraction)) => u32::try_from(fraction.len()).ok()?,
            None => 0,
        };
        let unscaled = if scale == 0 {
            text.parse().ok()?
        } else {
            text.replacen('.', "", 1).parse().ok()?
        };
        Some(Self { unscaled, scale })
    }

    fn at_scale(self, scale: u32) -> Option<i128> {
        self.unscaled
            .checked_mul(10_i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.at_scale(scale), other.at_scale(scale)) {
            (Some(left), Some(right)) => left.cmp(&right),
            #[expect(clippy::cast_precision_loss, reason = "numbers of 39 digits and more")]
            _ => {
                let real = |one: &Self| one.unscaled as f64 / 10_f64.powf(f64::from(one.scale));
                real(self).total_cmp(&real(other))
            }
        }
    }

    fn add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let unscaled = self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?;
        Some(Self { unscaled, scale })
    }
}

/// SUM without rounding, so long as no value is a double.
#[derive(Clone, Debug)]
enum Sum {
    Nothing,
    Exact(Exact),
    Real(f64),
}

struct ExactSum;

#[expect(clippy::cast_precision_loss, reason = "a sum with doubles is a double")]
fn real(exact: Exact) -> f64 {
    exact.unscaled as f64 / 10_f64.powf(f64::from(exact.scale))
}

impl Aggregate<Sum, Value> for ExactSum
where
    Sum: RefUnwindSafe + UnwindSafe,
{
    fn init(&self, _: &mut Context<'_>) -> Result<Sum> {
        Ok(Sum::Nothing)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Sum) -> Result<()> {
        let exact = match context.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Integer(value) => Ok(Exact {
                unscaled: i128::from(value),
                scale: 0,
            }),
            ValueRef::Real(value) => Err(value),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                Exact::parse(&text).ok_or_else(|| text.parse().unwrap_or(0.0))
            }
        };
        *sum = match (&sum, exact) {
            (Sum::Nothing, Ok(value)) => Sum::Exact(value),
            (Sum::Nothing, Err(value)) => Sum::Real(value),
            (Sum::Exact(so_far), Ok(value)) => match so_far.add(value) {
                Some(sum) => Sum::Exact(sum),
                None => Sum::Real(real(*so_far) + real(value)),
            },
            (Sum::Exact(so_far), Err(value)) => Sum::Real(real(*so_far) + value),
            (Sum::Real(so_far), Ok(value)) => Sum::Real(so_far + real(value)),
            (Sum::Real(so_far), Err(value)) => Sum::Real(so_far + value),
        };
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Sum>) -> Result<Value> {
        Ok(match sum {
            None | Some(Sum::Nothing) => Value::Null,
            Some(Sum::Real(value)) => Value::Real(value),
            Some(Sum::Exact(sum)) => match i64::try_from(sum.unscaled) {
                Ok(value) if sum.scale == 0 => Value::Integer(value),
                _ => Value::Text(scaled(sum.unscaled, sum.scale)),
            },
        })
    }
}

/// LIKE as in MySQL: by case, with a backslash before what is meant itself.
fn is_like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|skipped| is_like(&text[skipped..], rest)),
        ['_', rest @ ..] => !text.is_empty() && is_like(&text[1..], rest),
        ['\\', meant @ ('%' | '_' | '\\'), rest @ ..] | [meant, rest @ ..] => {
            text.first() == Some(meant) && is_like(&text[1..], rest)
        }
    }
}

/// Tells whether a text is like a pattern.
pub(crate) fn like(text: &str, pattern: &str) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<char>>();
    is_like(&characters(text), &characters(pattern))
}

fn text(context: &Context<'_>, at: usize) -> Option<String> {
    match context.get_raw(at) {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string()),
        ValueRef::Real(value) => Some(value.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// Adds what MySQL has and SQLite lacks or means otherwise.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("sum", 1, pure, ExactSum)?;
    connection.create_scalar_function("row_key", -1, pure, |context| {
        let parts: Option<Vec<String>> = (0..context.len()).map(|at| text(context, at)).collect();
        Ok(parts.map(|parts| serde_json::to_string(&parts).unwrap_or_default()))
    })?;
    connection.create_scalar_function("concat", -1, pure, |context| {
        let parts: Option<Vec<String>> = (0..context.len()).map(|at| text(context, at)).collect();
        Ok(parts.map(|parts| parts.concat()))
    })?;
    // X LIKE Y is like(Y, X).
    connection.create_scalar_function("like", 2, pure, |context| {
        let both = text(context, 1).zip(text(context, 0));
        Ok(both.map(|(text, pattern)| like(&text, &pattern)))
    })?;
    connection.create_scalar_function("length", 1, pure, |context| {
        Ok(text(context, 0).map(|text| i64::try_from(text.len()).unwrap_or(i64::MAX)))
    })?;
    connection.create_scalar_function("char_length", 1, pure, |context| {
        let length = |text: String| i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        Ok(text(context, 0).map(length))
    })?;
    for (name, from_end) in [("left", false), ("right", true)] {
        connection.create_scalar_function(name, 2, pure, move |context| {
            let wanted = usize::try_from(context.get::<i64>(1)?).unwrap_or(0);
            Ok(text(context, 0).map(|text| {
                let all = text.chars().count();
                let skipped = if from_end {
                    all.saturating_sub(wanted)
                } else {
                    0
                };
                text.chars().skip(skipped).take(wanted).collect::<String>()
            }))
        })?;
    }
    connection.create_scalar_function("now", 0, FunctionFlags::SQLITE_UTF8, |_| {
        let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
        Ok(now.strftime("%Y-%m-%d %H:%M:%S").to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    #[test]
    fn statements_are_written_anew() {
        let sql = "SELECT COUNT(DISTINCT a, f(b,c)), COUNT(DISTINCT a) FROM DUAL WHERE x = \"it's\" && y <=> NULL";
        let written = to_sqlite(&tokens(sql).unwrap());
        let words: Vec<&str> = written.split_whitespace().collect();
        assert_eq!(
            words.join(" "),
            "SELECT COUNT(DISTINCT row_key( a, f(b,c))), COUNT(DISTINCT a) WHERE x = 'it''s' AND y IS NULL"
        );
    }

    #[test]
    fn patterns_are_those_of_mysql() {
        for (text, pattern, expected) in [
            ("abc", "a%", true),
            ("abc", "A%", false),
            ("a_c", "a\\_c", true),
            ("abc", "a\\_c", false),
            ("", "%", true),
            ("你好", "_好", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn decimals_compare_as_numbers() {
        let exact = |text| Exact::parse(text).unwrap();
        assert_eq!(exact("10.00").compare(&exact("9.5")), Ordering::Greater);
        assert_eq!(exact("-0.50").compare(&exact("-0.5")), Ordering::Equal);
        assert!(Exact::parse("x").is_none());
    }
}
