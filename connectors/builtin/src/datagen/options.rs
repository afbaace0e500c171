//! `fields.<column>.*` and the rest of a table's options.

use std::time::Duration;

use millrace_connector::grammar::parse_duration;
use millrace_connector::{
    Diagnostic, FlinkType, OptionDef, OptionKind, Options, TableDefinition, TypeKind, check_options,
};

use super::{DatagenSpec, is_made};

/// Flink's default of `fields.<column>.length`.
const LENGTH_DEFAULT: usize = 100;
/// The longest text or list that is made.
const LENGTH_MAX: usize = 1 << 20;

const fn option(key: &'static str, kind: OptionKind, doc: &'static str) -> OptionDef {
    OptionDef {
        key,
        kind,
        default: None,
        required: false,
        secret: false,
        doc,
    }
}

/// What a table may say.
pub(crate) static OPTIONS: &[OptionDef] = &[
    OptionDef {
        required: true,
        ..OptionDef::text("connector", "which connector: 'datagen'")
    },
    OptionDef {
        default: Some("10000"),
        ..option(
            "rows-per-second",
            OptionKind::Integer,
            "how many rows are made in a second",
        )
    },
    option(
        "number-of-rows",
        OptionKind::Integer,
        "how many rows are made in all; without it, rows without end",
    ),
    option(
        "fields.",
        OptionKind::Prefix,
        "fields.<column>.kind = random or sequence; for random .min, .max, .max-past, .length; for sequence .start, .end",
    ),
];

/// How the values of a column are made.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The column's type.
    pub(crate) ty: FlinkType,
    /// Its kind.
    pub(crate) how: How,
}

/// How values are made.
#[derive(Clone, Debug)]
pub(crate) enum How {
    /// `start`, `start + 1` … `end`.
    Sequence { start: i64, end: i64 },
    /// By chance.
    Random(Range),
}

/// What chance is bound by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    /// The least number.
    pub(crate) min: Option<f64>,
    /// The greatest number.
    pub(crate) max: Option<f64>,
    /// How far in the past a timestamp may lie.
    pub(crate) max_past: Duration,
    /// How long texts and lists are.
    pub(crate) length: usize,
}

impl Field {
    /// Returns how many values there are, if they end.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.how {
            How::Sequence { start, end } => Some(u64::try_from(end - start + 1).unwrap_or(0)),
            How::Random(_) => None,
        }
    }
}

/// Returns the validated table, or everything that is wrong with it.
pub(crate) fn parse(table: &TableDefinition) -> Result<DatagenSpec, Vec<Diagnostic>> {
    let definitions: Vec<_> = OPTIONS
        .iter()
        .map(|def| (def.key.to_owned(), *def))
        .collect();
    let options = check_options(table, &definitions, "datagen")?;
    let mut faults = unknown_fields(table, &options);
    let mut fields = Vec::new();
    for column in &table.columns {
        if is_made(&column.kind) {
            match field(&column.name.value, &column.ty, &options) {
                Ok(field) => fields.push(Some(field)),
                Err(fault) => faults.push(*fault),
            }
        } else {
            fields.push(None);
        }
    }
    let positive = |key: &str| {
        options
            .integer(key)
            .map(|value| u64::try_from(value).unwrap_or(0))
    };
    if faults.is_empty() {
        Ok(DatagenSpec {
            rows_per_second: positive("rows-per-second").unwrap_or(10_000).max(1),
            rows_max: positive("number-of-rows"),
            fields,
        })
    } else {
        Err(faults)
    }
}

/// Returns the words behind `fields.<column>.` that mean something for a column.
///
/// # Flink
/// `RandomGeneratorVisitor` and `SequenceGeneratorVisitor`, 1.17: what no generator asks for is an unsupported option.
fn words(kind: &TypeKind, is_sequence: bool) -> &'static [&'static str] {
    use TypeKind as K;
    if is_sequence {
        return &["kind", "start", "end"];
    }
    match kind {
        K::TinyInt
        | K::SmallInt
        | K::Int
        | K::BigInt
        | K::Float
        | K::Double
        | K::Decimal(..)
        | K::IntervalYearMonth(..)
        | K::IntervalDayTime(..) => &["kind", "min", "max"],
        K::Char(_)
        | K::Varchar(_)
        | K::Binary(_)
        | K::Varbinary(_)
        | K::Array(_)
        | K::Map(..)
        | K::Multiset(_) => &["kind", "length"],
        K::Timestamp(_) | K::TimestampLtz(_) => &["kind", "max-past"],
        K::Boolean | K::Date | K::Time(_) | K::Row(_) | K::Null => &["kind"],
    }
}

fn unknown_fields(table: &TableDefinition, options: &Options) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (rest, _) in options.with_prefix("fields.") {
        let key = format!("fields.{rest}");
        let Some(span) = options.key_span(&key) else {
            continue;
        };
        let why = match rest.rsplit_once('.') {
            None => Some("write fields.<column>.<word>".to_owned()),
            Some((name, word)) => {
                let column = table
                    .columns
                    .iter()
                    .find(|column| column.name.value == name);
                match column.filter(|column| is_made(&column.kind)) {
                    None => Some(not_a_column(table, name)),
                    Some(column) => unfit_word(&column.ty.kind, name, word, options),
                }
            }
        };
        faults.extend(why.map(|why| unknown(&key, span, why)));
    }
    faults
}

