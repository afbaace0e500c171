//! Rows as bodies of loads: JSON objects, one a row, with values in the forms that Doris takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int8Array, TimestampMicrosecondArray};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use millrace_connector::physical::MICROSECOND_PRECISION_MAX;
use millrace_connector::{ConnectorError, ErrorKind, FlinkType, Retry, RowKind, TypeKind};
use millrace_formats::{EncodedBatch, Encoder, FormatContext, FormatError, create_encoder};

/// The hidden column that marks a row of a UNIQUE table as deleted.
pub(crate) const DELETE_SIGN: &str = "__DORIS_DELETE_SIGN__";

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
    names: Vec<String>,
    steps: Vec<Step>,
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
            names: Vec::new(),
            steps: Vec::new(),
            types: Vec::new(),
            zone,
        };
        for (index, (name, ty)) in columns.iter().enumerate() {
            match step(ty) {
                Ok((step, ty)) => {
                    form.names.push(name.clone());
                    form.steps.push(step);
                    form.types.push(ty);
                }
                Err(why) => faults.push((index, why)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        match form.encoder(false) {
            Ok(_) => Ok(form),
            Err(FormatError::UnsupportedType { column, message }) => Err(vec![(column, message)]),
            Err(error) => Err(vec![(0, error.to_string())]),
        }
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    fn encoder(&self, has_sign: bool) -> Result<Box<dyn Encoder>, FormatError> {
        let names = self.names.iter().cloned();
        let mut schema: Vec<_> = names.zip(self.types.iter().cloned()).collect();
        if has_sign {
            schema.push((DELETE_SIGN.to_owned(), TypeKind::TinyInt.not_null()));
        }
        let options = BTreeMap::from([("encode.decimal-as-plain-number".into(), "true".into())]);
        create_encoder("json", &options, &schema, &FormatContext::default())
    }
}

/// Encodes batches for one lane.
pub(crate) struct RowEncoder {
    form: RowForm,
    encoder: Box<dyn Encoder>,
    /// Whether rows carry a delete sign; else only inserts can be written.
    has_sign: bool,
    table: String,
}

impl RowEncoder {
    pub(crate) fn new(form: &RowForm, has_sign: bool, table: String) -> Self {
        Self {
            encoder: form
                .encoder(has_sign)
                .expect("the form was checked when the table was"),
            form: form.clone(),
            has_sign,
            table,
        }
    }

    /// Replaces `out` by the rows of a batch.
    pub(crate) fn encode(
        &mut self,
        columns: &[ArrayRef],
        kinds: Option<&[RowKind]>,
        out: &mut EncodedBatch,
    ) -> Result<(), ConnectorError> {
        let mut prepared: Vec<ArrayRef> = columns
            .iter()
            .zip(&self.form.steps)
            .map(|(column, step)| self.prepare(column, *step))
            .collect();
        if self.has_sign {
            let rows = columns.first().map_or(0, |column| column.len());
            prepared.push(Arc::new(signs(kinds, rows)));
        } else if let Some(kind) = kinds
            .iter()
            .flat_map(|kinds| kinds.iter())
            .find(|kind| **kind != RowKind::Insert)
        {
            let text = format!("a row of kind {kind} cannot be written to '{}'", self.table);
            return Err(
                ConnectorError::new(ErrorKind::Config, Retry::Never, text).help(
                    "changes need a UNIQUE KEY table in Doris and 'sink.enable-delete' = 'true'",
                ),
            );
        }
        out.clear();
        self.encoder.encode(&prepared, None, out).map_err(|error| {
            let text = format!(
                "cannot write row {} of a batch to '{}': {}",
                error.row, self.table, error.reason
            );
            ConnectorError::new(ErrorKind::Data, Retry::Never, text)
        })
    }

    fn prepare(&self, column: &ArrayRef, step: Step) -> ArrayRef {
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
                Arc::new(wall_clock(&instants, &self.form.zone))
            }
        }
    }
}

fn signs(kinds: Option<&[RowKind]>, rows: usize) -> Int8Array {
    match kinds {
        None => Int8Array::from(vec![0; rows]),
        Some(kinds) => kinds
            .iter()
            .map(|kind| i8::from(matches!(kind, RowKind::Delete | RowKind::UpdateBefore)))
            .collect::<Vec<_>>()
            .into(),
    }
}

fn decimal_text(column: &ArrayRef, scale: u8) -> arrow_array::StringViewArray {
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
    use arrow_array::{Decimal128Array, Int64Array, StringViewArray};
    use millrace_connector::RowField;

    use super::*;

    fn encode(
        columns: &[(&str, FlinkType, ArrayRef)],
        kinds: Option<&[RowKind]>,
        has_sign: bool,
    ) -> String {
        let schema: Vec<_> = columns
            .iter()
            .map(|(name, ty, _)| ((*name).to_owned(), ty.clone()))
            .collect();
        let form = RowForm::new(&schema, TimeZone::get("Asia/Shanghai").unwrap()).unwrap();
        let arrays: Vec<_> = columns.iter().map(|column| Arc::clone(&column.2)).collect();
        let mut out = EncodedBatch::default();
        let mut encoder = RowEncoder::new(&form, has_sign, "t".into());
        encoder.encode(&arrays, kinds, &mut out).unwrap();
        let rows: Vec<_> = out
            .iter()
            .map(|row| String::from_utf8(row.unwrap().to_vec()).unwrap())
            .collect();
        rows.join("\n")
    }

    #[test]
    fn writes_values_as_doris_takes_them() {
        let micros = 1_709_267_696_789_000_i64;
        let columns = [
            (
                "id",
                TypeKind::BigInt.nullable(),
                Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef,
            ),
            (
                "amount",
                TypeKind::Decimal(18, 4).nullable(),
                Arc::new(
                    Decimal128Array::from(vec![-1250, 0])
                        .with_precision_and_scale(18, 4)
                        .unwrap(),
                ),
            ),
            (
                "at",
                TypeKind::TimestampLtz(3).nullable(),
                Arc::new(TimestampMicrosecondArray::from(vec![micros, 0])),
            ),
            (
                "fine",
                TypeKind::Timestamp(9).nullable(),
                Arc::new(
                    Decimal128Array::from(vec![i128::from(micros) * 1000 + 999, -1])
                        .with_precision_and_scale(38, 0)
                        .unwrap(),
                ),
            ),
            (
                "text",
                FlinkType::string(),
                Arc::new(StringViewArray::from(vec!["tab\t\"你", ""])),
            ),
        ];
        let kinds = [RowKind::UpdateAfter, RowKind::Delete];
        assert_eq!(
            encode(&columns, Some(&kinds), true),
            "{\"id\":1,\"amount\":\"-0.1250\",\"at\":\"2024-03-01 12:34:56.789\",\"fine\":\"2024-03-01 04:34:56.789\",\"text\":\"tab\\t\\\"你\",\"__DORIS_DELETE_SIGN__\":0}\n\
             {\"id\":null,\"amount\":\"0.0000\",\"at\":\"1970-01-01 08:00:00\",\"fine\":\"1969-12-31 23:59:59.999999\",\"text\":\"\",\"__DORIS_DELETE_SIGN__\":1}"
        );
    }

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
    fn without_a_sign_only_inserts_are_written() {
        let form =
            RowForm::new(&[("id".into(), TypeKind::BigInt.nullable())], TimeZone::UTC).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let mut encoder = RowEncoder::new(&form, false, "t".into());
        let error = encoder
            .encode(
                &[column],
                Some(&[RowKind::Delete]),
                &mut EncodedBatch::default(),
            )
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Config);
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
