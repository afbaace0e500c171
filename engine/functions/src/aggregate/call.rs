//! Binding: from a call's name and argument types to the function and its result's type.
//!
//! # Flink
//! The operand and result types of `FlinkSqlOperatorTable`, and `AggFunctionFactory`, 1.17. Where the factory refuses
//! a type, the message is its own.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use millrace_connector::physical::arrow_type;
use millrace_connector::{DECIMAL_PRECISION_MAX, FlinkType, TypeKind};

use super::average::Average;
use super::chosen::{Choice, Chosen};
use super::collect::Collect;
use super::count::Count;
use super::distinct::Distinct;
use super::edge::Edge;
use super::json_agg::JsonAgg;
use super::lag::Lag;
use super::list_agg::{ListAgg, SEPARATOR};
use super::ranked::Ranked;
use super::single::Single;
use super::state::Aggregate;
use super::sum::Sum;
use super::variance::Variance;
use crate::cast::{CastMode, bind_cast};
use crate::string::literal_text;
use crate::{Arg, BindContext, CallError, Column, EvalContext, Literal};

/// A call of an aggregate function, as far as its meaning depends on it.
#[derive(Clone, Debug)]
pub struct AggregateCall<'a> {
    /// The function's name, in any case.
    pub name: &'a str,
    /// The arguments; none for COUNT(*).
    pub args: &'a [Arg],
    /// Whether DISTINCT stands before them.
    pub distinct: bool,
    /// Whether a group can be without rows: there is no GROUP BY, or there is a FILTER.
    pub may_be_empty: bool,
    /// Whether rows can be taken back.
    pub retract: bool,
    /// Whether it stands before OVER.
    pub over: bool,
    /// Whether the pipeline runs in batch mode.
    pub bounded: bool,
    /// What the clause ON NULL of JSON_OBJECTAGG and JSON_ARRAYAGG says: whether NULLs are left out; `None` = nothing.
    pub absent_on_null: Option<bool>,
}

/// A call whose function and types are known.
#[derive(Clone, Debug)]
pub struct BoundAggregate {
    /// The function's name, in upper case.
    pub name: &'static str,
    /// The arguments that the function wants as columns, by their place in the call. The others are constants that it
    /// knows.
    pub columns: Vec<usize>,
    /// The function.
    pub aggregate: Arc<dyn Aggregate>,
}

impl BoundAggregate {
    /// Returns the result's type.
    #[must_use]
    pub fn return_type(&self) -> &FlinkType {
        self.aggregate.return_type()
    }

    /// Tells whether Flink takes it in windows that are merged; see [`Aggregate::merges`].
    #[must_use]
    pub fn merges(&self) -> bool {
        self.aggregate.merges()
    }
}

/// The names of all aggregate functions.
const NAMES: &[&str] = &[
    "$SUM0",
    "APPROX_COUNT_DISTINCT",
    "AVG",
    "COLLECT",
    "COUNT",
    "FIRST_VALUE",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
    "LAG",
    "LAST_VALUE",
    "LISTAGG",
    "MAX",
    "MIN",
    "ROW_NUMBER",
    "SINGLE_VALUE",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "SUM",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
];

/// Window functions that only batch mode has; [`Ranking`](super::Ranking) and [`shifted`](super::shifted) compute them.
const BOUNDED_NAMES: &[&str] = &["CUME_DIST", "LEAD", "NTILE", "PERCENT_RANK"];

/// Tells whether a name, in any case, is that of an aggregate function.
#[must_use]
pub fn is_aggregate(name: &str) -> bool {
    canonical(name).is_some()
}

fn canonical(name: &str) -> Option<&'static str> {
    NAMES
        .iter()
        .copied()
        .find(|known| known.eq_ignore_ascii_case(name))
}

