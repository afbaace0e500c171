//! Columns in the forms that Doris takes, whatever the body looks like.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, StringViewArray, TimestampMicrosecondArray};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use millrace_connector::physical::MICROSECOND_PRECISION_MAX;
use millrace_connector::{FlinkType, TypeKind};

const NANOS_PER_MICRO: i128 = 1000;

/// What is done to a column before it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Keep,
    /// Digits as text, since JSON readers take numbers for doubles. Its scale.
    DecimalToText(u8),
    /// Nanoseconds to microseconds: Doris has no more than 6 digits.
    NanosToMicros,
    /// An instant to the wall clock of the session's time zone: DATETIME has no zone.
    InstantToWall {
        is_nanos: bool,
    },
}

/// Returns the step for a column and the type that it then has, or why Doris cannot take it.
fn step(ty: &FlinkType) -> Result<(Step, FlinkType), String> {
    let micros = || TypeKind::Timestamp(MICROSECOND_PRECISION_MAX).with(ty.nullable);
    Ok(match &ty.kind {
        TypeKind::Decimal(_, scale) => (Step::DecimalToText(*scale), FlinkType::string()),
        TypeKind::Timestamp(p) if *p > MICROSECOND_PRECISION_MAX => (Step::NanosToMicros, micros()),
        TypeKind::TimestampLtz(p) if *p > MICROSECOND_PRECISION_MAX => {
            (Step::InstantToWall { is_nanos: true }, micros())
        }
        TypeKind::TimestampLtz(p) => (
            Step::InstantToWall { is_nanos: false },
            TypeKind::Timestamp(*p).with(ty.nullable),
        ),
        TypeKind::Time(_) => {
            return Err("Doris tables have no column of a time of day: CAST it to STRING".into());
        }
        kind if kind.is_interval() => {
            return Err(
                "Doris tables have no column of an interval: CAST it to BIGINT or STRING".into(),
            );
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            return Err(
                "Doris tables have no column of bytes: write TO_BASE64(…) or DECODE(…, 'UTF-8')"
                    .into(),
            );
        }
        TypeKind::Multiset(_) | TypeKind::Null => {
            return Err(format!("Doris tables have no column of type {ty}"));
        }
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Row(_) => {
            check_nested(ty)?;
            (Step::Keep, ty.clone())
        }
        _ => (Step::Keep, ty.clone()),
    })
}

/// Inside of arrays, maps and rows no step is taken, so types that need one are refused there.
fn check_nested(ty: &FlinkType) -> Result<(), String> {
    match &ty.kind {
        TypeKind::Array(element) => check_nested(element),
        TypeKind::Map(key, value) => check_nested(key).and_then(|()| check_nested(value)),
        TypeKind::Row(fields) => fields.iter().try_for_each(|field| check_nested(&field.ty)),
        _ => match step(ty)? {
            (Step::Keep | Step::DecimalToText(_), _) => Ok(()),
            _ => Err(format!(
                "{ty} inside of an array, map or row cannot be written to Doris yet"
            )),
        },
    }
}

trait WithNullable {
    fn with(self, nullable: bool) -> FlinkType;
}

impl WithNullable for TypeKind {
    fn with(self, nullable: bool) -> FlinkType {
        self.nullable().with_nullable(nullable)
    }
}

/// The columns of a table as they go into a body.
#[derive(Clone, Debug)]
pub(crate) struct RowForm {
    /// The columns by name, with the types that the file declares.
    declared: Vec<(String, FlinkType)>,
    steps: Vec<Step>,
    /// The types after the steps.
    types: Vec<FlinkType>,
    zone: TimeZone,
}

impl RowForm {
    /// Checks columns; each fault has the column's index.
    pub(crate) fn new(
        columns: &[(String, FlinkType)],
        zone: TimeZone,
    ) -> Result<Self, Vec<(usize, String)>> {
        let mut faults = Vec::new();
        let mut form = Self {
            declared: columns.to_vec(),
            steps: Vec::new(),
            types: Vec::new(),
            zone,
        };
        for (index, (_, ty)) in columns.iter().enumerate() {
            match step(ty) {
                Ok((step, ty)) => {
                    form.steps.push(step);
                    form.types.push(ty);
                }
                Err(why) => faults.push((index, why)),
            }
        }
        if faults.is_empty() {
            Ok(form)
        } else {
            Err(faults)
        }
    }

    /// Returns the columns with the types that the file declares.
    pub(crate) fn declared(&self) -> &[(String, FlinkType)] {
        &self.declared
    }

    /// Returns the columns with the types that [`RowForm::prepare`] gives them.
    pub(crate) fn prepared(&self) -> impl Iterator<Item = (&String, &FlinkType)> {
        self.declared.iter().map(|(name, _)| name).zip(&self.types)
    }

