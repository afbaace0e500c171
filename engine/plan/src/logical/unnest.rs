//! UNNEST: its input's columns, and a row for each element of a collection.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_schema::FieldRef;
use datafusion_common::{DFSchema, DFSchemaRef, Result, TableReference, internal_err};
use datafusion_expr::{Expr as DfExpr, LogicalPlan, UserDefinedLogicalNodeCore};
use millrace_program::ExprRef;

use super::bound::{BoundColumn, BoundQuery, unique_names};
use super::call::{shown, to_plan_expr};
use super::field;

/// What UNNEST adds to its input.
#[derive(Clone, Debug)]
pub(crate) struct UnnestSpec {
    /// The qualifier of the columns, which no input has.
    pub(crate) qualifier: String,
    /// Whether a row without elements stays.
    pub(crate) outer: bool,
    /// Whether the element's number comes behind it.
    pub(crate) ordinality: bool,
    /// The columns.
    pub(crate) added: Vec<BoundColumn>,
}

/// The node.
#[derive(Clone, Debug)]
pub(crate) struct UnnestNode {
    pub(crate) input: LogicalPlan,
    pub(crate) collection: DfExpr,
    /// Whether a row without elements stays.
    pub(crate) outer: bool,
    /// Whether the element's number comes behind it.
    pub(crate) ordinality: bool,
    qualifier: TableReference,
    /// The fields behind those of the input.
    added: Vec<FieldRef>,
    schema: DFSchemaRef,
}

impl UnnestNode {
    pub(crate) fn new(input: &BoundQuery, collection: &ExprRef, spec: UnnestSpec) -> Result<Self> {
        let names = unique_names(spec.added.iter().map(|column| column.name.as_str()));
        let fields = names.iter().zip(&spec.added);
        let fields = fields.map(|(name, column)| field::field(name, &column.ty, column.time));
        let node = Self {
            input: input.plan.as_ref().clone(),
            collection: to_plan_expr(collection, input.plan.schema(), None),
            outer: spec.outer,
            ordinality: spec.ordinality,
            qualifier: TableReference::bare(spec.qualifier),
            added: fields.collect(),
            schema: Arc::clone(input.plan.schema()),
        };
        node.with_schema()
    }

    /// Computes the schema from the input's.
    fn with_schema(mut self) -> Result<Self> {
        let own = self.input.schema();
        let mut fields: Vec<_> = own
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        let added = self.added.iter();
        fields.extend(added.map(|field| (Some(self.qualifier.clone()), Arc::clone(field))));
        let schema = DFSchema::new_with_metadata(fields, own.metadata().clone())?;
        self.schema = Arc::new(schema);
        Ok(self)
    }
}

impl PartialEq for UnnestNode {
    fn eq(&self, other: &Self) -> bool {
        self.input == other.input
            && self.collection == other.collection
            && (self.outer, self.ordinality) == (other.outer, other.ordinality)
            && self.qualifier == other.qualifier
            && self.added == other.added
    }
}

impl Eq for UnnestNode {}

impl Hash for UnnestNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.collection.hash(state);
    }
}

impl PartialOrd for UnnestNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for UnnestNode {
    fn name(&self) -> &str {
        "Unnest"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<DfExpr> {
        vec![self.collection.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outer = if self.outer { " OUTER" } else { "" };
        let collection = shown(&self.collection, self.input.schema());
        write!(f, "Unnest{outer}: {collection}")
    }

    fn with_exprs_and_inputs(
        &self,
        mut exprs: Vec<DfExpr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let (Some(collection), Some(input)) = (exprs.pop(), inputs.pop()) else {
            return internal_err!("UNNEST has one input and one collection");
        };
        let node = Self {
            input,
            collection,
            ..self.clone()
        };
        node.with_schema()
    }

    /// The columns of the input that are passed on; those of the collection are always there.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        let passed = output_columns.iter().copied();
        Some(vec![passed.filter(|column| *column < width).collect()])
    }
}
