//! The kernel form all string and collection functions share, and readers for their arguments.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryViewArray, PrimitiveArray, StringViewArray};

use crate::{Column, EvalContext, Kernel, RowError};

type Run = Box<dyn Fn(&[Column], usize) -> Result<ArrayRef, RowError> + Send + Sync>;

/// A kernel made of a function over whole columns.
///
/// Where all arguments are constant, the function sees one row and its result becomes a constant.
pub(crate) struct BatchKernel {
    name: &'static str,
    fallible: bool,
    run: Run,
}

impl BatchKernel {
    /// Returns a kernel that may fail on a row.
    pub(crate) fn fallible(
        name: &'static str,
        run: impl Fn(&[Column], usize) -> Result<ArrayRef, RowError> + Send + Sync + 'static,
    ) -> Arc<dyn Kernel> {
        Arc::new(Self {
            name,
            fallible: true,
            run: Box::new(run),
        })
    }

    /// Returns a kernel that never fails.
    pub(crate) fn infallible(
        name: &'static str,
        run: impl Fn(&[Column], usize) -> ArrayRef + Send + Sync + 'static,
    ) -> Arc<dyn Kernel> {
        Arc::new(Self {
            name,
            fallible: false,
            run: Box::new(move |args, rows| Ok(run(args, rows))),
        })
    }
}

impl fmt::Debug for BatchKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchKernel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Kernel for BatchKernel {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        if rows > 0 && !args.is_empty() && args.iter().all(Column::is_constant) {
            return (self.run)(args, 1).map(Column::Constant);
        }
        (self.run)(args, rows).map(Column::Array)
    }

    fn can_fail(&self) -> bool {
        self.fallible
    }
}

/// A text argument. A column of type NULL reads as all NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texts<'a> {
    array: Option<&'a StringViewArray>,
    constant: bool,
}

impl<'a> Texts<'a> {
    /// Reads `column` as text.
    pub(crate) fn new(column: &'a Column) -> Self {
        Self {
            array: column.array().as_string_view_opt(),
            constant: column.is_constant(),
        }
    }

    /// Returns the text of `row`, or `None` for NULL.
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        let array = self.array?;
        let index = if self.constant { 0 } else { row };
        array.is_valid(index).then(|| array.value(index))
    }

    /// Returns the array, unless the column is of type NULL.
    pub(crate) fn array(&self) -> Option<&'a StringViewArray> {
        self.array
    }
}

/// A BYTES argument, or a text argument read as its UTF-8 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ByteStrings<'a> {
    /// BINARY or VARBINARY.
    Binary(&'a BinaryViewArray, bool),
    /// CHAR or VARCHAR, or NULL.
    Text(Texts<'a>),
}

impl<'a> ByteStrings<'a> {
    /// Reads `column` as bytes.
    pub(crate) fn new(column: &'a Column) -> Self {
        match column.array().as_binary_view_opt() {
            Some(array) => Self::Binary(array, column.is_constant()),
            None => Self::Text(Texts::new(column)),
        }
    }

    /// Returns the bytes of `row`, or `None` for NULL.
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Binary(array, constant) => {
                let index = if *constant { 0 } else { row };
                array.is_valid(index).then(|| array.value(index))
            }
            Self::Text(texts) => texts.get(row).map(str::as_bytes),
        }
    }
}

/// An argument of a primitive type. A column of type NULL reads as all NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a, T: ArrowPrimitiveType> {
    array: Option<&'a PrimitiveArray<T>>,
    constant: bool,
}

/// An INT argument.
pub(crate) type Ints<'a> = Values<'a, Int32Type>;
/// A BIGINT argument.
pub(crate) type Longs<'a> = Values<'a, Int64Type>;

impl<'a, T: ArrowPrimitiveType> Values<'a, T> {
    /// Reads `column` as values of `T`.
    pub(crate) fn new(column: &'a Column) -> Self {
        Self {
            array: column.array().as_primitive_opt::<T>(),
            constant: column.is_constant(),
        }
    }

    /// Returns the value of `row`, or `None` for NULL.
    pub(crate) fn get(&self, row: usize) -> Option<T::Native> {
        let array = self.array?;
        let index = if self.constant { 0 } else { row };
        array.is_valid(index).then(|| array.value(index))
    }
}
