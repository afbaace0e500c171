//! Literals, and the checks that Flink's parser makes of them.

use millrace_connector::{Diagnostic, Span, Spanned};

use super::{Failed, Parse, Parser};
use crate::ast::{Expr, ExprKind, IntervalQualifier, Literal, TimeUnit};
use crate::lexer::{TextPrefix, TokenKind};

impl Parser<'_> {
    /// Reads a string literal and the pieces that go on in the next lines.
    pub(super) fn text_value(&mut self) -> Parse<Spanned<String>> {
        self.text_unless(|_| false)
    }

    /// Reads an option's value: a string before `=` in the next line is the next key, behind a missing comma.
    pub(super) fn option_value(&mut self) -> Parse<Spanned<String>> {
        self.text_unless(|parser| parser.is_symbol_at(1, "="))
    }

    fn text_unless(&mut self, ends: impl Fn(&Self) -> bool) -> Parse<Spanned<String>> {
        let start = self.peek().span;
        let TokenKind::Text(prefix, mut value) = self.advance().kind else {
            return Err(self.unexpected("a string"));
        };
        if prefix == TextPrefix::Binary {
            return Err(self.illegal(start, "a string without X is expected here"));
        }
        while matches!(self.peek().kind, TokenKind::Text(TextPrefix::None, _))
            && self.at_line_start()
            && !ends(self)
        {
            if let TokenKind::Text(_, piece) = self.advance().kind {
                value.push_str(&piece);
            }
        }
        let span = self.since(start);
        if prefix == TextPrefix::Unicode {
            value = self.unicode(&value, span)?;
        }
        Ok(Spanned::new(value, span))
    }

    fn illegal(&mut self, span: Span, message: impl Into<String>) -> Failed {
        self.report(Diagnostic::error("MR0215", message, span))
    }

    /// Decodes the `\XXXX` of `U&'…' [UESCAPE 'c']`.
    fn unicode(&mut self, value: &str, span: Span) -> Parse<String> {
        let mut escape = '\\';
        if self.eat_word("UESCAPE") {
            let text = self.string("the escape character in quotes")?;
            let mut chars = text.value.chars();
            escape = match (chars.next(), chars.next()) {
                (Some(c), None) => c,
                _ => return Err(self.illegal(text.span, "the escape character is one character")),
            };
        }
        let mut units: Vec<u16> = Vec::with_capacity(value.len());
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            if c != escape {
                units.extend(c.encode_utf16(&mut [0; 2]).iter());
                continue;
            }
            let rest = chars.as_str();
            if rest.starts_with(escape) {
                chars.next();
                units.extend(escape.encode_utf16(&mut [0; 2]).iter());
                continue;
            }
            let unit = rest
                .get(..4)
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|digits| u16::from_str_radix(digits, 16).ok());
            let Some(unit) = unit else {
                return Err(self.illegal(
                    span,
                    format!("`{escape}` must be followed by four hex digits"),
                ));
            };
            units.push(unit);
            chars = rest[4..].chars();
        }
        Ok(String::from_utf16_lossy(&units))
    }

    /// Reads a literal, if one begins here.
    pub(super) fn literal(&mut self) -> Parse<Option<Expr>> {
        let token = self.peek().clone();
        let literal = match token.kind {
            TokenKind::Exact => {
                self.advance();
                Literal::Exact(self.source(token.span).to_owned())
            }
            TokenKind::Approximate => {
                self.advance();
                Literal::Approximate(self.source(token.span).to_owned())
            }
            TokenKind::Text(TextPrefix::Binary, digits) => {
                self.advance();
                Literal::Binary(self.hex_bytes(&digits, token.span)?)
            }
            TokenKind::Text(..) => Literal::String(self.text_value()?.value),
            TokenKind::Word => match self.word_literal()? {
                Some(literal) => literal,
                None => return Ok(None),
            },
            TokenKind::Symbol("{") => self.jdbc_literal()?,
            _ => return Ok(None),
        };
        Ok(Some(Expr::new(
            ExprKind::Literal(literal),
            self.since(token.span),
        )))
    }

    fn word_literal(&mut self) -> Parse<Option<Literal>> {
        let Some(word) = self.word_at(0) else {
            return Ok(None);
        };
        let text_follows = matches!(self.peek_at(1).kind, TokenKind::Text(..));
        let literal = match word.to_ascii_uppercase().as_str() {
            "TRUE" => Literal::Boolean(true),
            "FALSE" => Literal::Boolean(false),
            "UNKNOWN" => Literal::Unknown,
            "NULL" => Literal::Null,
            "DATE" | "TIME" | "TIMESTAMP" if text_follows => {
                return self.datetime(&word.to_ascii_uppercase()).map(Some);
            }
            "INTERVAL" => return self.interval().map(Some),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }

    /// Reads `{d '…'}`, `{t '…'}`, `{ts '…'}`.
    fn jdbc_literal(&mut self) -> Parse<Literal> {
        self.expect_symbol("{")?;
        let kind = match self.word_at(0).map(str::to_ascii_lowercase).as_deref() {
            Some("d") => "DATE",
            Some("t") => "TIME",
            Some("ts") => "TIMESTAMP",
            _ => return Err(self.unexpected("d, t or ts")),
        };
        let literal = self.datetime(kind)?;
        self.expect_symbol("}")?;
        Ok(literal)
    }

    fn hex_bytes(&mut self, digits: &str, span: Span) -> Parse<Vec<u8>> {
        let nibbles: Option<Vec<u8>> = digits
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        match nibbles {
            Some(nibbles) if nibbles.len() % 2 == 0 => Ok(nibbles
                .chunks(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect()),
            Some(_) => Err(self.illegal(span, "a binary literal has an even number of hex digits")),
            None => Err(self.illegal(span, "a binary literal consists of hex digits")),
        }
    }

    /// Reads `DATE|TIME|TIMESTAMP '…'`; the text is checked and brought into its full form.
    fn datetime(&mut self, kind: &str) -> Parse<Literal> {
        self.advance();
        let text = self.string("a text in quotes")?;
        let (checked, format) = match kind {
            "DATE" => (date(&text.value).map(Literal::Date), "yyyy-MM-dd"),
            "TIME" => (time(&text.value).map(Literal::Time), "HH:mm:ss"),
            _ => (
                timestamp(&text.value).map(Literal::Timestamp),
                "yyyy-MM-dd HH:mm:ss",
            ),
        };
        checked.ok_or_else(|| {
            let message = format!("'{}' is no {kind}: the format is '{format}'", text.value);
            self.illegal(text.span, message)
        })
    }

    fn interval(&mut self) -> Parse<Literal> {
        self.expect_word("INTERVAL")?;
        let negative = self.eat_symbol("-");
        if !negative {
            self.eat_symbol("+");
        }
        if self.peek().kind == TokenKind::Exact {
            let span = self.peek().span;
            let number = self.source(span).to_owned();
            return Err(self.report(
                Diagnostic::error("MR0215", "the number of an interval stands in quotes", span)
                    .help(format!("write INTERVAL '{number}' …")),
            ));
        }
        let value = self.string("a number in quotes")?;
        let qualifier = self.interval_qualifier()?;
        if !interval_fits(&value.value, &qualifier) {
            let message = format!("'{}' does not fit the units of this interval", value.value);
            return Err(self.illegal(value.span, message));
        }
        Ok(Literal::Interval {
            value: value.value,
            negative,
            qualifier,
        })
    }

    /// Reads `unit[(p)] [TO unit[(p)]]`.
    pub(super) fn interval_qualifier(&mut self) -> Parse<IntervalQualifier> {
        let first = self.peek().span;
        let start = self.interval_unit()?;
        let mut start_precision = None;
        let mut fraction_precision = None;
        if self.eat_symbol("(") {
            start_precision = Some(self.unit_precision()?);
            if start == TimeUnit::Second && self.eat_symbol(",") {
                fraction_precision = Some(self.unit_precision()?);
            }
            self.expect_symbol(")")?;
        }
        let mut end = None;
        if self.at_word("TO") {
            self.advance();
            let span = self.peek().span;
            let unit = self.interval_unit()?;
            let allowed = match start {
                TimeUnit::Year => unit == TimeUnit::Month,
                TimeUnit::Month | TimeUnit::Second => false,
                _ => unit_rank(unit) > unit_rank(start) && unit != TimeUnit::Month,
            };
            if !allowed {
                return Err(self.illegal(
                    span,
                    "an interval does not go from the first unit to this one",
                ));
            }
            if unit == TimeUnit::Second && self.eat_symbol("(") {
                fraction_precision = Some(self.unit_precision()?);
                self.expect_symbol(")")?;
            }
            end = Some(unit);
        }
        Ok(IntervalQualifier {
            start,
            start_precision,
            end,
            fraction_precision,
            span: self.since(first),
        })
    }

    fn unit_precision(&mut self) -> Parse<u32> {
        let token = self.peek().clone();
        if token.kind != TokenKind::Exact {
            return Err(self.unexpected("a precision"));
        }
        self.advance();
        match self.source(token.span).parse::<u32>() {
            Ok(value) if value <= 10 => Ok(value),
            _ => Err(self.illegal(token.span, "the precision is at most 10")),
        }
    }

    fn interval_unit(&mut self) -> Parse<TimeUnit> {
        let unit = match self.word_at(0).map(str::to_ascii_uppercase).as_deref() {
            Some("YEAR" | "YEARS") => TimeUnit::Year,
            Some("MONTH" | "MONTHS") => TimeUnit::Month,
            Some("DAY" | "DAYS") => TimeUnit::Day,
            Some("HOUR" | "HOURS") => TimeUnit::Hour,
            Some("MINUTE" | "MINUTES") => TimeUnit::Minute,
            Some("SECOND" | "SECONDS") => TimeUnit::Second,
            _ => return Err(self.unexpected("YEAR, MONTH, DAY, HOUR, MINUTE or SECOND")),
        };
        self.advance();
        Ok(unit)
    }
}

fn unit_rank(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Year => 0,
        TimeUnit::Month => 1,
        TimeUnit::Day => 2,
        TimeUnit::Hour => 3,
        TimeUnit::Minute => 4,
        _ => 5,
    }
}

