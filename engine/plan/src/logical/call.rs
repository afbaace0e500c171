//! Bound expressions inside DataFusion's plans, and back.
//!
//! A bound expression is one opaque function of the columns that it reads. DataFusion's rules see what it reads, its
//! type and its volatility, and nothing of what it does: they can move it and replace its arguments, but not reorder AND,
//! fold a constant or evaluate what a CASE skips. Back in the physical planning the original [`ExprRef`] comes out
//! again, so expressions that share a node still share it.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, internal_err};
use datafusion_expr::{
    BinaryExpr, ColumnarValue, Expr as DfExpr, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility as PlanVolatility,
};
use millrace_connector::{Span, TypeKind};
use millrace_functions::{EvalContext, Volatility};
use millrace_program::{
    Expr, ExprKind, ExprRef, LaneProgram, NotNullEnforcer, OutputColumn, ProgramSource, ShownExpr,
};

use super::bound::{TimeAttribute, plan_column};
use super::field;

/// A bound expression as a function of the columns that it reads.
#[derive(Debug)]
pub(crate) struct BoundCall {
    expr: ExprRef,
    /// The columns of its input that it reads, ascending: its arguments.
    columns: Vec<usize>,
    field: FieldRef,
    signature: Signature,
    name: String,
}

impl BoundCall {
    fn new(expr: &ExprRef, time: Option<TimeAttribute>) -> Self {
        let mut facts = Facts::default();
        facts.visit(expr);
        let columns: Vec<usize> = facts.columns.into_iter().collect();
        let volatility = if facts.is_volatile {
            PlanVolatility::Volatile
        } else {
            PlanVolatility::Immutable
        };
        let signature = match columns.len() {
            0 => Signature::nullary(volatility),
            count => Signature::any(count, volatility),
        };
        Self {
            field: field::field("value", &expr.ty, time),
            name: head(expr).to_owned(),
            expr: Arc::clone(expr),
            columns,
            signature,
        }
    }
}

/// What DataFusion must know of an expression.
#[derive(Default)]
struct Facts {
    columns: BTreeSet<usize>,
    /// Whether equal arguments may give different values at another time or for another row.
    is_volatile: bool,
    seen: HashSet<*const Expr>,
}

impl Facts {
    fn visit(&mut self, expr: &ExprRef) {
        if !self.seen.insert(Arc::as_ptr(expr)) {
            return;
        }
        match &expr.kind {
            ExprKind::Column(index) => {
                self.columns.insert(*index);
            }
            ExprKind::Call(call) => {
                self.is_volatile |= call.volatility != Volatility::Deterministic;
            }
            _ => {}
        }
        expr.for_each_child(|child| self.visit(child));
    }
}

/// Returns the name of an expression's outermost part.
fn head(expr: &Expr) -> &str {
    match &expr.kind {
        ExprKind::Column(_) => "column",
        ExprKind::Literal(_) => "literal",
        ExprKind::Call(call) => call.name,
        ExprKind::And(_) => "AND",
        ExprKind::Or(_) => "OR",
        ExprKind::Case { .. } => "CASE",
        ExprKind::Coalesce(_) => "COALESCE",
        ExprKind::Retype(inner) => head(inner),
    }
}

/// Two calls are equal if they are the same expression: what differs in arguments only is seen by their plan.
impl PartialEq for BoundCall {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.expr, &other.expr)
    }
}

impl Eq for BoundCall {}

impl Hash for BoundCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.expr).hash(state);
    }
}

impl ScalarUDFImpl for BoundCall {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    /// Evaluates it by a lane program of its own, lazily as Flink does. `Fuse` folds filters and projections into one program, so
    /// this runs only where DataFusion itself asks for a value.
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.signature.volatility == PlanVolatility::Volatile {
            return internal_err!("{} needs the clock or chance of a fused node", self.name);
        }
        let rows = args.number_rows;
        let width = self.columns.last().map_or(0, |last| last + 1);
        let program = LaneProgram::compile(ProgramSource {
            width,
            unnests: &[],
            filters: &[],
            projection: std::slice::from_ref(&self.expr),
            outputs: vec![OutputColumn {
                name: self.name.clone(),
                ty: self.expr.ty.clone(),
                enforced: false,
            }],
            not_null: NotNullEnforcer::Error,
        });
        let given = args.args.iter().map(|arg| arg.to_array(rows));
        let given = given.collect::<Result<Vec<_>>>()?;
        // The program takes the columns that it reads, in the order in which the arguments stand.
        let nowhere = arrow_array::new_null_array(&DataType::Null, 0);
        let mut input = vec![nowhere; width];
        for (column, array) in self.columns.iter().zip(given) {
            input[*column] = array;
        }
        let output = program
            .run(&input, rows, &EvalContext { now_ms: 0 })
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let column = output.columns.into_iter().next();
        match column {
            Some(column) => Ok(ColumnarValue::Array(column)),
            None => internal_err!("{} gives no column", self.name),
        }
    }
}

