//! Constants: their types and values.

use std::sync::Arc;

use arrow_array::builder::BinaryViewBuilder;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    Time32MillisecondArray, TimestampMicrosecondArray,
};
use millrace_connector::{DayTimeResolution, Diagnostic, Span, TypeKind, YearMonthResolution};
use millrace_sql::ast::{IntervalQualifier, Literal, TimeUnit};

use super::{Binder, null_literal, text_literal};
use millrace_program::{Expr, ExprKind, ExprRef};

/// The greatest precision of a TIMESTAMP constant; more digits are cut.
const TIMESTAMP_DIGITS_MAX: usize = 9;
const MILLIS_PER_DAY: i64 = 86_400_000;

impl Binder<'_> {
    pub(super) fn bind_literal(&mut self, literal: &Literal, span: Span) -> Option<ExprRef> {
        let constant = |value: ArrayRef, kind: TypeKind| {
            Expr::new(ExprKind::Literal(value), kind.not_null(), span)
        };
        let value = match literal {
            Literal::Exact(text) => exact(text, false).map(|(value, kind)| constant(value, kind)),
            Literal::Approximate(text) => {
                approximate(text, false).map(|(value, kind)| constant(value, kind))
            }
            Literal::String(text) => Ok(text_literal(text, span)),
            Literal::Binary(bytes) => {
                let mut builder = BinaryViewBuilder::new();
                builder.append_value(bytes);
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                Ok(constant(
                    Arc::new(builder.finish()),
                    TypeKind::Binary(length),
                ))
            }
            Literal::Date(text) => date(text)
                .map(|days| constant(Arc::new(Date32Array::from(vec![days])), TypeKind::Date))
                .ok_or_else(|| illegal("DATE", text, "yyyy-MM-dd")),
            Literal::Time(text) => time(text)
                .map(|(millis, digits)| {
                    constant(
                        Arc::new(Time32MillisecondArray::from(vec![millis])),
                        TypeKind::Time(digits.min(3)),
                    )
                })
                .ok_or_else(|| illegal("TIME", text, "HH:mm:ss")),
            Literal::Timestamp(text) => timestamp(text)
                .map(|(value, kind)| constant(value, kind))
                .ok_or_else(|| illegal("TIMESTAMP", text, "yyyy-MM-dd HH:mm:ss")),
            Literal::Interval {
                value,
                negative,
                qualifier,
            } => interval(value, *negative, qualifier).map(|(value, kind)| constant(value, kind)),
            Literal::Boolean(value) => Ok(constant(
                Arc::new(BooleanArray::from(vec![*value])),
                TypeKind::Boolean,
            )),
            Literal::Unknown => Ok(null_literal(&TypeKind::Boolean.nullable(), span)),
            Literal::Null => Ok(null_literal(&TypeKind::Null.nullable(), span)),
        };
        match value {
            Ok(expr) => Some(expr),
            Err(message) => self.report(Diagnostic::error("MR0407", message, span)),
        }
    }

    /// Binds `-` before a number.
    pub(super) fn bind_negative(&mut self, literal: &Literal, span: Span) -> Option<ExprRef> {
        let value = match literal {
            Literal::Exact(text) => exact(text, true),
            Literal::Approximate(text) => approximate(text, true),
            _ => unreachable!("the caller passes numbers only"),
        };
        match value {
            Ok((value, kind)) => Some(Expr::new(ExprKind::Literal(value), kind.not_null(), span)),
            Err(message) => self.report(Diagnostic::error("MR0407", message, span)),
        }
    }
}

fn illegal(kind: &str, text: &str, form: &str) -> String {
    format!("illegal {kind} literal '{text}': not in format '{form}'")
}

/// # Flink
/// INT or BIGINT by size; with a point followed by digits, DECIMAL of as many digits as are written.
fn exact(text: &str, negative: bool) -> Result<(ArrayRef, TypeKind), String> {
    let out_of_range = || format!("numeric literal '{text}' out of range");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: i128 = format!("0{whole}{fraction}")
        .parse()
        .map_err(|_| out_of_range())?;
    let value = if negative { -digits } else { digits };
    if fraction.is_empty() {
        return if let Ok(value) = i32::try_from(value) {
            Ok((Arc::new(Int32Array::from(vec![value])), TypeKind::Int))
        } else if let Ok(value) = i64::try_from(value) {
            Ok((Arc::new(Int64Array::from(vec![value])), TypeKind::BigInt))
        } else {
            Err(out_of_range())
        };
    }
    let precision = whole.len() + fraction.len();
    let (Ok(precision), Ok(scale)) = (u8::try_from(precision), i8::try_from(fraction.len())) else {
        return Err(out_of_range());
    };
    if precision > 38 {
        return Err(out_of_range());
    }
    let array = Decimal128Array::from(vec![value])
        .with_precision_and_scale(precision, scale)
        .map_err(|_| out_of_range())?;
    Ok((
        Arc::new(array),
        TypeKind::Decimal(precision, scale.unsigned_abs()),
    ))
}