/// Binds a call.
///
/// # Errors
/// A function that does not exist, or arguments that it does not take.
pub fn bind(call: &AggregateCall<'_>) -> Result<BoundAggregate, CallError> {
    let Some(name) = canonical(call.name) else {
        return Err(unknown(call));
    };
    let mut columns: Vec<usize> = (0..call.args.len()).collect();
    if matches!(name, "LISTAGG" | "LAG") {
        // The others are constants.
        columns.truncate(1);
    }
    if matches!(name, "LAG" | "ROW_NUMBER") && !call.over {
        return Err(CallError::NotYet {
            what: format!("{name} without OVER"),
        });
    }
    let aggregate: Arc<dyn Aggregate> = match name {
        "COUNT" => count(call)?,
        "SUM" | "$SUM0" => sum(name, call)?,
        "AVG" => average(call)?,
        "MIN" => extreme(name, Choice::Least, call)?,
        "MAX" => extreme(name, Choice::Greatest, call)?,
        "FIRST_VALUE" => edge(name, Choice::First, call)?,
        "LAST_VALUE" => edge(name, Choice::Last, call)?,
        "SINGLE_VALUE" => {
            let arg = single(name, call)?;
            Arc::new(Single::new(arg.clone().with_nullable(true)))
        }
        "ROW_NUMBER" => Arc::new(Count::new()),
        "LAG" => lag(call)?,
        "COLLECT" => Arc::new(Collect::new(single(name, call)?.clone())),
        "LISTAGG" => list_agg(call)?,
        "JSON_ARRAYAGG" | "JSON_OBJECTAGG" => json_agg(name, call)?,
        "APPROX_COUNT_DISTINCT" => approximate_count(name, call)?,
        _ => {
            let arg = number(name, call)?;
            let return_type = null_if_empty(average_kind(&arg.kind), arg, call);
            Arc::new(Variance::new(name, arg, return_type)?)
        }
    };
    // An extreme value of a set is that of its distinct values.
    let distinct = (call.distinct && !matches!(name, "MIN" | "MAX")) || name.starts_with("APPROX");
    let aggregate = if distinct {
        let args = columns
            .iter()
            .map(|column| arrow_type(&call.args[*column].ty.kind));
        Arc::new(Distinct::new(aggregate, args.collect()))
    } else {
        aggregate
    };
    Ok(BoundAggregate {
        name,
        columns,
        aggregate,
    })
}

/// Returns what is wrong with a name that is no aggregate's.
fn unknown(call: &AggregateCall<'_>) -> CallError {
    let mut bounded = BOUNDED_NAMES.iter();
    let name = bounded.find(|known| known.eq_ignore_ascii_case(call.name));
    match name {
        Some(name) if call.over && !call.bounded => CallError::Argument {
            index: 0,
            message: format!("{name} Function is not supported in stream mode."),
        },
        _ => CallError::NotYet {
            what: format!("the aggregate function {}", call.name),
        },
    }
}

fn count(call: &AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, CallError> {
    if call.args.len() > 1 {
        return Err(CallError::Argument {
            index: 1,
            message: "We now only support the count of one field.".to_owned(),
        });
    }
    Ok(Arc::new(Count::new()))
}

/// Returns the one argument of a function over numbers.
fn number<'a>(name: &str, call: &'a AggregateCall<'_>) -> Result<&'a FlinkType, CallError> {
    let arg = single(name, call)?;
    if arg.kind.is_numeric() {
        return Ok(arg);
    }
    Err(CallError::ArgumentTypes {
        function: name.to_owned(),
        given: arg.to_string(),
    })
}

/// Returns the type of the only argument.
pub(super) fn single<'a>(
    name: &str,
    call: &'a AggregateCall<'_>,
) -> Result<&'a FlinkType, CallError> {
    match call.args {
        [arg] => Ok(&arg.ty),
        args => Err(CallError::ArgumentCount {
            function: name.to_owned(),
            expected: "1 argument".to_owned(),
            given: args.len(),
        }),
    }
}

/// Returns the type of a result that is NULL where there is no row or no value.
pub(super) fn null_if_empty(
    kind: TypeKind,
    arg: &FlinkType,
    call: &AggregateCall<'_>,
) -> FlinkType {
    FlinkType {
        kind,
        nullable: arg.nullable || call.may_be_empty,
    }
}

