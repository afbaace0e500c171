//! A bound query: a logical plan, and what Flink's types and messages need to know of its columns.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion_common::{Column, DFSchema, DataFusionError, TableReference};
use datafusion_expr::{
    EmptyRelation, Expr as DfExpr, Extension, Filter, LogicalPlan, Projection, SubqueryAlias,
    TableScanBuilder, Union,
};
use millrace_connector::{FlinkType, Span};
use millrace_operators::WindowProperty;
use millrace_program::{Expr, ExprKind, ExprRef};

use super::call::to_plan_expr;
use super::state::WindowTable;
use super::table::PlannedTable;
use super::unnest::{UnnestNode, UnnestSpec};
use crate::catalog::Table;

/// What a column says of time.
///
/// # Flink
/// `TimestampKind`: a column that is passed on unchanged stays an attribute; any computation makes it a plain timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeAttribute {
    /// Event time: the table's WATERMARK is for it.
    Rowtime,
    /// Processing time.
    Proctime,
}

impl fmt::Display for TimeAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rowtime => "ROWTIME",
            Self::Proctime => "PROCTIME",
        })
    }
}

/// A column of a query.
#[derive(Clone, Debug)]
pub(crate) struct BoundColumn {
    pub(crate) name: String,
    pub(crate) ty: FlinkType,
    pub(crate) span: Span,
    pub(crate) time: Option<TimeAttribute>,
    /// Set where it is a column of a window.
    pub(crate) window: Option<WindowColumn>,
    /// Whether it numbers the rows of an OVER window, and nothing else does there: with a bound it is a Top-N.
    pub(crate) is_rank: bool,
    /// The time attribute that its type names although it is none any more: of a join's or a GROUP BY's columns.
    pub(crate) said: Option<TimeAttribute>,
}

/// What a column says of the window that its row is in.
#[derive(Clone, Debug)]
pub(crate) struct WindowColumn {
    pub(crate) property: WindowProperty,
    pub(crate) table: Arc<WindowTable>,
}

impl BoundColumn {
    /// Returns a column that is no time attribute.
    pub(crate) fn plain(name: impl Into<String>, ty: FlinkType, span: Span) -> Self {
        Self {
            name: name.into(),
            ty,
            span,
            time: None,
            window: None,
            is_rank: false,
            said: None,
        }
    }
}

/// A query whose names are resolved: column `i` is field `i` of the plan's schema.
#[derive(Clone, Debug)]
pub(crate) struct BoundQuery {
    pub(crate) plan: Arc<LogicalPlan>,
    pub(crate) columns: Vec<BoundColumn>,
    pub(crate) size: PlanSize,
}

/// How large a plan is. Rules copy what is read twice, so a view counts as often as it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlanSize {
    /// Its nodes.
    pub(crate) nodes: usize,
    /// The nodes on the longest way from its root to a leaf.
    pub(crate) depth: usize,
    /// The columns of all nodes.
    pub(crate) fields: usize,
}

impl PlanSize {
    /// Returns the size of a plan with one node of `width` columns on top of these.
    pub(crate) fn over(inputs: impl IntoIterator<Item = Self>, width: usize) -> Self {
        let mut size = Self {
            nodes: 1,
            depth: 1,
            fields: width,
        };
        for input in inputs {
            size.nodes = size.nodes.saturating_add(input.nodes);
            size.depth = size.depth.max(input.depth + 1);
            size.fields = size.fields.saturating_add(input.fields);
        }
        size
    }
}

/// What DataFusion refuses here was refused by the binder before: all its errors are our own mistakes.
pub(crate) type Built<T> = Result<T, DataFusionError>;

