//! `fields.<column>.*` and the rest of a table's options.

use std::time::Duration;

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

/// The words behind `fields.<column>.`.
const WORDS: [&str; 7] = ["kind", "min", "max", "max-past", "length", "start", "end"];

fn unknown_fields(table: &TableDefinition, options: &Options) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (rest, _) in options.with_prefix("fields.") {
        let key = format!("fields.{rest}");
        let Some(span) = options.key_span(&key) else {
            continue;
        };
        let Some((column, word)) = rest.rsplit_once('.') else {
            faults.push(unknown(
                &key,
                span,
                "write fields.<column>.<word>".to_owned(),
            ));
            continue;
        };
        if !table.columns.iter().any(|known| known.name.value == column) {
            faults.push(unknown(
                &key,
                span,
                format!("the table has no column '{column}'"),
            ));
        } else if !WORDS.contains(&word) {
            faults.push(unknown(
                &key,
                span,
                format!("'{word}' is none of {}", WORDS.join(", ")),
            ));
        }
    }
    faults
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
    let number = |word: &str| number::<f64>(options, &key(word));
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
                min: number("min")?,
                max: number("max")?,
                max_past: options.duration(&key("max-past")).unwrap_or_default(),
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

fn number<T: std::str::FromStr>(
    options: &Options,
    key: &str,
) -> Result<Option<T>, Box<Diagnostic>> {
    number_or(options, key, |text| text.parse().ok())
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
            &format!("'{text}' is not a number"),
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
