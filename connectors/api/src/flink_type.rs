//! Flink SQL's types.

use std::fmt;

/// A Flink type with its nullability.
///
/// # Flink
/// `org.apache.flink.table.types.logical.LogicalType`, 1.17.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlinkType {
    /// What kind of value it is.
    pub kind: TypeKind,
    /// Whether NULL is a value of it.
    pub nullable: bool,
}

/// What kind of value a type holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// `CHAR(n)`, n in 1..=2147483647 (0 only for the literal `''`).
    Char(u32),
    /// `VARCHAR(n)`; `STRING` is `VARCHAR(2147483647)`.
    Varchar(u32),
    /// `BOOLEAN`.
    Boolean,
    /// `BINARY(n)`.
    Binary(u32),
    /// `VARBINARY(n)`; `BYTES` is `VARBINARY(2147483647)`.
    Varbinary(u32),
    /// `DECIMAL(precision, scale)`, precision 1..=38, scale 0..=precision.
    Decimal(u8, u8),
    /// `TINYINT`.
    TinyInt,
    /// `SMALLINT`.
    SmallInt,
    /// `INT`.
    Int,
    /// `BIGINT`.
    BigInt,
    /// `FLOAT`.
    Float,
    /// `DOUBLE`.
    Double,
    /// `DATE`.
    Date,
    /// `TIME(p)`, p in 0..=9; values have at most milliseconds.
    Time(u8),
    /// `TIMESTAMP(p)`, without time zone, p in 0..=9.
    Timestamp(u8),
    /// `TIMESTAMP_LTZ(p)`, an instant shown in the session's zone, p in 0..=9.
    TimestampLtz(u8),
    /// `INTERVAL YEAR TO MONTH` and its parts.
    IntervalYearMonth(YearMonthResolution, u8),
    /// `INTERVAL DAY TO SECOND` and its parts: resolution, day precision, fraction precision.
    IntervalDayTime(DayTimeResolution, u8, u8),
    /// `ARRAY<t>`.
    Array(Box<FlinkType>),
    /// `MAP<k, v>`.
    Map(Box<FlinkType>, Box<FlinkType>),
    /// `MULTISET<t>`.
    Multiset(Box<FlinkType>),
    /// `ROW<name type, …>`.
    Row(Vec<RowField>),
    /// The type of an untyped `NULL`.
    Null,
}

/// A field of a ROW type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowField {
    /// The field's name.
    pub name: String,
    /// The field's type.
    pub ty: FlinkType,
}

/// Which fields a year-month interval has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum YearMonthResolution {
    /// `YEAR`.
    Year,
    /// `YEAR TO MONTH`.
    YearToMonth,
    /// `MONTH`.
    Month,
}

/// Which fields a day-time interval has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayTimeResolution {
    /// `DAY`.
    Day,
    /// `DAY TO HOUR`.
    DayToHour,
    /// `DAY TO MINUTE`.
    DayToMinute,
    /// `DAY TO SECOND`.
    DayToSecond,
    /// `HOUR`.
    Hour,
    /// `HOUR TO MINUTE`.
    HourToMinute,
    /// `HOUR TO SECOND`.
    HourToSecond,
    /// `MINUTE`.
    Minute,
    /// `MINUTE TO SECOND`.
    MinuteToSecond,
    /// `SECOND`.
    Second,
}

/// The greatest length of CHAR, VARCHAR, BINARY and VARBINARY.
pub const LENGTH_MAX: u32 = i32::MAX as u32;
/// The greatest precision of DECIMAL.
pub const DECIMAL_PRECISION_MAX: u8 = 38;

impl TypeKind {
    /// Returns the nullable type of this kind.
    #[must_use]
    pub fn nullable(self) -> FlinkType {
        FlinkType {
            kind: self,
            nullable: true,
        }
    }

    /// Returns the NOT NULL type of this kind.
    #[must_use]
    pub fn not_null(self) -> FlinkType {
        FlinkType {
            kind: self,
            nullable: false,
        }
    }

    /// Tells whether it is CHAR or VARCHAR.
    #[must_use]
    pub fn is_character(&self) -> bool {
        matches!(self, Self::Char(_) | Self::Varchar(_))
    }

