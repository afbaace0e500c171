//! STDDEV_POP, STDDEV_SAMP, VAR_POP, VAR_SAMP, and STDDEV and VARIANCE, which are those of samples.
//!
//! # Flink
//! `AggregateReduceFunctionsRule`, 1.17, writes them with sums of `x` and `x * x` and a count, so they have the types,
//! the wrap-around and the whole-number division of those operators: the variance of an INT is an INT.
//!
//! ```text
//!  VAR_POP(x)    (SUM(x * x) - SUM(x) * SUM(x) / COUNT(x)) / COUNT(x)
//!  VAR_SAMP(x)   the same, divided by COUNT(x) - 1, which is NULL where it would be 0
//!  STDDEV…(x)    POWER(VAR…(x), 0.5), cast back
//! ```
//!
//! Over a NOT NULL argument the result is NOT NULL too, and where it would be NULL, Flink's generated code gives what it
//! fills such fields with: -1 for a number but a DECIMAL.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Decimal128Array, Int64Array, PrimitiveArray,
    new_null_array,
};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{DECIMAL_PRECISION_MAX, FlinkType, TypeKind};

use super::call::average_kind;
use super::count::Count;
use super::state::{Aggregate, AggregateState, Rows, Trace};
use super::sum::Sum;
use crate::cast::{CastMode, bind_cast};
use crate::registry::lookup;
use crate::{Arg, BindContext, CallError, Column, EvalContext, Kernel, RowError};

/// One of the variance functions over one type.
#[derive(Debug)]
pub(super) struct Variance {
    return_type: FlinkType,
    square: Step,
    /// The argument as the sums want it.
    widen: Step,
    squares: Sum,
    sums: Sum,
    finish: Arc<Finish>,
}

/// A bound call with one or two arguments.
#[derive(Clone, Debug)]
struct Step {
    kernel: Option<Arc<dyn Kernel>>,
    return_type: FlinkType,
}

impl Step {
    /// A step that returns its first argument.
    fn identity(ty: FlinkType) -> Self {
        Self {
            kernel: None,
            return_type: ty,
        }
    }

    fn call(name: &str, args: &[&FlinkType]) -> Result<(Self, Vec<Self>), CallError> {
        let ctx = BindContext::default();
        let args: Vec<Arg> = args
            .iter()
            .map(|ty| Arg {
                ty: (*ty).clone(),
                literal: None,
            })
            .collect();
        let function = lookup(name).expect("the operators are functions");
        let bound = (function.bind)(&args, &ctx)?;
        let casts = args.iter().zip(&bound.arg_types);
        let casts = casts
            .map(|(arg, wanted)| Self::cast(&arg.ty, wanted, CastMode::Implicit))
            .collect::<Result<_, _>>()?;
        let step = Self {
            kernel: Some(bound.kernel),
            return_type: bound.return_type,
        };
        Ok((step, casts))
    }

    fn cast(from: &FlinkType, to: &FlinkType, mode: CastMode) -> Result<Self, CallError> {
        if from.kind == to.kind {
            return Ok(Self::identity(from.clone()));
        }
        let (kernel, return_type) = bind_cast(from, to, mode, &BindContext::default())?;
        Ok(Self {
            kernel: Some(kernel),
            return_type,
        })
    }

    /// Evaluates it; a row that fails is NULL, as the sums of a group that is never empty cannot fail.
    fn run(&self, args: &[ArrayRef]) -> ArrayRef {
        let rows = args[0].len();
        let Some(kernel) = &self.kernel else {
            return Arc::clone(&args[0]);
        };
        let columns: Vec<Column> = args
            .iter()
            .map(|arg| Column::Array(Arc::clone(arg)))
            .collect();
        let null = || new_null_array(&arrow_type(&self.return_type.kind), rows);
        match kernel.evaluate(&columns, rows, &EvalContext { now_ms: 0 }) {
            Ok(Column::Array(array)) => array,
            Ok(Column::Constant(array)) => {
                let places = arrow_array::UInt32Array::from(vec![0; rows]);
                arrow_select::take::take(&array, &places, None).unwrap_or_else(|_| null())
            }
            Err(_) => null(),
        }
    }
}

/// A call with the casts of its arguments.
#[derive(Clone, Debug)]
struct Binary {
    step: Step,
    casts: Vec<Step>,
}

