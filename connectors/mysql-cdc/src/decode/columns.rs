//! The columns that rows are gathered in.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryViewBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, ListBuilder,
    StringViewBuilder, Time32MillisecondBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, new_null_array};
use arrow_schema::DataType;
use millrace_connector::TypeKind;
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};
use millrace_views::TextBuilder;

use super::row::DeclaredColumn;

/// Columns of the Flink table under construction; rows of many tables may go into them.
#[derive(Debug)]
pub struct Columns {
    pub(crate) builders: Vec<Builder>,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

/// One column.
#[derive(Debug)]
pub(crate) enum Builder {
    Boolean(BooleanBuilder),
    TinyInt(Int8Builder),
    SmallInt(Int16Builder),
    Int(Int32Builder),
    BigInt(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Time(Time32MillisecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    /// A timestamp of more than six digits.
    Nanos(Decimal128Builder),
    Text(TextBuilder),
    Bytes(BinaryViewBuilder),
    Texts(ListBuilder<StringViewBuilder>),
    /// A type that no column of a server can become: so many NULLs.
    Nulls(DataType, usize),
}

impl Columns {
    /// Returns empty columns with room for `rows` rows.
    #[must_use]
    pub fn new(declared: &[DeclaredColumn], rows: usize) -> Self {
        Self {
            builders: declared
                .iter()
                .map(|column| Builder::new(&column.ty.kind, rows))
                .collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Returns how many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns about how many bytes the values have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the columns in the order of the declaration and starts anew.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        self.bytes = 0;
        self.builders.iter_mut().map(Builder::finish).collect()
    }
}

impl Builder {
    fn new(kind: &TypeKind, rows: usize) -> Self {
        match kind {
            TypeKind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            TypeKind::TinyInt => Self::TinyInt(Int8Builder::with_capacity(rows)),
            TypeKind::SmallInt => Self::SmallInt(Int16Builder::with_capacity(rows)),
            TypeKind::Int => Self::Int(Int32Builder::with_capacity(rows)),
            TypeKind::BigInt => Self::BigInt(Int64Builder::with_capacity(rows)),
            TypeKind::Float => Self::Float(Float32Builder::with_capacity(rows)),
            TypeKind::Double => Self::Double(Float64Builder::with_capacity(rows)),
            TypeKind::Decimal(..) => Self::Decimal(
                Decimal128Builder::with_capacity(rows).with_data_type(arrow_type(kind)),
            ),
            TypeKind::Date => Self::Date(Date32Builder::with_capacity(rows)),
            TypeKind::Time(_) => Self::Time(Time32MillisecondBuilder::with_capacity(rows)),
            TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) => {
                if *p <= MICROSECOND_PRECISION_MAX {
                    Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows))
                } else {
                    Self::Nanos(
                        Decimal128Builder::with_capacity(rows).with_data_type(arrow_type(kind)),
                    )
                }
            }
            TypeKind::Char(_) | TypeKind::Varchar(_) => Self::Text(TextBuilder::new(rows)),
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
                Self::Bytes(BinaryViewBuilder::with_capacity(rows))
            }
            TypeKind::Array(element) if element.kind.is_character() => {
                Self::Texts(ListBuilder::new(StringViewBuilder::new()))
            }
            other => Self::Nulls(arrow_type(other), 0),
        }
    }

    pub(crate) fn append_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::TinyInt(builder) => builder.append_null(),
            Self::SmallInt(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::BigInt(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
            Self::Decimal(builder) | Self::Nanos(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
            Self::Text(builder) => builder.push_null(),
            Self::Bytes(builder) => builder.append_null(),
            Self::Texts(builder) => builder.append_null(),
            Self::Nulls(_, rows) => *rows += 1,
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::TinyInt(builder) => Arc::new(builder.finish()),
            Self::SmallInt(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder) | Self::Nanos(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Texts(builder) => Arc::new(builder.finish()),
            Self::Nulls(data_type, rows) => new_null_array(data_type, std::mem::take(rows)),
        }
    }
}