    /// Does each column's step.
    pub(crate) fn prepare(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        columns
            .iter()
            .zip(&self.steps)
            .map(|(column, step)| self.step(column, *step))
            .collect()
    }

    fn step(&self, column: &ArrayRef, step: Step) -> ArrayRef {
        match step {
            Step::Keep => Arc::clone(column),
            Step::DecimalToText(scale) => Arc::new(decimal_text(column, scale)),
            Step::NanosToMicros => Arc::new(nanos_to_micros(column)),
            Step::InstantToWall { is_nanos } => {
                let instants = if is_nanos {
                    nanos_to_micros(column)
                } else {
                    column.as_primitive::<TimestampMicrosecondType>().clone()
                };
                Arc::new(wall_clock(&instants, &self.zone))
            }
        }
    }
}

fn decimal_text(column: &ArrayRef, scale: u8) -> StringViewArray {
    let values = column.as_primitive::<Decimal128Type>();
    let mut builder = StringViewBuilder::with_capacity(values.len());
    let mut text = String::new();
    let unit = 10_u128.pow(u32::from(scale));
    for value in values {
        let Some(value) = value else {
            builder.append_null();
            continue;
        };
        text.clear();
        let sign = if value < 0 { "-" } else { "" };
        let digits = value.unsigned_abs();
        let written = if scale == 0 {
            write!(text, "{sign}{digits}")
        } else {
            let width = usize::from(scale);
            write!(text, "{sign}{}.{:0width$}", digits / unit, digits % unit)
        };
        written.expect("a String takes everything");
        builder.append_value(&text);
    }
    builder.finish()
}

fn nanos_to_micros(column: &ArrayRef) -> TimestampMicrosecondArray {
    column
        .as_primitive::<Decimal128Type>()
        .iter()
        .map(|nanos| {
            let micros = nanos?.div_euclid(NANOS_PER_MICRO);
            Some(i64::try_from(micros).expect("years up to 9999 fit 64 bits of microseconds"))
        })
        .collect()
}

/// Rows of a batch are mostly near each other in time, so the offset is looked up once for its span of validity.
fn wall_clock(instants: &TimestampMicrosecondArray, zone: &TimeZone) -> TimestampMicrosecondArray {
    let mut known: Option<(std::ops::Range<i64>, i64)> = None;
    instants
        .iter()
        .map(|instant| {
            let instant = instant?;
            let offset = match &known {
                Some((span, offset)) if span.contains(&instant) => *offset,
                _ => {
                    let (span, offset) = offset_at(instant, zone);
                    known = Some((span, offset));
                    offset
                }
            };
            Some(instant + offset)
        })
        .collect()
}

/// Returns the offset at an instant and when it holds, all in microseconds.
fn offset_at(instant: i64, zone: &TimeZone) -> (std::ops::Range<i64>, i64) {
    let Ok(at) = Timestamp::from_microsecond(instant) else {
        return (instant..instant, 0);
    };
    let offset = i64::from(zone.to_offset(at).seconds()) * 1_000_000;
    // `preceding` leaves out a change at the very instant that it is given.
    let since = at
        .checked_add(jiff::Span::new().microseconds(1))
        .unwrap_or(at);
    let before = zone.preceding(since).next();
    let after = zone.following(at).next();
    let start = before.map_or(i64::MIN, |change| change.timestamp().as_microsecond());
    let end = after.map_or(i64::MAX, |change| change.timestamp().as_microsecond());
    (start..end, offset)
}

#[cfg(test)]
mod tests {
    use millrace_connector::RowField;

    use super::*;

    #[test]
    fn refuses_types_that_doris_has_not() {
        let fault = |ty: FlinkType| RowForm::new(&[("a".into(), ty)], TimeZone::UTC).is_err();
        assert!(fault(FlinkType::bytes()));
        assert!(fault(TypeKind::Time(0).nullable()));
        let field = RowField {
            name: "x".into(),
            ty: TypeKind::TimestampLtz(3).nullable(),
        };
        assert!(fault(TypeKind::Row(vec![field]).nullable()));
        assert!(!fault(
            TypeKind::Array(Box::new(FlinkType::string())).nullable()
        ));
    }

    #[test]
    fn wall_clocks_follow_changes_of_the_offset() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // 2024-03-31 01:00 UTC: one hour forward.
        let change = 1_711_846_800_000_000_i64;
        let instants = TimestampMicrosecondArray::from(vec![
            change,
            change - 1,
            change + 1,
            change - 3_600_000_000,
        ]);
        let hours: Vec<i64> = instants
            .iter()
            .zip(&wall_clock(&instants, &zone))
            .map(|(instant, wall)| (wall.unwrap() - instant.unwrap()) / 3_600_000_000)
            .collect();
        assert_eq!(hours, [2, 1, 2, 1]);
    }
}