fn unfit_word(kind: &TypeKind, name: &str, word: &str, options: &Options) -> Option<String> {
    let is_sequence = options.text(&format!("fields.{name}.kind")) == Some("sequence");
    let words = words(kind, is_sequence);
    (!words.contains(&word)).then(|| {
        let how = if is_sequence {
            "in sequence"
        } else {
            "at random"
        };
        format!("a {kind} {how} takes: {}", words.join(", "))
    })
}

fn not_a_column(table: &TableDefinition, name: &str) -> String {
    let outer = name.split('.').next().unwrap_or_default();
    let is_inside = table
        .columns
        .iter()
        .any(|column| column.name.value == outer);
    if is_inside && outer != name {
        return format!("options for what is inside of '{outer}' are not there yet");
    }
    format!("the table makes no column '{name}'")
}

fn unknown(key: &str, span: millrace_connector::Span, why: String) -> Diagnostic {
    Diagnostic::error(
        "MR0103",
        format!("unknown option '{key}' for connector 'datagen'"),
        span,
    )
    .label(why)
}

fn field(name: &str, ty: &FlinkType, options: &Options) -> Result<Field, Box<Diagnostic>> {
    let key = |word: &str| format!("fields.{name}.{word}");
    let bound = |word: &str| bound(ty, options, &key(word));
    let whole = |word: &str| number_or(options, &key(word), |text| text.parse::<i64>().ok());
    let bad = |word: &str, why: &str| Box::new(bad(options, &key(word), why));
    let kind = options.text(&key("kind")).unwrap_or("random");
    let how = match kind {
        "sequence" => {
            let start =
                whole("start")?.ok_or_else(|| bad("kind", "a sequence needs 'start' and 'end'"))?;
            let end =
                whole("end")?.ok_or_else(|| bad("kind", "a sequence needs 'start' and 'end'"))?;
            if end < start {
                return Err(bad("end", "the end lies before the start"));
            }
            if !(ty.kind.is_numeric() || ty.kind.is_character()) {
                return Err(bad("kind", "only numbers and texts can be a sequence"));
            }
            How::Sequence { start, end }
        }
        "random" => {
            let length = whole("length")?.map_or(default_length(&ty.kind), |length| {
                usize::try_from(length).unwrap_or(0)
            });
            if length > LENGTH_MAX {
                return Err(bad("length", "that is too long"));
            }
            How::Random(Range {
                min: bound("min")?,
                max: bound("max")?,
                max_past: past(options, &key("max-past"))?,
                length,
            })
        }
        _ => return Err(bad("kind", "write 'random' or 'sequence'")),
    };
    Ok(Field {
        ty: ty.clone(),
        how,
    })
}

fn default_length(kind: &TypeKind) -> usize {
    match kind {
        TypeKind::Char(length) | TypeKind::Binary(length) => (*length as usize).min(LENGTH_MAX),
        TypeKind::Varchar(length) | TypeKind::Varbinary(length) => {
            (*length as usize).min(LENGTH_DEFAULT)
        }
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) => 3,
        _ => LENGTH_DEFAULT,
    }
}

/// Returns the least or the greatest number: one of the column's own type.
fn bound(ty: &FlinkType, options: &Options, key: &str) -> Result<Option<f64>, Box<Diagnostic>> {
    let whole = |bits: u32| {
        let max = i64::MAX >> (64 - bits);
        number_or(options, key, |text| {
            let value: i64 = text.parse().ok()?;
            (-max - 1..=max).contains(&value).then_some(value as f64)
        })
    };
    match ty.kind {
        TypeKind::TinyInt => whole(8),
        TypeKind::SmallInt => whole(16),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => whole(32),
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => whole(64),
        _ => number_or(options, key, |text| text.parse().ok()),
    }
}

fn past(options: &Options, key: &str) -> Result<Duration, Box<Diagnostic>> {
    match options.text(key).map(parse_duration) {
        None => Ok(Duration::ZERO),
        Some(Ok(past)) => Ok(past),
        Some(Err(why)) => Err(Box::new(bad(options, key, &why))),
    }
}

fn number_or<T>(
    options: &Options,
    key: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Box<Diagnostic>> {
    let Some(text) = options.text(key) else {
        return Ok(None);
    };
    match parse(text.trim()) {
        Some(value) => Ok(Some(value)),
        None => Err(Box::new(bad(
            options,
            key,
            &format!("'{text}' is no number of the column's type"),
        ))),
    }
}

fn bad(options: &Options, key: &str, why: &str) -> Diagnostic {
    let message = format!("bad value for option '{key}'");
    match options.span(key) {
        Some(span) => Diagnostic::error("MR0102", message, span).label(why.to_owned()),
        None => Diagnostic::global("MR0102", format!("{message}: {why}")),
    }
}