/// Tells whether the text has as many numbers as the qualifier has units.
fn interval_fits(text: &str, qualifier: &IntervalQualifier) -> bool {
    let text = text.trim();
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let last = qualifier.end.unwrap_or(qualifier.start);
    let parts = 1 + unit_rank(last) - unit_rank(qualifier.start);
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if last == TimeUnit::Second => (whole, Some(fraction)),
        _ => (text, None),
    };
    let numbers: Vec<&str> = whole.split([' ', ':', '-']).collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.len() == usize::from(parts)
        && numbers.iter().all(|number| digits(number))
        && fraction.is_none_or(digits)
}

/// Reads `count` numbers between separators, each of 1 to 4 digits.
fn numbers<const COUNT: usize>(text: &str, separator: char) -> Option<[u32; COUNT]> {
    let mut values = [0; COUNT];
    let mut parts = text.split(separator);
    for value in &mut values {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn date(text: &str) -> Option<String> {
    let [year, month, day] = numbers(text, '-')?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days)
        .contains(&day)
        .then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn time(text: &str) -> Option<String> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let [hour, minute, second] = numbers(whole, ':')?;
    let digits = fraction.is_none_or(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    if hour > 23 || minute > 59 || second > 59 || !digits {
        return None;
    }
    let mut full = format!("{hour:02}:{minute:02}:{second:02}");
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        full.push('.');
        full.push_str(fraction);
    }
    Some(full)
}

fn timestamp(text: &str) -> Option<String> {
    match text.split_once(' ') {
        Some((day, clock)) => Some(format!("{} {}", date(day)?, time(clock.trim_start())?)),
        None => Some(format!("{} 00:00:00", date(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_literals_are_checked_and_completed() {
        assert_eq!(date("2024-2-9").as_deref(), Some("2024-02-09"));
        for bad in ["2024-02-30", "2024-13-01", "2024-01", "x", "2024-01-01 "] {
            assert_eq!(date(bad), None, "{bad}");
        }
        assert_eq!(time("1:2:3.5").as_deref(), Some("01:02:03.5"));
        assert_eq!(time("25:00:00"), None);
        assert_eq!(
            timestamp("2024-02-29 12:00:00.123456789").as_deref(),
            Some("2024-02-29 12:00:00.123456789")
        );
        assert_eq!(timestamp("2023-02-29 12:00:00"), None);
    }
}