fn sum(name: &str, call: &AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, CallError> {
    let arg = number(name, call)?;
    let kind = match arg.kind {
        TypeKind::Decimal(_, scale) => TypeKind::Decimal(DECIMAL_PRECISION_MAX, scale),
        ref kind => kind.clone(),
    };
    let is_sum0 = name == "$SUM0";
    let return_type = if is_sum0 {
        kind.not_null()
    } else {
        null_if_empty(kind, arg, call)
    };
    Ok(Arc::new(Sum::new(return_type, is_sum0, arg)))
}

/// The least scale of an average, and of what the variance functions return.
const AVERAGE_SCALE_MIN: u8 = 6;

/// Returns the kind of an average of numbers.
pub(super) fn average_kind(arg: &TypeKind) -> TypeKind {
    match arg {
        TypeKind::Decimal(_, scale) => {
            TypeKind::Decimal(DECIMAL_PRECISION_MAX, (*scale).max(AVERAGE_SCALE_MIN))
        }
        kind => kind.clone(),
    }
}

fn average(call: &AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, CallError> {
    let arg = number("AVG", call)?;
    let return_type = null_if_empty(average_kind(&arg.kind), arg, call);
    // Over NOT NULL arguments, and before OVER, the planner writes a sum of the argument's own type.
    let narrow = !arg.nullable || call.over;
    Ok(Arc::new(Average::new(arg.clone(), return_type, narrow)))
}

fn extreme(
    name: &'static str,
    choice: Choice,
    call: &AggregateCall<'_>,
) -> Result<Arc<dyn Aggregate>, CallError> {
    let arg = single(name, call)?;
    let is_ordered = arg.kind.is_numeric()
        || arg.kind.is_datetime()
        || arg.kind.is_character()
        || arg.kind == TypeKind::Boolean;
    // MAX has no CHAR where rows only come.
    let is_missing = name == "MAX" && !call.retract && matches!(arg.kind, TypeKind::Char(_));
    if !is_ordered || is_missing {
        return Err(unsupported(name, call, arg));
    }
    let return_type = null_if_empty(arg.kind.clone(), arg, call);
    Ok(if call.retract {
        Arc::new(Ranked::new(choice, return_type))
    } else {
        Arc::new(Chosen::new(choice, return_type))
    })
}

fn edge(
    name: &'static str,
    choice: Choice,
    call: &AggregateCall<'_>,
) -> Result<Arc<dyn Aggregate>, CallError> {
    let arg = single(name, call)?;
    let is_taken =
        arg.kind.is_numeric() || matches!(arg.kind, TypeKind::Boolean | TypeKind::Varchar(_));
    if !is_taken {
        return Err(unsupported(name, call, arg));
    }
    let return_type = null_if_empty(arg.kind.clone(), arg, call);
    Ok(if call.retract {
        Arc::new(Edge::new(choice == Choice::First, return_type))
    } else {
        Arc::new(Chosen::new(choice, return_type))
    })
}

/// Flink's reasons come first, as its planner checks the mode before the arguments.
fn lag(call: &AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, CallError> {
    if call.retract {
        return Err(CallError::Argument {
            index: 0,
            message: "LAG Function with retraction is not supported in stream mode.".to_owned(),
        });
    }
    let wrong = |index: usize, message: &str| CallError::Argument {
        index,
        message: message.to_owned(),
    };
    let (value, rest) = match call.args {
        [value, rest @ ..] if rest.len() <= 2 => (value, rest),
        args => {
            return Err(CallError::ArgumentCount {
                function: "LAG".to_owned(),
                expected: "1 to 3 arguments".to_owned(),
                given: args.len(),
            });
        }
    };
    let distance = match rest.first() {
        None => 1,
        Some(arg) => whole_literal(arg)
            .and_then(|distance| usize::try_from(distance).ok())
            .ok_or_else(|| {
                wrong(
                    1,
                    "the offset of LAG must be a literal that is not negative",
                )
            })?,
    };
    let default = match rest.get(1) {
        None => None,
        Some(arg) => {
            let literal = arg.literal.as_ref();
            let literal =
                literal.ok_or_else(|| wrong(2, "the default of LAG must be a literal"))?;
            Some(cast_literal(literal, &value.ty)?)
        }
    };
    let return_type = FlinkType {
        kind: value.ty.kind.clone(),
        nullable: rest.get(1).is_none_or(|arg| arg.ty.nullable),
    };
    Ok(Arc::new(Lag::new(return_type, distance, default)))
}

/// Returns the value of a literal that is a whole number.
fn whole_literal(arg: &Arg) -> Option<i64> {
    let literal = arg.literal.as_ref()?;
    let wide = cast_literal(literal, &TypeKind::BigInt.nullable()).ok()?;
    let values = wide.as_primitive_opt::<Int64Type>()?;
    (arg.ty.kind.is_numeric() && values.is_valid(0)).then(|| values.value(0))
}

/// Returns a literal as a value of another type.
fn cast_literal(literal: &Literal, to: &FlinkType) -> Result<ArrayRef, CallError> {
    let ctx = BindContext::default();
    let (kernel, _) = bind_cast(&literal.ty, to, CastMode::Cast, &ctx)?;
    let column = Column::Array(Arc::clone(&literal.value));
    let cast = kernel.evaluate(&[column], 1, &EvalContext { now_ms: 0 });
    cast.map(|column| Arc::clone(column.array()))
        .map_err(|error| CallError::Argument {
            index: 2,
            message: error.message,
        })
}

fn list_agg(call: &AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, CallError> {
    let given = || {
        let types: Vec<String> = call.args.iter().map(|arg| arg.ty.to_string()).collect();
        CallError::ArgumentTypes {
            function: "LISTAGG".to_owned(),
            given: types.join(", "),
        }
    };
    let separator = match call.args {
        [_] => SEPARATOR.to_owned(),
        [_, separator] => literal_text(separator).ok_or_else(given)?,
        args => {
            return Err(CallError::ArgumentCount {
                function: "LISTAGG".to_owned(),
                expected: "1 or 2 arguments".to_owned(),
                given: args.len(),
            });
        }
    };
    let arg = &call.args[0].ty;
    if !arg.kind.is_character() {
        return Err(given());
    }
    let return_type = FlinkType::string().with_nullable(arg.nullable);
    Ok(Arc::new(ListAgg::new(return_type, separator, call.retract)))
}

/// The length of the texts that the JSON aggregates return.
const JSON_LENGTH: u32 = 2000;

fn json_agg(name: &str, call: &AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, CallError> {
    let is_object = name == "JSON_OBJECTAGG";
    let value = match call.args {
        [value] if !is_object => value,
        [key, value] if is_object && key.ty.kind.is_character() => value,
        args => {
            let types: Vec<String> = args.iter().map(|arg| arg.ty.to_string()).collect();
            return Err(CallError::ArgumentTypes {
                function: name.to_owned(),
                given: types.join(", "),
            });
        }
    };
    let return_type = TypeKind::Varchar(JSON_LENGTH).not_null();
    let is_absent = call.absent_on_null.unwrap_or(!is_object);
    JsonAgg::new(&value.ty, return_type, is_absent, is_object)
        .map(|aggregate| Arc::new(aggregate) as Arc<dyn Aggregate>)
        .map_err(|message| CallError::Argument {
            index: call.args.len() - 1,
            message,
        })
}

/// Counts exactly, which is within the promised error.
fn approximate_count(
    name: &'static str,
    call: &AggregateCall<'_>,
) -> Result<Arc<dyn Aggregate>, CallError> {
    let arg = single(name, call)?;
    if !call.bounded {
        return Err(CallError::Argument {
            index: 0,
            message: "APPROX_COUNT_DISTINCT aggregate function does not support yet for streaming."
                .to_owned(),
        });
    }
    if !(arg.kind.is_numeric() || arg.kind.is_datetime() || arg.kind.is_character()) {
        return Err(unsupported(name, call, arg));
    }
    Ok(Arc::new(Count::new()))
}

/// Returns the factory's refusal of a type.
pub(super) fn unsupported(name: &str, call: &AggregateCall<'_>, arg: &FlinkType) -> CallError {
    let name = match name {
        "MIN" => "Min",
        "MAX" => "Max",
        other => other,
    };
    let variant = if call.retract { " with retract" } else { "" };
    CallError::Argument {
        index: 0,
        message: format!(
            "{name}{variant} aggregate function does not support type: '{arg}'. Please re-check the data type."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Literal;

    fn arg(kind: TypeKind) -> Arg {
        Arg {
            ty: kind.nullable(),
            literal: None,
        }
    }

    fn not_null(kind: TypeKind) -> Arg {
        Arg {
            ty: kind.not_null(),
            literal: None,
        }
    }

    fn text(value: &str) -> Arg {
        let ty = TypeKind::Char(1).not_null();
        let value: ArrayRef = Arc::new(arrow_array::StringViewArray::from(vec![value]));
        Arg {
            ty: ty.clone(),
            literal: Some(Literal { ty, value }),
        }
    }

    fn call<'a>(name: &'a str, args: &'a [Arg]) -> AggregateCall<'a> {
        AggregateCall {
            name,
            args,
            distinct: false,
            may_be_empty: false,
            retract: false,
            over: false,
            bounded: false,
            absent_on_null: None,
        }
    }

    fn ty(name: &str, args: &[Arg]) -> String {
        bind(&call(name, args)).unwrap().return_type().to_string()
    }

    const STRING: TypeKind = TypeKind::Varchar(millrace_connector::LENGTH_MAX);

    #[test]
    fn results_have_flinks_types() {
        let types = |name: &str, kinds: &[TypeKind]| -> Vec<String> {
            let kinds = kinds.iter().cloned();
            kinds.map(|kind| ty(name, &[arg(kind)])).collect()
        };
        let numbers = [
            TypeKind::TinyInt,
            TypeKind::Int,
            TypeKind::Float,
            TypeKind::Decimal(10, 2),
        ];
        assert_eq!(types("COUNT", &numbers[..1]), ["BIGINT NOT NULL"]);
        let sums = ["TINYINT", "INT", "FLOAT", "DECIMAL(38, 2)"];
        assert_eq!(types("sum", &numbers), sums);
        let averages = ["TINYINT", "INT", "FLOAT", "DECIMAL(38, 6)"];
        assert_eq!(types("AVG", &numbers), averages);
        assert_eq!(types("STDDEV_POP", &numbers), averages);
        assert_eq!(
            types("AVG", &[TypeKind::Decimal(38, 10)]),
            ["DECIMAL(38, 10)"]
        );
        assert_eq!(
            types("COLLECT", &[TypeKind::Int]),
            ["MULTISET<INT> NOT NULL"]
        );
        let json = "VARCHAR(2000) NOT NULL";
        assert_eq!(types("JSON_ARRAYAGG", &[TypeKind::Int]), [json]);
        assert_eq!(
            ty("JSON_OBJECTAGG", &[arg(STRING), arg(TypeKind::Int)]),
            json
        );
        let text_type = "VARCHAR(2147483647)";
        assert_eq!(
            ty("LISTAGG", &[arg(TypeKind::Char(3)), text("|")]),
            text_type
        );
    }

    #[test]
    fn a_result_is_not_null_where_no_group_is_empty() {
        let args = [not_null(TypeKind::Int)];
        assert_eq!(ty("SUM", &args), "INT NOT NULL");
        let empty = AggregateCall {
            may_be_empty: true,
            ..call("SUM", &args)
        };
        assert_eq!(bind(&empty).unwrap().return_type().to_string(), "INT");
        let texts = [not_null(STRING)];
        let list = AggregateCall {
            may_be_empty: true,
            ..call("LISTAGG", &texts)
        };
        let list = bind(&list).unwrap().return_type().to_string();
        assert_eq!(list, "VARCHAR(2147483647) NOT NULL");
    }

    #[test]
    fn knows_what_cannot_be_merged() {
        let args = [arg(TypeKind::Int)];
        let merges = |name| bind(&call(name, &args)).unwrap().merges();
        assert!(merges("SUM") && merges("MAX") && merges("COLLECT"));
        assert!(!merges("FIRST_VALUE") && !merges("LAST_VALUE") && !merges("JSON_ARRAYAGG"));
    }

    #[test]
    fn refuses_what_flink_refuses() {
        let row = TypeKind::Row(Vec::new());
        let refused: &[(&str, &[Arg])] = &[
            ("SUM", &[arg(STRING)]),
            ("SUM", &[]),
            ("COUNT", &[arg(STRING), arg(STRING)]),
            ("MAX", &[arg(row)]),
            ("MAX", &[arg(TypeKind::Char(3))]),
            ("LISTAGG", &[arg(TypeKind::Int)]),
            ("LISTAGG", &[arg(STRING), arg(STRING)]),
            ("LAST_VALUE", &[arg(TypeKind::Date)]),
            ("APPROX_COUNT_DISTINCT", &[arg(TypeKind::Int)]),
            ("JSON_ARRAYAGG", &[arg(TypeKind::Date)]),
            ("ROW_NUMBER", &[]),
            ("NO_SUCH", &[]),
        ];
        for (name, args) in refused {
            assert!(bind(&call(name, args)).is_err(), "{name}");
        }
        let lead = AggregateCall {
            over: true,
            ..call("LEAD", &[])
        };
        let error = bind(&lead).unwrap_err().to_string();
        assert_eq!(error, "LEAD Function is not supported in stream mode.");
    }
}
