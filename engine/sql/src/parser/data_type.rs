//! Types: Flink's names, parameters and constructors.

use millrace_connector::{
    DECIMAL_PRECISION_MAX, DayTimeResolution, Diagnostic, FlinkType, LENGTH_MAX, RowField, Span,
    Spanned, TypeKind, YearMonthResolution, did_you_mean,
};

use super::{Failed, Parse, Parser};
use crate::ast::TimeUnit;
use crate::lexer::TokenKind;

/// The names of types, for suggestions.
const TYPE_NAMES: &[&str] = &[
    "ARRAY",
    "BIGINT",
    "BINARY",
    "BOOLEAN",
    "BYTES",
    "CHAR",
    "CHARACTER",
    "DATE",
    "DEC",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "INTERVAL",
    "MAP",
    "MULTISET",
    "NUMERIC",
    "ROW",
    "SMALLINT",
    "STRING",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TINYINT",
    "VARBINARY",
    "VARCHAR",
];
const TIMESTAMP_PRECISION: u8 = 6;
const DECIMAL_PRECISION: u8 = 10;
const FRACTION_PRECISION: u8 = 6;
const YEAR_OR_DAY_PRECISION: u8 = 2;

impl Parser<'_> {
    /// Reads a type with its nullability.
    pub(super) fn data_type(&mut self) -> Parse<Spanned<FlinkType>> {
        self.nested(|parser| {
            let start = parser.peek().span;
            let mut ty = parser.type_name()?;
            parser.nullability(&mut ty)?;
            loop {
                if parser.eat_word("ARRAY") {
                    ty = TypeKind::Array(Box::new(ty)).nullable();
                } else if parser.eat_word("MULTISET") {
                    ty = TypeKind::Multiset(Box::new(ty)).nullable();
                } else {
                    break;
                }
                parser.nullability(&mut ty)?;
            }
            Ok(Spanned::new(ty, parser.since(start)))
        })
    }

    fn nullability(&mut self, ty: &mut FlinkType) -> Parse<()> {
        if self.at_word("NOT") && self.is_word_at(1, "NULL") {
            self.at += 2;
            ty.nullable = false;
        } else if !self.at_words(&["NULL", "ON"]) {
            // `NULL ON EMPTY` behind RETURNING is no part of the type.
            self.eat_word("NULL");
        }
        Ok(())
    }

    fn type_name(&mut self) -> Parse<FlinkType> {
        let start = self.peek().span;
        let Some(word) = self.word_at(0) else {
            return Err(self.unexpected("a type"));
        };
        let upper = word.to_ascii_uppercase();
        if !TYPE_NAMES.contains(&upper.as_str()) {
            return Err(self.unknown_type(word, start));
        }
        self.advance();
        let kind = match upper.as_str() {
            "BOOLEAN" => TypeKind::Boolean,
            "TINYINT" => TypeKind::TinyInt,
            "SMALLINT" => TypeKind::SmallInt,
            "INT" | "INTEGER" => TypeKind::Int,
            "BIGINT" => TypeKind::BigInt,
            "FLOAT" => TypeKind::Float,
            "DOUBLE" => {
                self.eat_word("PRECISION");
                TypeKind::Double
            }
            "DATE" => TypeKind::Date,
            "STRING" => TypeKind::Varchar(LENGTH_MAX),
            "BYTES" => TypeKind::Varbinary(LENGTH_MAX),
            "CHAR" | "CHARACTER" if !self.eat_word("VARYING") => TypeKind::Char(self.length(1)?),
            "VARCHAR" | "CHAR" | "CHARACTER" => TypeKind::Varchar(self.length(LENGTH_MAX)?),
            "BINARY" if !self.eat_word("VARYING") => TypeKind::Binary(self.length(1)?),
            "VARBINARY" | "BINARY" => TypeKind::Varbinary(self.length(LENGTH_MAX)?),
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "TIME" => {
                let precision = self.precision(0)?;
                self.eat_words(&["WITHOUT", "TIME", "ZONE"]);
                TypeKind::Time(precision)
            }
            "TIMESTAMP_LTZ" => TypeKind::TimestampLtz(self.precision(TIMESTAMP_PRECISION)?),
            "TIMESTAMP" => self.timestamp()?,
            "INTERVAL" => self.interval_type()?,
            "ARRAY" => TypeKind::Array(Box::new(self.type_arguments(1, start)?.remove(0))),
            "MULTISET" => TypeKind::Multiset(Box::new(self.type_arguments(1, start)?.remove(0))),
            "MAP" => {
                let mut arguments = self.type_arguments(2, start)?;
                let value = arguments.pop().expect("two arguments were read");
                let key = arguments.pop().expect("two arguments were read");
                TypeKind::Map(Box::new(key), Box::new(value))
            }
            _ => self.row_type()?,
        };
        Ok(kind.nullable())
    }

    fn unknown_type(&mut self, word: &str, span: Span) -> Failed {
        let known_elsewhere = match word.to_ascii_uppercase().as_str() {
            "TEXT" | "LONGTEXT" | "NVARCHAR" | "JSON" | "UUID" => Some("STRING"),
            "DATETIME" => Some("TIMESTAMP(3)"),
            "LONG" | "INT8" | "BIGSERIAL" => Some("BIGINT"),
            "REAL" | "FLOAT4" => Some("FLOAT"),
            "BOOL" => Some("BOOLEAN"),
            "BLOB" | "BYTEA" => Some("BYTES"),
            "NUMBER" => Some("DECIMAL(p, s)"),
            "TIMESTAMPTZ" => Some("TIMESTAMP_LTZ(3)"),
            _ => None,
        };
        let meant = known_elsewhere.or_else(|| did_you_mean(word, TYPE_NAMES.iter().copied()));
        let diagnostic =
            Diagnostic::error("MR0214", format!("`{word}` is no type of Flink SQL"), span)
                .label("unknown type");
        self.report(match meant {
            Some(meant) => diagnostic.help(format!("did you mean {meant}?")),
            None => diagnostic.help("types are STRING, INT, BIGINT, DECIMAL(p, s), TIMESTAMP(p) …"),
        })
    }

    /// Reads an unsigned number between `(` and what follows it.
    fn type_parameter(&mut self, what: &str, min: u32, max: u32) -> Parse<u32> {
        let token = self.peek().clone();
        if token.kind != TokenKind::Exact {
            return Err(self.unexpected(what));
        }
        self.advance();
        match self.source(token.span).parse::<u32>() {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(self.report(
                Diagnostic::error(
                    "MR0216",
                    format!("{what} must be between {min} and {max}"),
                    token.span,
                )
                .label("out of range"),
            )),
        }
    }

    fn small_parameter(&mut self, what: &str, min: u8, max: u8) -> Parse<u8> {
        let value = self.type_parameter(what, min.into(), max.into())?;
        Ok(u8::try_from(value).expect("it was checked against a u8"))
    }

    fn length(&mut self, default: u32) -> Parse<u32> {
        if !self.at_symbol("(") {
            return Ok(default);
        }
        let open = self.advance().span;
        let length = self.type_parameter("the length", 1, LENGTH_MAX)?;
        self.expect_close(")", open)?;
        Ok(length)
    }

    fn precision(&mut self, default: u8) -> Parse<u8> {
        if !self.at_symbol("(") {
            return Ok(default);
        }
        let open = self.advance().span;
        let precision = self.small_parameter("the precision", 0, 9)?;
        self.expect_close(")", open)?;
        Ok(precision)
    }

    fn decimal(&mut self) -> Parse<TypeKind> {
        if !self.at_symbol("(") {
            return Ok(TypeKind::Decimal(DECIMAL_PRECISION, 0));
        }
        let open = self.advance().span;
        let precision = self.small_parameter("the precision", 1, DECIMAL_PRECISION_MAX)?;
        let scale = if self.eat_symbol(",") {
            self.small_parameter("the scale", 0, precision)?
        } else {
            0
        };
        self.expect_close(")", open)?;
        Ok(TypeKind::Decimal(precision, scale))
    }

    fn timestamp(&mut self) -> Parse<TypeKind> {
        let precision = self.precision(TIMESTAMP_PRECISION)?;
        if self.eat_words(&["WITHOUT", "TIME", "ZONE"]) {
            return Ok(TypeKind::Timestamp(precision));
        }
        if self.eat_words(&["WITH", "LOCAL", "TIME", "ZONE"]) {
            return Ok(TypeKind::TimestampLtz(precision));
        }
        if self.at_words(&["WITH", "TIME", "ZONE"]) {
            let span = self.peek().span.to(self.peek_at(2).span);
            return Err(self.report(
                Diagnostic::error("MR0214", "Flink SQL has no TIMESTAMP WITH TIME ZONE", span)
                    .help("write TIMESTAMP_LTZ(p): an instant, shown in the session's time zone"),
            ));
        }
        Ok(TypeKind::Timestamp(precision))
    }

    fn interval_type(&mut self) -> Parse<TypeKind> {
        let qualifier = self.interval_qualifier()?;
        let small = |value: Option<u32>, default: u8| {
            value.map_or(default, |value| u8::try_from(value).unwrap_or(u8::MAX))
        };
        let first = small(qualifier.start_precision, YEAR_OR_DAY_PRECISION);
        let fraction = small(qualifier.fraction_precision, FRACTION_PRECISION);
        use DayTimeResolution as D;
        use TimeUnit as U;
        let resolution = match (qualifier.start, qualifier.end) {
            (U::Year, None) => {
                return Ok(TypeKind::IntervalYearMonth(
                    YearMonthResolution::Year,
                    first,
                ));
            }
            (U::Year, Some(_)) => {
                return Ok(TypeKind::IntervalYearMonth(
                    YearMonthResolution::YearToMonth,
                    first,
                ));
            }
            (U::Month, _) => {
                return Ok(TypeKind::IntervalYearMonth(
                    YearMonthResolution::Month,
                    first,
                ));
            }
            (U::Day, None) => D::Day,
            (U::Day, Some(U::Hour)) => D::DayToHour,
            (U::Day, Some(U::Minute)) => D::DayToMinute,
            (U::Day, Some(_)) => D::DayToSecond,
            (U::Hour, None) => D::Hour,
            (U::Hour, Some(U::Minute)) => D::HourToMinute,
            (U::Hour, Some(_)) => D::HourToSecond,
            (U::Minute, None) => D::Minute,
            (U::Minute, Some(_)) => D::MinuteToSecond,
            _ => D::Second,
        };
        Ok(TypeKind::IntervalDayTime(resolution, first, fraction))
    }

    /// Reads `<type, …>` with `count` types.
    fn type_arguments(&mut self, count: usize, name: Span) -> Parse<Vec<FlinkType>> {
        if !self.at_symbol("<") {
            let written = self.source(name).to_ascii_uppercase();
            let example = if count == 1 {
                "STRING"
            } else {
                "STRING, STRING"
            };
            return Err(self.report(
                Diagnostic::error(
                    "MR0214",
                    format!("{written} needs the types of its elements"),
                    name,
                )
                .help(format!("write {written}<{example}>")),
            ));
        }
        self.advance();
        let mut arguments = vec![self.data_type()?.value];
        while arguments.len() < count {
            self.expect_symbol(",")?;
            arguments.push(self.data_type()?.value);
        }
        self.expect_angle_close()?;
        Ok(arguments)
    }

    fn expect_angle_close(&mut self) -> Parse<()> {
        self.expect_symbol(">").map(|_| ())
    }

    /// Reads what follows ROW: `<name type, …>` or `(name type, …)`.
    fn row_type(&mut self) -> Parse<TypeKind> {
        if self.eat_symbol("<>") {
            return Ok(TypeKind::Row(Vec::new()));
        }
        let close = if self.eat_symbol("<") {
            ">"
        } else {
            self.expect_symbol("(")?;
            ")"
        };
        let mut fields = Vec::new();
        while !self.at_symbol(close) {
            fields.push(self.row_field(fields.len())?);
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.expect_symbol(close)?;
        Ok(TypeKind::Row(fields))
    }

    fn row_field(&mut self, index: usize) -> Parse<RowField> {
        let named = self.at_ident();
        let name = if named {
            self.ident("a field name")?.value
        } else if self.word_at(1).is_some()
            && !self.is_word_at(1, "NOT")
            && !self.is_word_at(1, "NULL")
        {
            return Err(self.not_a_name("a field name"));
        } else {
            format!("f{index}")
        };
        let ty = self.data_type()?.value;
        if matches!(self.peek().kind, TokenKind::Text(..)) {
            self.string("a comment")?;
        }
        Ok(RowField { name, ty })
    }
}
