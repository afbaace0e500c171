//! A conversion of whole arrays, and the loops that build results.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

use crate::{Column, EvalContext, Kernel, RowError};

/// The code of a conversion: an array in, an array of the same length out.
type ConvertFn = dyn Fn(&ArrayRef) -> Result<ArrayRef, RowError> + Send + Sync;

/// A conversion from one type to another, over whole arrays.
#[derive(Clone)]
pub(crate) struct Converter {
    what: String,
    fallible: bool,
    convert: Arc<ConvertFn>,
}

impl Converter {
    /// Returns a conversion in which no row can fail.
    pub(crate) fn infallible(
        convert: impl Fn(&ArrayRef) -> Result<ArrayRef, RowError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            what: String::new(),
            fallible: false,
            convert: Arc::new(convert),
        }
    }

    /// Returns a conversion in which a row can fail.
    pub(crate) fn fallible(
        convert: impl Fn(&ArrayRef) -> Result<ArrayRef, RowError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            fallible: true,
            ..Self::infallible(convert)
        }
    }

    /// Returns the conversion that leaves the array as it is.
    pub(crate) fn identity() -> Self {
        Self::infallible(|array| Ok(Arc::clone(array)))
    }

    /// Names the conversion in debug output.
    pub(crate) fn named(mut self, what: String) -> Self {
        self.what = what;
        self
    }

    /// Marks it as one in which a row can fail, or not.
    pub(crate) fn with_fallible(mut self, fallible: bool) -> Self {
        self.fallible = fallible;
        self
    }

    /// Tells whether a row can fail.
    pub(crate) fn can_fail(&self) -> bool {
        self.fallible
    }

    /// Converts all values.
    pub(crate) fn apply(&self, array: &ArrayRef) -> Result<ArrayRef, RowError> {
        (self.convert)(array)
    }

    /// Returns the conversion that does this one and then `next`.
    pub(crate) fn then(self, next: Self) -> Self {
        let fallible = self.fallible || next.fallible;
        Self::infallible(move |array| next.apply(&self.apply(array)?)).with_fallible(fallible)
    }
}

impl fmt::Debug for Converter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Converter({})", self.what)
    }
}

impl Kernel for Converter {
    fn evaluate(
        &self,
        args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        Ok(match &args[0] {
            Column::Array(array) => Column::Array(self.apply(array)?),
            Column::Constant(array) => Column::Constant(self.apply(array)?),
        })
    }

    fn can_fail(&self) -> bool {
        self.fallible
    }
}

/// What becomes of a value that cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The row fails.
    Fail,
    /// The value is NULL.
    Null,
}

/// Returns at most 64 bytes of `text`, for messages.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(64);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Maps values of primitive types where none can fail or become NULL.
pub(crate) fn map_primitive<I, O>(
    array: &ArrayRef,
    data_type: &DataType,
    op: impl Fn(I::Native) -> O::Native,
) -> ArrayRef
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let input = primitive::<I>(array);
    let values: ScalarBuffer<O::Native> = input.values().iter().map(|v| op(*v)).collect();
    Arc::new(
        PrimitiveArray::<O>::new(values, input.nulls().cloned()).with_data_type(data_type.clone()),
    )
}

/// Returns the array as one of type `T`.
pub(crate) fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> &PrimitiveArray<T> {
    array
        .as_any()
        .downcast_ref()
        .expect("the planner gives each kernel its argument types")
}

/// Builds an array of primitive values: `value(row)` is called for rows that `nulls` does not exclude, and
/// gives a value, NULL, or why it fails.
pub(crate) fn build_primitive<O: ArrowPrimitiveType>(
    rows: usize,
    nulls: Option<&NullBuffer>,
    data_type: &DataType,
    on_failure: OnFailure,
    mut value: impl FnMut(usize) -> Result<Option<O::Native>, String>,
) -> Result<ArrayRef, RowError> {
    let mut values = Vec::with_capacity(rows);
    let mut extra_nulls = Vec::new();
    for row in 0..rows {
        if nulls.is_some_and(|n| n.is_null(row)) {
            values.push(O::Native::default());
            continue;
        }
        match value(row) {
            Ok(Some(v)) => values.push(v),
            Err(message) if on_failure == OnFailure::Fail => {
                return Err(RowError::new(row, message));
            }
            Ok(None) | Err(_) => {
                extra_nulls.push(row);
                values.push(O::Native::default());
            }
        }
    }
    let nulls = merge_nulls(rows, nulls, &extra_nulls);
    Ok(Arc::new(
        PrimitiveArray::<O>::new(values.into(), nulls).with_data_type(data_type.clone()),
    ))
}

/// Returns `nulls` with the rows of `more` null too.
pub(crate) fn merge_nulls(
    rows: usize,
    nulls: Option<&NullBuffer>,
    more: &[usize],
) -> Option<NullBuffer> {
    if more.is_empty() {
        return nulls.cloned();
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    match nulls {
        Some(nulls) => valid.append_buffer(nulls.inner()),
        None => valid.append_n(rows, true),
    }
    for row in more {
        valid.set_bit(*row, false);
    }
    Some(NullBuffer::new(valid.finish()))
}

/// Builds an array of text; `write(row, out)` appends the value of a row that `nulls` does not exclude.
pub(crate) fn build_text(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut write: impl FnMut(usize, &mut String),
) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(rows);
    let mut scratch = String::new();
    for row in 0..rows {
        if nulls.is_some_and(|n| n.is_null(row)) {
            builder.append_null();
            continue;
        }
        scratch.clear();
        write(row, &mut scratch);
        builder.append_value(&scratch);
    }
    Arc::new(builder.finish())
}

/// Builds an array of bytes; `write(row, out)` appends the value of a row that `nulls` does not exclude.
pub(crate) fn build_binary(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut write: impl FnMut(usize, &mut Vec<u8>),
) -> ArrayRef {
    let mut builder = BinaryViewBuilder::with_capacity(rows);
    let mut scratch = Vec::new();
    for row in 0..rows {
        if nulls.is_some_and(|n| n.is_null(row)) {
            builder.append_null();
            continue;
        }
        scratch.clear();
        write(row, &mut scratch);
        builder.append_value(&scratch);
    }
    Arc::new(builder.finish())
}
