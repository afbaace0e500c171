//! Functions that an embedding program registers: Rust closures over Arrow arrays.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_select::take::take;
use millrace_connector::{FlinkType, physical};

use crate::{Column, EvalContext, Kernel, RowError, Volatility};

/// A scalar function that is not Flink's.
#[derive(Clone, Debug)]
pub struct UserFunction {
    /// Its name in upper case.
    pub name: &'static str,
    /// The types of its arguments; others are cast to them as Flink casts implicitly.
    pub args: Vec<FlinkType>,
    /// The type of its results.
    pub result: FlinkType,
    /// Whether equal arguments give equal results.
    pub volatility: Volatility,
    /// The code.
    pub kernel: Arc<dyn Kernel>,
}

/// Functions by name. One that has the name of a function of Flink hides it.
#[derive(Clone, Debug, Default)]
pub struct UserFunctions(BTreeMap<&'static str, UserFunction>);

impl UserFunctions {
    /// Adds a function; one of the same name is replaced.
    pub fn register(&mut self, function: UserFunction) {
        self.0.insert(function.name, function);
    }

    /// Returns the function of that name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&UserFunction> {
        self.0.get(name.to_ascii_uppercase().as_str())
    }
}

impl UserFunction {
    /// Returns a function that computes an array of results from one array for each argument and the
    /// number of rows, which all have. Text is
    /// `Utf8View`, bytes are `BinaryView`; `millrace_connector::physical` has the others. The name is kept for the life of
    /// the process, as those of Flink's functions are.
    #[must_use]
    pub fn new(
        name: &str,
        args: Vec<FlinkType>,
        result: FlinkType,
        code: impl Fn(&[ArrayRef], usize) -> Result<ArrayRef, String> + Send + Sync + 'static,
    ) -> Self {
        let name: &'static str = Box::leak(name.to_ascii_uppercase().into_boxed_str());
        let kernel = Closure {
            name,
            result: result.clone(),
            code: Box::new(code),
        };
        Self {
            name,
            args,
            result,
            volatility: Volatility::Deterministic,
            kernel: Arc::new(kernel),
        }
    }

    /// Says that equal arguments may give different results, so that it is never folded.
    #[must_use]
    pub fn volatile(self) -> Self {
        Self {
            volatility: Volatility::PerRow,
            ..self
        }
    }
}

type Code = dyn Fn(&[ArrayRef], usize) -> Result<ArrayRef, String> + Send + Sync;

struct Closure {
    name: &'static str,
    result: FlinkType,
    code: Box<Code>,
}

impl Debug for Closure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closure").field("name", &self.name).finish()
    }
}

impl Kernel for Closure {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let arrays: Vec<ArrayRef> = args.iter().map(|arg| repeated(arg, rows)).collect();
        let found = (self.code)(&arrays, rows).map_err(|message| RowError::new(0, message))?;
        let wanted = physical::arrow_type(&self.result.kind);
        if found.len() != rows || *found.data_type() != wanted {
            let message = format!(
                "{} gave {} values of {} for {rows} rows of {wanted}",
                self.name,
                found.len(),
                found.data_type()
            );
            return Err(RowError::new(0, message));
        }
        Ok(Column::Array(found))
    }
}

/// Returns an argument as an array of that many values.
fn repeated(arg: &Column, rows: usize) -> ArrayRef {
    if !arg.is_constant() {
        return Arc::clone(arg.array());
    }
    let indices = UInt32Array::from(vec![0; rows]);
    take(arg.array(), &indices, None).expect("a constant has one value")
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use millrace_connector::TypeKind;

    use super::*;

    #[test]
    fn a_result_of_another_length_or_type_is_an_error() {
        let int = TypeKind::Int.nullable();
        let one = |array: ArrayRef| {
            UserFunction::new("f", Vec::new(), int.clone(), move |_, _| {
                Ok(Arc::clone(&array))
            })
        };
        let ctx = EvalContext { now_ms: 0 };
        let three: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let found = one(Arc::clone(&three))
            .kernel
            .evaluate(&[], 3, &ctx)
            .unwrap();
        assert_eq!(found.array().as_primitive::<Int32Type>().value(2), 3);
        assert!(one(three).kernel.evaluate(&[], 2, &ctx).is_err());
        let text: ArrayRef = Arc::new(arrow_array::StringViewArray::from(vec!["a"]));
        assert!(one(text).kernel.evaluate(&[], 1, &ctx).is_err());
    }

    #[test]
    fn names_have_no_case() {
        let mut functions = UserFunctions::default();
        let int = TypeKind::Int.nullable();
        let args = vec![int.clone()];
        functions.register(UserFunction::new("same", args, int, |args, _| {
            Ok(Arc::clone(&args[0]))
        }));
        assert!(functions.get("Same").is_some());
    }
}