fn approximate(text: &str, negative: bool) -> Result<(ArrayRef, TypeKind), String> {
    let value: f64 = text
        .parse()
        .map_err(|_| format!("'{text}' is not a number"))?;
    // Flink keeps constants as BigDecimal, which has no negative zero.
    let value = if negative && value != 0.0 {
        -value
    } else {
        value
    };
    Ok((Arc::new(Float64Array::from(vec![value])), TypeKind::Double))
}

/// Returns the days since the epoch of `yyyy-MM-dd`.
fn date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let mut number = |digits: usize| {
        let part = parts.next()?;
        let plain =
            !part.is_empty() && part.len() <= digits && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse::<i16>().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let date =
        jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since((jiff::Unit::Day, epoch))
        .ok()
        .map(|span| span.get_days())
}

/// Returns the milliseconds of `HH:mm:ss[.fff]` and how many digits the fraction has.
fn time(text: &str) -> Option<(i32, u8)> {
    let (nanos, digits) = time_of_day(text)?;
    Some((i32::try_from(nanos / 1_000_000).ok()?, digits))
}

fn time_of_day(text: &str) -> Option<(i64, u8)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let mut number = |max: i64| {
        let part = parts.next()?;
        let value: i64 = (!part.is_empty() && part.len() <= 2).then(|| part.parse().ok())??;
        (0..=max).contains(&value).then_some(value)
    };
    let seconds = number(23)? * 3600 + number(59)? * 60 + number(59)?;
    if parts.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let cut = &fraction[..fraction.len().min(TIMESTAMP_DIGITS_MAX)];
    let nanos: i64 = format!("{cut:0<9}").parse().ok()?;
    Some((
        seconds * 1_000_000_000 + nanos,
        u8::try_from(cut.len()).ok()?,
    ))
}

fn timestamp(text: &str) -> Option<(ArrayRef, TypeKind)> {
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (day, clock.trim_start()),
        None => (text, "00:00:00"),
    };
    let days = i128::from(date(day)?);
    let (nanos, digits) = time_of_day(clock)?;
    let nanos = days * i128::from(MILLIS_PER_DAY) * 1_000_000 + i128::from(nanos);
    let kind = TypeKind::Timestamp(digits);
    let value: ArrayRef = if digits <= millrace_connector::physical::MICROSECOND_PRECISION_MAX {
        Arc::new(TimestampMicrosecondArray::from(vec![
            i64::try_from(nanos / 1_000).ok()?,
        ]))
    } else {
        Arc::new(
            Decimal128Array::from(vec![nanos])
                .with_precision_and_scale(38, 0)
                .ok()?,
        )
    };
    Some((value, kind))
}

/// Flink's type of every day-time interval, whatever its fields.
fn day_time() -> TypeKind {
    TypeKind::IntervalDayTime(DayTimeResolution::Second, 2, 3)
}

/// Flink's type of every year-month interval, whatever its fields.
fn year_month() -> TypeKind {
    TypeKind::IntervalYearMonth(YearMonthResolution::Month, 2)
}

fn interval(
    text: &str,
    negative: bool,
    qualifier: &IntervalQualifier,
) -> Result<(ArrayRef, TypeKind), String> {
    let (inner_negative, digits) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim().strip_prefix('+').unwrap_or(text.trim())),
    };
    let sign = if negative == inner_negative { 1 } else { -1 };
    let value = interval_value(digits, qualifier)?;
    let overflow = || format!("interval '{text}' is out of range");
    if is_year_month(qualifier.start) {
        let months = i32::try_from(sign * value).map_err(|_| overflow())?;
        return Ok((Arc::new(Int32Array::from(vec![months])), year_month()));
    }
    let millis = i64::try_from(sign * value).map_err(|_| overflow())?;
    Ok((Arc::new(Int64Array::from(vec![millis])), day_time()))
}

