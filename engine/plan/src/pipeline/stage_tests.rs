//! Nodes with state on their way from a logical plan to stages of a dataflow.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int32Array, StringViewArray};
use datafusion_common::Result as PlanResult;
use millrace_connector::{Span, TypeKind};
use millrace_operators::{Batch, Context, Operator, OperatorError, Output, SinkPort};
use millrace_program::OutputColumn;

use super::*;
use crate::edge::EdgeCasts;
use crate::explain::{logical, physical};
use crate::logical::{BoundColumn, StateSpec};

/// A node that hands its first input on.
#[derive(Debug)]
struct Same {
    columns: Vec<OutputColumn>,
}

impl StateSpec for Same {
    fn name(&self) -> &str {
        "Same"
    }

    fn describe(&self, inputs: &[Vec<String>]) -> String {
        inputs[0].join(", ")
    }

    fn stream_node(&self) -> PlanResult<Arc<dyn StreamNode>> {
        Ok(Arc::new(Self {
            columns: self.columns.clone(),
        }))
    }
}

impl StreamNode for Same {
    fn name(&self) -> &'static str {
        "Same"
    }

    fn describe(&self) -> String {
        format!("{} columns", self.columns.len())
    }

    fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    fn operator(&self) -> Box<dyn Operator> {
        Box::new(HandsOn)
    }
}

struct HandsOn;

impl Operator for HandsOn {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        out.batch(batch);
        Ok(())
    }
}

const TABLES: &str = "
    CREATE TABLE src (k INT, s STRING, unread INT) WITH ('connector' = 'x');
    CREATE TABLE a (k INT) WITH ('connector' = 'x');
    CREATE TABLE b (k INT) WITH ('connector' = 'x');";

/// Plans tables, and puts a node with state over a query; the view `v` reads it.
fn planner(query: &str, statements: &str) -> Planner {
    let parsed = millrace_sql::parse(&format!("{TABLES} CREATE VIEW below AS {query};"));
    assert_eq!(parsed.diagnostics, []);
    let mut planner = Planner::new(&parsed.statements, &Settings::default()).expect("no settings");
    for statement in &parsed.statements {
        planner.statement(statement);
    }
    let below = millrace_sql::parse("SELECT * FROM below;");
    let Statement::Query(ast) = &below.statements[0].value else {
        panic!("a query");
    };
    let bound = planner.binder().query(ast).expect("the view is there");
    let columns = explained::outputs(&bound);
    let own: Vec<BoundColumn> = bound.columns.clone();
    let node = BoundQuery::stateful(vec![bound], Arc::new(Same { columns }), own).expect("it fits");
    let name = millrace_sql::parse("DROP VIEW v;");
    let Statement::DropView(drop) = &name.statements[0].value else {
        panic!("a name");
    };
    let creation = Creation {
        temporary: false,
        if_not_exists: false,
        or_replace: false,
    };
    let entry = Entry::View(Arc::new(node));
    planner
        .catalog
        .define(&drop.name, entry, creation, &mut planner.diagnostics);
    let rest = millrace_sql::parse(statements);
    for statement in &rest.statements {
        planner.statement(statement);
    }
    assert_eq!(planner.diagnostics, []);
    planner
}

#[test]
fn a_node_becomes_one_stage_of_all_inserts_that_read_it() {
    let planner = planner(
        "SELECT k, UPPER(s) AS u FROM src WHERE k > 0 UNION ALL SELECT 7, 'x'",
        "INSERT INTO a SELECT k + 1 FROM v WHERE u <> ''; INSERT INTO b SELECT k FROM v;",
    );
    let pipeline = planner.finish().expect("nothing is wrong");
    assert_eq!(pipeline.flows.len(), 1);
    let flow = &pipeline.flows[0];
    assert_eq!(flow.stages.len(), 1);
    let stage = &flow.stages[0];
    assert_eq!((stage.branches.len(), stage.feeds.len()), (2, 0));
    assert_eq!([stage.branches[0].sink, stage.branches[1].sink], [0, 1]);
    assert_eq!(flow.sources.len(), 2);
    assert!(flow.sources[1].is_one_row);
    for source in &flow.sources {
        assert_eq!((source.branches.len(), source.feeds.len()), (0, 1));
        assert_eq!((source.feeds[0].stage, source.feeds[0].input), (0, 0));
        assert_eq!(source.feeds[0].program.outputs().len(), 2);
    }
    assert_eq!(flow.sources[0].projection.columns, [0, 1]);
    assert!(
        flow.to_string().contains("stage 0 Same: 2 columns"),
        "{flow}"
    );
}