impl BoundQuery {
    /// Returns one row without columns.
    pub(crate) fn one_row() -> Self {
        let plan = LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: true,
            schema: Arc::new(DFSchema::empty()),
        });
        Self {
            plan: Arc::new(plan),
            columns: Vec::new(),
            size: PlanSize::over([], 0),
        }
    }

    /// Returns a table's rows. Its computed columns have no value yet: see [`BoundQuery::computed`].
    pub(crate) fn scan(table: &Arc<Table>, span: Span) -> Built<Self> {
        let source = PlannedTable::new(Arc::clone(table));
        let columns: Vec<BoundColumn> = source.columns(span);
        let name = TableReference::bare(table.definition.name.value.as_str());
        let scan = TableScanBuilder::new(name, Arc::new(source)).build()?;
        Ok(Self {
            plan: Arc::new(LogicalPlan::TableScan(scan)),
            columns,
            size: PlanSize::over([], table.definition.columns.len()),
        })
    }

    /// Computes the columns of a table over its scan.
    pub(crate) fn computed(self, table: &Table) -> Built<Self> {
        let is_own = |(index, value): (usize, &ExprRef)| matches!(value.kind, ExprKind::Column(column) if column == index);
        if table.values.iter().enumerate().all(is_own) {
            return Ok(self);
        }
        let columns = self.columns.clone();
        let items = columns
            .into_iter()
            .zip(&table.values)
            .map(|(column, value)| {
                let mut item = self.item(column.name.clone(), value);
                item.span = column.span;
                if column.time.is_some() {
                    item.time = column.time;
                }
                item.ty = value.ty.clone();
                (item, value.clone())
            });
        let items = items.collect();
        self.project(items)
    }

    /// Returns names and types of the columns, as Flink shows them.
    pub(crate) fn shown_types(&self, is_bounded: bool) -> Vec<(String, String)> {
        let columns = self.columns.iter();
        columns
            .map(|column| {
                let ty = match column.said.or(column.time).filter(|_| !is_bounded) {
                    Some(time) => format!("{} *{time}*", column.ty),
                    None => column.ty.to_string(),
                };
                (column.name.clone(), ty)
            })
            .collect()
    }

    /// Returns how many columns it has.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns column `index` as an expression over this query.
    pub(crate) fn column(&self, index: usize) -> ExprRef {
        let column = &self.columns[index];
        Expr::new(ExprKind::Column(index), column.ty.clone(), column.span)
    }

    /// Returns a column for an item of a SELECT list. A column that is passed on stays a time attribute.
    pub(crate) fn item(&self, name: String, expr: &ExprRef) -> BoundColumn {
        let mut item = BoundColumn::plain(name, expr.ty.clone(), expr.span);
        match &expr.kind {
            ExprKind::Column(index) => {
                let column = &self.columns[*index];
                item.time = column.time;
                item.window.clone_from(&column.window);
                item.is_rank = column.is_rank;
                item.said = column.said;
            }
            ExprKind::Call(call) if call.name == "PROCTIME" => {
                item.time = Some(TimeAttribute::Proctime);
            }
            ExprKind::Call(call) if matches!(call.name, "+" | "-" | "MINUS_DATE") => {
                item.said = self.said(call.args.first());
            }
            ExprKind::Coalesce(parts) => item.said = self.said(parts.first()),
            _ => {}
        }
        item
    }

    /// Returns the time attribute that the type of a column names.
    fn said(&self, expr: Option<&ExprRef>) -> Option<TimeAttribute> {
        match expr?.kind {
            ExprKind::Column(index) => {
                let column = self.columns.get(index)?;
                column.said.or(column.time)
            }
            _ => None,
        }
    }

    /// Keeps the rows for which `condition` is TRUE.
    pub(crate) fn filter(self, condition: &ExprRef) -> Built<Self> {
        let width = self.width();
        let predicate = to_plan_expr(condition, self.plan.schema(), None);
        let plan = LogicalPlan::Filter(Filter::try_new(predicate, self.plan)?);
        Ok(Self {
            plan: Arc::new(plan),
            columns: self.columns,
            size: PlanSize::over([self.size], width),
        })
    }

    /// Computes columns, whose expressions are over this query's.
    pub(crate) fn project(self, items: Vec<(BoundColumn, ExprRef)>) -> Built<Self> {
        let width = items.len();
        let names = unique_names(items.iter().map(|(column, _)| column.name.as_str()));
        let exprs: Vec<DfExpr> = items
            .iter()
            .zip(names)
            .map(|((column, expr), name)| {
                to_plan_expr(expr, self.plan.schema(), column.time).alias(name)
            })
            .collect();
        let plan = LogicalPlan::Projection(Projection::try_new(exprs, self.plan)?);
        Ok(Self {
            plan: Arc::new(plan),
            columns: items.into_iter().map(|(column, _)| column).collect(),
            size: PlanSize::over([self.size], width),
        })
    }

    /// Returns the rows of several queries, whose columns have the same types; the names are those of the first.
    pub(crate) fn union_all(queries: Vec<Self>) -> Built<Self> {
        let columns = queries[0].columns.clone();
        let size = PlanSize::over(queries.iter().map(|query| query.size), columns.len());
        let mut plans: Vec<_> = queries.into_iter().map(|query| query.plan).collect();
        let plan = match plans.len() {
            1 => plans.remove(0),
            _ => Arc::new(LogicalPlan::Union(Union::try_new(plans)?)),
        };
        Ok(Self {
            plan,
            columns,
            size,
        })
    }

    /// Adds the columns of a collection, with a row for each of its elements.
    pub(crate) fn unnest(self, collection: &ExprRef, unnest: UnnestSpec) -> Built<Self> {
        let added = unnest.added.clone();
        let node = UnnestNode::new(&self, collection, unnest)?;
        let mut columns = self.columns;
        columns.extend(added);
        let width = columns.len();
        Ok(Self {
            plan: extension(node),
            columns,
            size: PlanSize::over([self.size], width),
        })
    }

    /// Gives all columns a qualifier, which no other input of the same FROM has.
    pub(crate) fn qualified(self, qualifier: &str) -> Built<Self> {
        let width = self.width();
        let alias = TableReference::bare(qualifier);
        let plan = SubqueryAlias::try_new(self.plan, alias)?;
        Ok(Self {
            plan: Arc::new(LogicalPlan::SubqueryAlias(plan)),
            columns: self.columns,
            size: PlanSize::over([self.size], width),
        })
    }
}

/// Returns a plan that is one extension node.
pub(crate) fn extension<N: datafusion_expr::UserDefinedLogicalNode + 'static>(
    node: N,
) -> Arc<LogicalPlan> {
    Arc::new(LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    }))
}

/// Returns field `index` of a schema as a plan's column.
pub(crate) fn plan_column(schema: &DFSchema, index: usize) -> DfExpr {
    DfExpr::Column(Column::from(schema.qualified_field(index)))
}

/// Returns the names with a number behind those that came before. Flink allows a query to give the same name
/// twice in places; a plan's schema does not.
pub(crate) fn unique_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let mut taken: HashMap<String, ()> = HashMap::with_capacity(names.len());
    let mut unique = Vec::with_capacity(names.len());
    for name in names {
        let mut candidate = name.to_owned();
        let mut number = 2;
        while taken.contains_key(&candidate) {
            candidate = format!("{name}#{number}");
            number += 1;
        }
        taken.insert(candidate.clone(), ());
        unique.push(candidate);
    }
    unique
}
