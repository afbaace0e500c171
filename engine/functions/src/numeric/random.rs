//! RAND, RAND_INTEGER and UUID.
//!
//! # Flink
//! With a seed, the numbers are those of `java.util.Random` with that seed; each lane begins anew. Without one
//! they are of good quality and differ from run to run.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float64Array, Int32Array};
use millrace_connector::TypeKind;
use rand::RngExt;

use crate::operator::signature::{any_nullable, bad_types, between, exactly, with_kind};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

/// Java's linear congruential generator.
#[derive(Debug)]
struct JavaRandom {
    seed: u64,
    /// What it was made from, to begin anew when another seed comes.
    origin: i32,
}

const MULTIPLIER: u64 = 0x5_deec_e66d;
const MASK: u64 = (1 << 48) - 1;

impl JavaRandom {
    fn new(origin: i32) -> Self {
        Self {
            seed: (i64::from(origin).cast_unsigned() ^ MULTIPLIER) & MASK,
            origin,
        }
    }

    /// Returns the next bits, at most 32.
    fn bits(&mut self, count: u32) -> i32 {
        self.seed = self.seed.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the high bits are the random ones"
        )]
        let bits = (self.seed >> (48 - count)) as u32;
        bits.cast_signed()
    }

    fn double(&mut self) -> f64 {
        let high = i64::from(self.bits(26)) << 27;
        (high + i64::from(self.bits(27))) as f64 / (1_i64 << 53) as f64
    }

    /// Returns a number from 0 to below `bound`, which is positive.
    fn below(&mut self, bound: i32) -> i32 {
        let mask = bound - 1;
        if bound & mask == 0 {
            let product = i64::from(bound) * i64::from(self.bits(31));
            return i32::try_from(product >> 31).expect("below the bound");
        }
        loop {
            let bits = self.bits(31);
            let value = bits % bound;
            if bits.wrapping_sub(value).wrapping_add(mask) >= 0 {
                return value;
            }
        }
    }
}

/// RAND and RAND_INTEGER: where the bound and the seed stand among the arguments.
#[derive(Debug)]
struct Random {
    bound: Option<usize>,
    seed: Option<usize>,
    state: Mutex<Option<JavaRandom>>,
}

impl Random {
    /// Returns the argument's value for the row.
    fn argument(args: &[Column], index: Option<usize>, row: usize) -> Option<i32> {
        let column = &args[index?];
        (!column.is_null(row)).then(|| {
            column
                .array()
                .as_primitive::<Int32Type>()
                .value(column.index(row))
        })
    }

    /// Calls `draw` with the generator of the row's seed.
    fn seeded<T>(&self, origin: i32, draw: impl FnOnce(&mut JavaRandom) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let generator = match &mut *state {
            Some(generator) if generator.origin == origin => generator,
            other => other.insert(JavaRandom::new(origin)),
        };
        draw(generator)
    }

    fn integer(&self, args: &[Column], row: usize) -> Result<Option<i32>, RowError> {
        let Some(bound) = Self::argument(args, self.bound, row) else {
            return Ok(None);
        };
        let origin = Self::argument(args, self.seed, row);
        if self.seed.is_some() && origin.is_none() {
            return Ok(None);
        }
        if bound <= 0 {
            return Err(RowError::new(row, "bound must be positive"));
        }
        Ok(Some(match origin {
            Some(origin) => self.seeded(origin, |random| random.below(bound)),
            None => rand::rng().random_range(0..bound),
        }))
    }

    fn double(&self, args: &[Column], row: usize) -> Option<f64> {
        match self.seed {
            None => Some(rand::rng().random()),
            Some(_) => Self::argument(args, self.seed, row)
                .map(|origin| self.seeded(origin, JavaRandom::double)),
        }
    }
}

impl Kernel for Random {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let array: ArrayRef = if self.bound.is_some() {
            let values: Result<Int32Array, RowError> =
                (0..rows).map(|row| self.integer(args, row)).collect();
            Arc::new(values?)
        } else {
            let values: Float64Array = (0..rows).map(|row| self.double(args, row)).collect();
            Arc::new(values)
        };
        Ok(Column::Array(array))
    }

    fn can_fail(&self) -> bool {
        self.bound.is_some()
    }
}

fn bind(name: &'static str, integer: bool, args: &[Arg]) -> Result<Bound, CallError> {
    let first = usize::from(integer);
    between(name, first, first + 1, args)?;
    if !args.iter().all(|arg| arg.ty.kind.is_integer()) {
        return Err(bad_types(name, args));
    }
    let seed = (args.len() > first).then_some(0);
    Ok(Bound {
        arg_types: args
            .iter()
            .map(|arg| with_kind(&arg.ty, TypeKind::Int))
            .collect(),
        return_type: if integer {
            TypeKind::Int
        } else {
            TypeKind::Double
        }
        .not_null()
        .with_nullable(any_nullable(args)),
        kernel: Arc::new(Random {
            bound: integer.then(|| args.len() - 1),
            seed,
            state: Mutex::new(None),
        }),
    })
}

pub(super) static RAND: FunctionDef = FunctionDef {
    name: "RAND",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["RAND() → DOUBLE NOT NULL", "RAND(seed INT) → DOUBLE"],
    doc: "Returns a random number from 0 to below 1, another for each row.",
    examples: &[],
    volatility: Volatility::PerRow,
    bind: |args, _| bind("RAND", false, args),
};

pub(super) static RAND_INTEGER: FunctionDef = FunctionDef {
    name: "RAND_INTEGER",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &[
        "RAND_INTEGER(bound INT) → INT",
        "RAND_INTEGER(seed INT, bound INT) → INT",
    ],
    doc: "Returns a random whole number from 0 to below the bound, another for each row.\nA bound that is not positive fails the row.",
    examples: &[],
    volatility: Volatility::PerRow,
    bind: |args, _| bind("RAND_INTEGER", true, args),
};

#[derive(Debug)]
struct Uuid;

impl Kernel for Uuid {
    fn evaluate(
        &self,
        _args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let mut builder = StringViewBuilder::with_capacity(rows);
        let mut buffer = uuid::Uuid::encode_buffer();
        for _ in 0..rows {
            let id = uuid::Builder::from_random_bytes(rand::rng().random()).into_uuid();
            builder.append_value(id.hyphenated().encode_lower(&mut buffer));
        }
        Ok(Column::Array(Arc::new(builder.finish())))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

pub(super) static UUID: FunctionDef = FunctionDef {
    name: "UUID",
    aliases: &[],
    category: Category::Other,
    signatures: &["UUID() → CHAR(36) NOT NULL"],
    doc: "Returns a random identifier of version 4, another for each row.",
    examples: &[],
    volatility: Volatility::PerRow,
    bind: |args, _| {
        exactly("UUID", 0, args)?;
        Ok(Bound {
            arg_types: Vec::new(),
            return_type: TypeKind::Char(36).not_null(),
            kernel: Arc::new(Uuid),
        })
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_what_java_draws() {
        let mut random = JavaRandom::new(42);
        assert_eq!(random.below(10), 0);
        assert_eq!(random.below(10), 3);
        assert_eq!(JavaRandom::new(42).double(), 0.727_563_680_032_868_1);
    }
}