fn is_year_month(unit: TimeUnit) -> bool {
    matches!(unit, TimeUnit::Year | TimeUnit::Quarter | TimeUnit::Month)
}

/// Returns how many months or milliseconds a unit has, and the separator before its field.
fn unit_of(unit: TimeUnit) -> Option<(i128, char, i128)> {
    Some(match unit {
        TimeUnit::Year => (12, ' ', i128::MAX),
        TimeUnit::Quarter => (3, ' ', i128::MAX),
        TimeUnit::Month => (1, '-', 11),
        TimeUnit::Week => (7 * i128::from(MILLIS_PER_DAY), ' ', i128::MAX),
        TimeUnit::Day => (i128::from(MILLIS_PER_DAY), ' ', i128::MAX),
        TimeUnit::Hour => (3_600_000, ' ', 23),
        TimeUnit::Minute => (60_000, ':', 59),
        TimeUnit::Second => (1_000, ':', 59),
        _ => return None,
    })
}

const DAY_TIME_FIELDS: &[TimeUnit] = &[
    TimeUnit::Day,
    TimeUnit::Hour,
    TimeUnit::Minute,
    TimeUnit::Second,
];

/// Returns the fields from the leading to the trailing one.
fn fields(qualifier: &IntervalQualifier) -> Vec<TimeUnit> {
    let Some(end) = qualifier.end else {
        return vec![qualifier.start];
    };
    if is_year_month(qualifier.start) {
        return vec![TimeUnit::Year, TimeUnit::Month];
    }
    let position = |unit: TimeUnit| DAY_TIME_FIELDS.iter().position(|field| *field == unit);
    match (position(qualifier.start), position(end)) {
        (Some(first), Some(last)) if first <= last => DAY_TIME_FIELDS[first..=last].to_vec(),
        _ => vec![qualifier.start],
    }
}

fn interval_value(text: &str, qualifier: &IntervalQualifier) -> Result<i128, String> {
    let fields = fields(qualifier);
    let form = || format!("illegal INTERVAL literal '{text}': its fields do not fit its qualifier");
    let mut rest = text;
    let mut total: i128 = 0;
    for (index, field) in fields.iter().enumerate() {
        let (factor, separator, max) = unit_of(*field).ok_or_else(form)?;
        if index > 0 {
            rest = rest.strip_prefix(separator).ok_or_else(form)?.trim_start();
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value: i128 = rest[..digits].parse().map_err(|_| form())?;
        rest = &rest[digits..];
        if index == 0 {
            let precision = qualifier.start_precision.unwrap_or(2) as usize;
            if value.to_string().len() > precision {
                return Err(format!(
                    "interval field value {value} exceeds precision of its field: {precision} digits"
                ));
            }
        } else if value > max {
            return Err(form());
        }
        total += value * factor;
        if *field == TimeUnit::Second && rest.starts_with('.') {
            let fraction = &rest[1..];
            if fraction.is_empty()
                || fraction.len() > 9
                || !fraction.bytes().all(|b| b.is_ascii_digit())
            {
                return Err(form());
            }
            let nanos: i128 = format!("{fraction:0<9}").parse().map_err(|_| form())?;
            total += nanos / 1_000_000;
            rest = "";
        }
    }
    if rest.is_empty() {
        Ok(total)
    } else {
        Err(form())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(text: &str) -> String {
        exact(text, false).map_or_else(|error| error, |(_, kind)| kind.to_string())
    }

    #[test]
    fn numbers_are_typed_by_their_digits() {
        assert_eq!(kind_of("1"), "INT");
        assert_eq!(kind_of("1."), "INT");
        assert_eq!(kind_of("100000000000"), "BIGINT");
        assert_eq!(kind_of(".5"), "DECIMAL(1, 1)");
        assert_eq!(kind_of("0.05"), "DECIMAL(3, 2)");
        assert_eq!(
            kind_of("99999999999999999999"),
            "numeric literal '99999999999999999999' out of range"
        );
    }

    #[test]
    fn dates_exist_or_are_refused() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("1969-12-31"), Some(-1));
        assert_eq!(date("2024-02-30"), None);
        assert_eq!(time("25:00:00"), None);
        assert_eq!(time("00:00:01.5"), Some((1500, 1)));
    }
}