impl Binary {
    fn new(name: &str, left: &FlinkType, right: &FlinkType) -> Result<Self, CallError> {
        let (step, casts) = Step::call(name, &[left, right])?;
        Ok(Self { step, casts })
    }

    fn ty(&self) -> &FlinkType {
        &self.step.return_type
    }

    fn run(&self, left: &ArrayRef, right: &ArrayRef) -> ArrayRef {
        let left = self.casts[0].run(std::slice::from_ref(left));
        let right = self.casts[1].run(std::slice::from_ref(right));
        self.step.run(&[left, right])
    }
}

/// The way from the sums to the result.
#[derive(Debug)]
struct Finish {
    is_sample: bool,
    is_root: bool,
    /// Whether the result is NOT NULL.
    is_filled: bool,
    /// The sum as the product wants it.
    widen: Step,
    product: Binary,
    mean: Binary,
    difference: Binary,
    quotient: Binary,
    power: Option<Binary>,
    cast: Step,
}

/// Returns a column with -1 in the place of NULL.
fn filled(column: &ArrayRef) -> ArrayRef {
    fn fill<T: ArrowPrimitiveType>(column: &ArrayRef, with: T::Native) -> ArrayRef {
        let values = column.as_primitive::<T>().iter();
        Arc::new(PrimitiveArray::<T>::from_iter_values(
            values.map(|value| value.unwrap_or(with)),
        ))
    }
    match column.data_type() {
        _ if column.null_count() == 0 => Arc::clone(column),
        DataType::Int8 => fill::<Int8Type>(column, -1),
        DataType::Int16 => fill::<Int16Type>(column, -1),
        DataType::Int32 => fill::<Int32Type>(column, -1),
        DataType::Int64 => fill::<Int64Type>(column, -1),
        DataType::Float32 => fill::<Float32Type>(column, -1.0),
        DataType::Float64 => fill::<Float64Type>(column, -1.0),
        _ => Arc::clone(column),
    }
}

/// The exponent of a square root, `0.5`.
fn half() -> (FlinkType, i128) {
    (TypeKind::Decimal(2, 1).not_null(), 5)
}

impl Variance {
    /// Binds a function by its name.
    ///
    /// # Errors
    /// An operator that does not take the types.
    pub(super) fn new(
        name: &str,
        arg: &FlinkType,
        return_type: FlinkType,
    ) -> Result<Self, CallError> {
        let is_decimal = matches!(arg.kind, TypeKind::Decimal(..));
        // A DECIMAL is brought to the type of its average first.
        let wide = |ty: &FlinkType| FlinkType {
            kind: if is_decimal {
                average_kind(&arg.kind)
            } else {
                ty.kind.clone()
            },
            nullable: ty.nullable,
        };
        let widen = Step::cast(arg, &wide(arg), CastMode::Cast)?;
        let (square, _) = Step::call("*", &[&wide(arg), &wide(arg)])?;
        let sum_type = |ty: &FlinkType| FlinkType {
            kind: match ty.kind {
                TypeKind::Decimal(_, scale) => TypeKind::Decimal(DECIMAL_PRECISION_MAX, scale),
                ref kind => kind.clone(),
            },
            nullable: true,
        };
        let squares_type = sum_type(&square.return_type);
        let sums_type = sum_type(arg);
        let count = TypeKind::BigInt.not_null();
        let widen_sum = Step::cast(&sums_type, &wide(&sums_type), CastMode::Cast)?;
        let product = Binary::new("*", &widen_sum.return_type, &widen_sum.return_type)?;
        let mean = Binary::new("/", product.ty(), &count)?;
        let difference = Binary::new("-", &squares_type, mean.ty())?;
        let is_sample = !name.ends_with("_POP");
        let divisor = count.with_nullable(is_sample);
        let quotient = Binary::new("/", difference.ty(), &divisor)?;
        let is_root = name.starts_with("STDDEV");
        let power = is_root
            .then(|| Binary::new("POWER", quotient.ty(), &half().0))
            .transpose()?;
        let result = power.as_ref().map_or(quotient.ty(), Binary::ty);
        let cast = Step::cast(result, &return_type, CastMode::Cast)?;
        let is_filled = !return_type.nullable;
        let square_type = square.return_type.clone();
        Ok(Self {
            squares: Sum::new(squares_type, false, &square_type.with_nullable(true)),
            sums: Sum::new(sums_type, false, &arg.clone().with_nullable(true)),
            return_type,
            square,
            widen,
            finish: Arc::new(Finish {
                is_sample,
                is_root,
                is_filled,
                widen: widen_sum,
                product,
                mean,
                difference,
                quotient,
                power,
                cast,
            }),
        })
    }
}