    /// Tells whether it is BINARY or VARBINARY.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_) | Self::Varbinary(_))
    }

    /// Tells whether it is one of the four integer types.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt
        )
    }

    /// Tells whether it is FLOAT or DOUBLE.
    #[must_use]
    pub fn is_approximate(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    /// Tells whether it is a number of any kind.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || self.is_approximate() || matches!(self, Self::Decimal(..))
    }

    /// Tells whether it is DATE, TIME, TIMESTAMP or TIMESTAMP_LTZ.
    #[must_use]
    pub fn is_datetime(&self) -> bool {
        matches!(
            self,
            Self::Date | Self::Time(_) | Self::Timestamp(_) | Self::TimestampLtz(_)
        )
    }

    /// Tells whether it is an interval.
    #[must_use]
    pub fn is_interval(&self) -> bool {
        matches!(
            self,
            Self::IntervalYearMonth(..) | Self::IntervalDayTime(..)
        )
    }

    /// Tells whether it is ARRAY, MAP, MULTISET or ROW.
    #[must_use]
    pub fn is_constructed(&self) -> bool {
        matches!(
            self,
            Self::Array(_) | Self::Map(..) | Self::Multiset(_) | Self::Row(_)
        )
    }
}

impl FlinkType {
    /// Returns nullable `STRING`.
    #[must_use]
    pub fn string() -> Self {
        TypeKind::Varchar(LENGTH_MAX).nullable()
    }

    /// Returns nullable `BYTES`.
    #[must_use]
    pub fn bytes() -> Self {
        TypeKind::Varbinary(LENGTH_MAX).nullable()
    }

    /// Returns the same type with the given nullability.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }
}

impl fmt::Display for FlinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.nullable && self.kind != TypeKind::Null {
            f.write_str(" NOT NULL")?;
        }
        Ok(())
    }
}

/// Writes the type as Flink's `LogicalType.asSummaryString` does.
impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(n) => write!(f, "CHAR({n})"),
            Self::Varchar(n) => write!(f, "VARCHAR({n})"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Binary(n) => write!(f, "BINARY({n})"),
            Self::Varbinary(n) => write!(f, "VARBINARY({n})"),
            Self::Decimal(p, s) => write!(f, "DECIMAL({p}, {s})"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Date => f.write_str("DATE"),
            Self::Time(p) => write!(f, "TIME({p})"),
            Self::Timestamp(p) => write!(f, "TIMESTAMP({p})"),
            Self::TimestampLtz(p) => write!(f, "TIMESTAMP({p}) WITH LOCAL TIME ZONE"),
            Self::IntervalYearMonth(resolution, precision) => match resolution {
                YearMonthResolution::Year => write!(f, "INTERVAL YEAR({precision})"),
                YearMonthResolution::YearToMonth => {
                    write!(f, "INTERVAL YEAR({precision}) TO MONTH")
                }
                YearMonthResolution::Month => f.write_str("INTERVAL MONTH"),
            },
            Self::IntervalDayTime(resolution, day, fraction) => {
                write_day_time(f, *resolution, *day, *fraction)
            }
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Multiset(element) => write!(f, "MULTISET<{element}>"),
            Self::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "`{}` {}", field.name.replace('`', "``"), field.ty)?;
                }
                f.write_str(">")
            }
            Self::Null => f.write_str("NULL"),
        }
    }
}

fn write_day_time(
    f: &mut fmt::Formatter<'_>,
    resolution: DayTimeResolution,
    day: u8,
    fraction: u8,
) -> fmt::Result {
    match resolution {
        DayTimeResolution::Day => write!(f, "INTERVAL DAY({day})"),
        DayTimeResolution::DayToHour => write!(f, "INTERVAL DAY({day}) TO HOUR"),
        DayTimeResolution::DayToMinute => write!(f, "INTERVAL DAY({day}) TO MINUTE"),
        DayTimeResolution::DayToSecond => write!(f, "INTERVAL DAY({day}) TO SECOND({fraction})"),
        DayTimeResolution::Hour => f.write_str("INTERVAL HOUR"),
        DayTimeResolution::HourToMinute => f.write_str("INTERVAL HOUR TO MINUTE"),
        DayTimeResolution::HourToSecond => write!(f, "INTERVAL HOUR TO SECOND({fraction})"),
        DayTimeResolution::Minute => f.write_str("INTERVAL MINUTE"),
        DayTimeResolution::MinuteToSecond => write!(f, "INTERVAL MINUTE TO SECOND({fraction})"),
        DayTimeResolution::Second => write!(f, "INTERVAL SECOND({fraction})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_flink_does() {
        assert_eq!(FlinkType::string().to_string(), "VARCHAR(2147483647)");
        assert_eq!(
            TypeKind::TimestampLtz(3).not_null().to_string(),
            "TIMESTAMP(3) WITH LOCAL TIME ZONE NOT NULL"
        );
        let row = TypeKind::Row(vec![RowField {
            name: "EXPR$0".into(),
            ty: TypeKind::Int.nullable(),
        }]);
        assert_eq!(row.to_string(), "ROW<`EXPR$0` INT>");
    }
}