/// Rows that reached sinks: the sink, then the column.
#[derive(Default)]
struct Sinks(Vec<(usize, Vec<i32>)>);

impl SinkPort for Sinks {
    fn write(&mut self, sink: usize, batch: Batch) -> Result<(), OperatorError> {
        let column = batch.columns[0].as_primitive::<Int32Type>();
        self.0.push((sink, column.values().to_vec()));
        Ok(())
    }
}

#[test]
fn rows_go_through_the_graph_of_a_dataflow() {
    let planner = planner(
        "SELECT k, UPPER(s) AS u FROM src WHERE k > 0",
        "INSERT INTO a SELECT k + 1 FROM v WHERE u <> 'B'; INSERT INTO b SELECT k FROM v;",
    );
    let pipeline = planner.finish().expect("nothing is wrong");
    let flow = &pipeline.flows[0];
    let none = EdgeCasts::default();
    let (mut graph, nodes) = flow.graph(std::slice::from_ref(&none), &[none.clone(), none.clone()]);
    let stages = nodes.iter().filter(|node| **node == GraphNode::Stage(0));
    assert_eq!((stages.count(), nodes.len()), (1, 4));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![0, 1, 2])),
        Arc::new(StringViewArray::from(vec!["a", "b", "c"])),
    ];
    let mut sinks = Sinks::default();
    let batch = Batch::inserts(columns, 3);
    graph
        .batch(0, batch, 0, &mut sinks)
        .expect("nothing can fail");
    assert_eq!(sinks.0, [(0, vec![3]), (1, vec![1, 2])]);
}

#[test]
fn explain_shows_a_node_with_state() {
    let mut planner = planner(
        "SELECT k FROM src",
        "INSERT INTO a SELECT k FROM v WHERE k > 1;",
    );
    let insert = &planner.inserts[0];
    let optimised = optimise(insert.plan()).expect("rules fit");
    let shown = logical::tree(&optimised).to_string();
    assert!(shown.contains("Same: k  [k INT]"), "{shown}");
    let mut made = Made::default();
    let mut walk = Walk {
        not_null: NotNullEnforcer::Error,
        diagnostics: &mut planner.diagnostics,
        made: &mut made,
    };
    let plan = walk.sink(&optimised).expect("all nodes are known");
    let shown = physical::tree(&plan).to_string();
    assert!(shown.contains("Same: 1 columns  [k INT]"), "{shown}");
    assert!(shown.contains("| where (k > 1)"), "{shown}");
}

#[test]
fn a_node_that_yields_other_types_than_it_says_is_an_internal_error() {
    let mut planner = planner("SELECT k FROM src", "");
    let query = millrace_sql::parse("SELECT * FROM v;");
    let Statement::Query(ast) = &query.statements[0].value else {
        panic!("a query");
    };
    let bound = planner.binder().query(ast).expect("the view is there");
    let mut columns = bound.columns.clone();
    columns[0].ty = TypeKind::BigInt.nullable();
    let spec = Same {
        columns: explained::outputs(&bound),
    };
    let wrong = BoundQuery::stateful(vec![bound], Arc::new(spec), columns).expect("it is built");
    let found = planner.query_programs(&wrong, Span::default());
    assert!(found.is_none());
    let fault = &planner.diagnostics[0];
    assert_eq!(fault.code, "MR0508");
    assert!(
        fault
            .message
            .contains("column k is INT, but BIGINT in Same"),
        "{}",
        fault.message
    );
}