impl Finish {
    fn run(&self, squares: &ArrayRef, sums: &ArrayRef, counts: &ArrayRef) -> ArrayRef {
        let sums = self.widen.run(std::slice::from_ref(sums));
        let product = self.product.run(&sums, &sums);
        let mean = self.mean.run(&product, counts);
        let difference = self.difference.run(squares, &mean);
        let divisor: ArrayRef = if self.is_sample {
            let counts = counts.as_primitive::<Int64Type>().values();
            let divisors = counts
                .iter()
                .map(|count| (*count != 1).then_some(count - 1));
            Arc::new(divisors.collect::<Int64Array>())
        } else {
            // Nothing is left of a group without values.
            let counts = counts.as_primitive::<Int64Type>().values();
            let divisors = counts.iter().map(|count| (*count != 0).then_some(*count));
            Arc::new(divisors.collect::<Int64Array>())
        };
        let mut result = self.quotient.run(&difference, &divisor);
        if let Some(power) = self.power.as_ref().filter(|_| self.is_root) {
            let exponents = Decimal128Array::from(vec![half().1; result.len()])
                .with_precision_and_scale(2, 1)
                .expect("0.5 is a DECIMAL(2, 1)");
            result = power.run(&result, &(Arc::new(exponents) as ArrayRef));
        }
        let result = self.cast.run(&[result]);
        if self.is_filled {
            filled(&result)
        } else {
            result
        }
    }
}

impl Aggregate for Variance {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Sums {
            square: self.square.clone(),
            widen: self.widen.clone(),
            squares: self.squares.state(),
            sums: self.sums.state(),
            counts: Count::new().state(),
            finish: Arc::clone(&self.finish),
        })
    }
}

#[derive(Debug)]
struct Sums {
    square: Step,
    widen: Step,
    squares: Box<dyn AggregateState>,
    sums: Box<dyn AggregateState>,
    counts: Box<dyn AggregateState>,
    finish: Arc<Finish>,
}

impl Sums {
    fn squared(&self, args: &[ArrayRef]) -> [ArrayRef; 1] {
        let wide = self.widen.run(args);
        [self.square.run(&[Arc::clone(&wide), wide])]
    }

    fn parts(&mut self) -> [&mut Box<dyn AggregateState>; 3] {
        [&mut self.squares, &mut self.sums, &mut self.counts]
    }
}

impl AggregateState for Sums {
    fn resize(&mut self, groups: usize) {
        for part in self.parts() {
            part.resize(groups);
        }
    }

    fn reset(&mut self, group: u32) {
        for part in self.parts() {
            part.reset(group);
        }
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let squares = self.squared(rows.args);
        self.squares.fold(Rows {
            args: &squares,
            ..rows
        })?;
        self.sums.fold(rows)?;
        self.counts.fold(rows)
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let args = self.squared(rows.args);
        let squares = self.squares.trace(Rows {
            args: &args,
            ..rows
        })?;
        let sums = self.sums.trace(rows)?;
        let counts = self.counts.trace(rows)?;
        let changed = (0..rows.groups.len()).map(|row| {
            [&squares, &sums, &counts]
                .iter()
                .any(|part| part.before.slice(row, 1) != part.after.slice(row, 1))
        });
        Ok(Trace {
            before: self
                .finish
                .run(&squares.before, &sums.before, &counts.before),
            after: self.finish.run(&squares.after, &sums.after, &counts.after),
            changed: Some(changed.collect()),
        })
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        self.parts()
            .into_iter()
            .try_for_each(|part| part.merge(into, from))
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        self.finish.run(
            &self.squares.value(groups),
            &self.sums.value(groups),
            &self.counts.value(groups),
        )
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        for part in [&self.squares, &self.sums, &self.counts] {
            part.write(group, out);
        }
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.parts()
            .into_iter()
            .try_for_each(|part| part.read(group, bytes))
    }

    fn bytes(&self) -> usize {
        self.squares.bytes() + self.sums.bytes() + self.counts.bytes()
    }
}