/// Returns an expression over the input's columns as a plan holds it. A column stays a column, so that rules see it
/// passed on; anything else is one opaque call.
pub(crate) fn to_plan_expr(
    expr: &ExprRef,
    schema: &DFSchema,
    time: Option<TimeAttribute>,
) -> DfExpr {
    if let ExprKind::Column(index) = expr.kind {
        let own = schema.field(index);
        let same_type = field::type_of(own) == Some(expr.ty.to_string().as_str());
        let same_time = field::time_of(own) == time.map(|time| time.to_string()).as_deref();
        if same_type && same_time {
            return plan_column(schema, index);
        }
    }
    let call = BoundCall::new(expr, time);
    let args = call.columns.iter().map(|index| plan_column(schema, *index));
    let args = args.collect();
    ScalarUDF::new_from_impl(call).call(args)
}

/// Turns a plan's expressions into bound ones over whatever `values` are over. One instance serves all expressions of a
/// node, so that what they share stays shared.
pub(crate) struct Restorer<'a> {
    schema: &'a DFSchema,
    /// The fields of each name: those of a join may share one.
    places: HashMap<&'a str, Vec<usize>>,
    /// The values of the schema's fields.
    values: &'a [ExprRef],
    /// Substitutions made so far, for each way of filling in the columns. Rules fill in the same for all expressions of
    /// a node, so there is almost always one.
    fillings: Vec<Filling>,
}

#[derive(Default)]
struct Filling {
    columns: HashMap<usize, ExprRef>,
    done: HashMap<*const Expr, ExprRef>,
}

impl<'a> Restorer<'a> {
    pub(crate) fn new(schema: &'a DFSchema, values: &'a [ExprRef]) -> Self {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, field) in schema.fields().iter().enumerate() {
            places.entry(field.name()).or_default().push(index);
        }
        Self {
            schema,
            places,
            values,
            fillings: Vec::new(),
        }
    }

    /// Returns the bound expression.
    ///
    /// # Errors
    /// An expression that no binder and no rule of ours makes.
    pub(crate) fn restore(&mut self, expr: &DfExpr) -> Result<ExprRef> {
        match expr {
            DfExpr::Column(column) => {
                let index = match self.places.get(column.name()).map(Vec::as_slice) {
                    Some([only]) => *only,
                    _ => self.schema.index_of_column(column)?,
                };
                Ok(Arc::clone(&self.values[index]))
            }
            DfExpr::Alias(alias) => self.restore(&alias.expr),
            DfExpr::ScalarFunction(function) => {
                let Some(call) = function.func.inner().downcast_ref::<BoundCall>() else {
                    return internal_err!("{} is no function of ours", function.func.name());
                };
                let args = function.args.iter().map(|arg| self.restore(arg));
                let args = args.collect::<Result<Vec<_>>>()?;
                Ok(self.fill_in(call, &args))
            }
            DfExpr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::And,
                right,
            }) => {
                let parts = vec![self.restore(left)?, self.restore(right)?];
                let nullable = parts.iter().any(|part| part.ty.nullable);
                let ty = TypeKind::Boolean.nullable().with_nullable(nullable);
                Ok(Expr::new(ExprKind::And(parts), ty, Span::default()))
            }
            DfExpr::Literal(value @ ScalarValue::Boolean(_), _) => {
                let ty = TypeKind::Boolean.nullable().with_nullable(value.is_null());
                Ok(Expr::new(
                    ExprKind::Literal(value.to_array()?),
                    ty,
                    Span::default(),
                ))
            }
            other => internal_err!("the expression {other} is none of ours"),
        }
    }

    /// Returns the parts of a filter, all of which must be TRUE, in their order.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub(crate) fn conjuncts(&mut self, predicate: &DfExpr) -> Result<Vec<ExprRef>> {
        let parts = datafusion_expr::utils::split_conjunction(predicate);
        parts.into_iter().map(|part| self.restore(part)).collect()
    }

    /// Puts arguments in place of the columns that a call reads.
    fn fill_in(&mut self, call: &BoundCall, args: &[ExprRef]) -> ExprRef {
        let given = || call.columns.iter().zip(args);
        let fits = |filling: &Filling| {
            given().all(|(column, arg)| {
                let known = filling.columns.get(column);
                known.is_none_or(|known| Arc::ptr_eq(known, arg))
            })
        };
        let place = match self.fillings.iter().position(fits) {
            Some(place) => place,
            None => {
                self.fillings.push(Filling::default());
                self.fillings.len() - 1
            }
        };
        let filling = &mut self.fillings[place];
        for (column, arg) in given() {
            filling.columns.insert(*column, Arc::clone(arg));
        }
        filling.substitute(&call.expr)
    }
}

impl Filling {
    fn substitute(&mut self, expr: &ExprRef) -> ExprRef {
        if let ExprKind::Column(index) = expr.kind {
            return Arc::clone(&self.columns[&index]);
        }
        if let Some(known) = self.done.get(&Arc::as_ptr(expr)) {
            return Arc::clone(known);
        }
        let replaced = expr.map_children(|child| self.substitute(child));
        self.done.insert(Arc::as_ptr(expr), Arc::clone(&replaced));
        replaced
    }
}

/// Returns a plan's expression as a person writes it.
pub(crate) fn shown(expr: &DfExpr, schema: &DFSchema) -> String {
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let values: Vec<ExprRef> = (0..names.len())
        .map(|index| {
            let ty = TypeKind::Null.nullable();
            Expr::new(ExprKind::Column(index), ty, Span::default())
        })
        .collect();
    match Restorer::new(schema, &values).restore(expr) {
        Ok(restored) => ShownExpr {
            expr: &restored,
            names: &names,
        }
        .to_string(),
        Err(_) => expr.to_string(),
    }
}
