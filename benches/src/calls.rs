//! Bound calls of functions with columns and literals as arguments.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, StringViewArray};
use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};
use millrace_functions::cast::{CastMode, bind_cast};
use millrace_functions::{Arg, BindContext, Column, EvalContext, Kernel, Literal, registry};

/// An argument of a call.
pub(crate) enum Input {
    /// A column.
    Column(FlinkType, ArrayRef),
    /// A text literal.
    Text(&'static str),
    /// An INT literal.
    Int(i32),
}

impl Input {
    /// Returns a text column.
    pub(crate) fn texts(array: &StringViewArray) -> Self {
        Self::Column(FlinkType::string(), Arc::new(array.clone()))
    }

    fn split(self) -> (Arg, Column) {
        let literal = |ty: FlinkType, value: ArrayRef| {
            let literal = Literal {
                ty: ty.clone(),
                value: Arc::clone(&value),
            };
            let arg = Arg {
                ty,
                literal: Some(literal),
            };
            (arg, Column::Constant(value))
        };
        match self {
            Self::Column(ty, array) => (Arg { ty, literal: None }, Column::Array(array)),
            Self::Text(text) => literal(
                TypeKind::Char(u32::try_from(text.len()).expect("literals are short")).not_null(),
                Arc::new(StringViewArray::from(vec![text])),
            ),
            Self::Int(value) => literal(
                TypeKind::Int.not_null(),
                Arc::new(Int32Array::from(vec![value])),
            ),
        }
    }
}

/// A bound call with its arguments.
#[derive(Debug)]
pub(crate) struct Call {
    kernel: Arc<dyn Kernel>,
    args: Vec<Column>,
    rows: usize,
}

impl Call {
    /// Binds a function of the registry.
    pub(crate) fn new(name: &str, inputs: Vec<Input>) -> Self {
        let def = registry::lookup(name).expect("the registry has the function");
        let (args, columns): (Vec<Arg>, Vec<Column>) = inputs.into_iter().map(Input::split).unzip();
        let bound = (def.bind)(&args, &context()).expect("the call is well typed");
        let given: Vec<_> = args.iter().map(|arg| &arg.ty.kind).collect();
        let taken: Vec<_> = bound.arg_types.iter().map(|ty| &ty.kind).collect();
        assert_eq!(given, taken, "the arguments of {name} need no cast");
        Self::of(bound.kernel, columns)
    }

    /// Binds a cast of a text column.
    pub(crate) fn cast(array: &StringViewArray, to: TypeKind) -> Self {
        let from = FlinkType::string();
        let bound = bind_cast(&from, &to.nullable(), CastMode::TryCast, &context());
        let (kernel, _) = bound.expect("a text can be cast");
        Self::of(kernel, vec![Column::Array(Arc::new(array.clone()))])
    }

    fn of(kernel: Arc<dyn Kernel>, args: Vec<Column>) -> Self {
        let rows = args.iter().find(|column| !column.is_constant());
        let rows = rows.map_or(1, |column| column.array().len());
        Self { kernel, args, rows }
    }

    /// Evaluates the call once.
    pub(crate) fn run(&self) -> Column {
        let ctx = EvalContext {
            now_ms: 1_772_323_200_000,
        };
        self.kernel
            .evaluate(&self.args, self.rows, &ctx)
            .expect("no row fails")
    }
}

fn context() -> BindContext {
    BindContext {
        session_tz: TimeZone::UTC,
        legacy_cast: false,
        ..BindContext::default()
    }
}
