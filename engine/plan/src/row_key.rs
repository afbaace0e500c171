//! Whether a sink's key tells the rows of a source apart.

use millrace_connector::{FlinkType, TableDefinition, TypeKind};
use millrace_functions::Volatility;

use crate::pipeline::{Branch, Sink};
use millrace_program::{Expr, ExprKind};

/// The PRIMARY KEY of a sink, and what it says about the rows of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkKey {
    /// Its columns: indexes into [`Sink::columns`]; none where the sink has no PRIMARY KEY.
    pub columns: Vec<usize>,
    /// Whether rows of equal key come from one row of the source: the source's own PRIMARY KEY is part of it.
    pub holds_source_key: bool,
    /// One of the columns that the same row does not always have the same value of: it is made of the clock or of chance.
    pub unsteady: Option<usize>,
}

/// Returns the key of the branch's sink.
///
/// # Flink
/// The upsert key that `FlinkRelMdUpsertKeys` derives through a Calc: columns that are passed on as they are, under
/// another name or under a type that keeps different values different. UNNEST makes several rows of one, which have
/// no key.
#[must_use]
pub fn sink_key(source: &TableDefinition, branch: &Branch, sink: &Sink) -> SinkKey {
    let is_key = |index: &usize| {
        let name = &sink.table.columns[*index].name.value;
        sink.table.primary_key.iter().any(|key| key.value == *name)
    };
    let columns: Vec<usize> = (0..sink.columns.len())
        .filter(|place| is_key(&sink.columns[*place]))
        .collect();
    let passed: Vec<usize> = columns
        .iter()
        .filter_map(|place| passed_on(&branch.logical.columns[*place]))
        .collect();
    let holds = |name: &str| {
        passed
            .iter()
            .any(|column| source.columns[*column].name.value == name)
    };
    let holds_source_key = !source.primary_key.is_empty()
        && !branch.program.multiplies_rows()
        && source.primary_key.iter().all(|key| holds(&key.value));
    let unsteady = columns
        .iter()
        .find(|place| is_unsteady(&branch.logical.columns[**place]))
        .copied();
    SinkKey {
        columns,
        holds_source_key,
        unsteady,
    }
}

fn is_unsteady(expr: &Expr) -> bool {
    let own = match &expr.kind {
        ExprKind::Call(call) => call.volatility != Volatility::Deterministic,
        _ => false,
    };
    let mut found = own;
    expr.for_each_child(|part| found = found || is_unsteady(part));
    found
}

/// Returns the column whose values these are, if different values stay different.
fn passed_on(expr: &Expr) -> Option<usize> {
    match &expr.kind {
        ExprKind::Column(column) => Some(*column),
        ExprKind::Retype(inner) => passed_on(inner),
        ExprKind::Call(call) => match call.args.as_slice() {
            [arg] if call.name.ends_with("CAST") && keeps_apart(&arg.ty, &expr.ty) => {
                passed_on(arg)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Tells whether a cast gives different results for different values.
fn keeps_apart(from: &FlinkType, to: &FlinkType) -> bool {
    use TypeKind::{Char, Decimal, Varchar};
    match (&from.kind, &to.kind) {
        (from, to) if from == to => true,
        (Char(from) | Varchar(from), Varchar(to)) => from <= to,
        (Decimal(p, s), Decimal(to_p, to_s)) => s <= to_s && p - s <= to_p - to_s,
        (from, to) => match (digits(from), digits(to), to) {
            (Some(from), Some(to), _) => from <= to,
            (Some(from), None, Decimal(p, s)) => from <= p - s,
            // The sign takes a place too.
            (Some(from), None, Varchar(to)) => u32::from(from) < *to,
            _ => false,
        },
    }
}

/// Returns the most digits of an integer type.
fn digits(kind: &TypeKind) -> Option<u8> {
    match kind {
        TypeKind::TinyInt => Some(3),
        TypeKind::SmallInt => Some(5),
        TypeKind::Int => Some(10),
        TypeKind::BigInt => Some(19),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// Returns the key of the one branch of a pipeline from a table with `source_key` into one with `sink_key`.
    fn key(source_key: &str, sink: &str, query: &str) -> SinkKey {
        let text = format!(
            "CREATE TABLE s (id BIGINT, shard INT, login INT, tags ARRAY<STRING>{source_key}) WITH ('connector' = 'x');
             CREATE TABLE k ({sink} NOT ENFORCED) WITH ('connector' = 'x');
             INSERT INTO k {query};"
        );
        let parsed = millrace_sql::parse(&text);
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        let planned = crate::plan(&parsed.statements, &Settings::default()).unwrap();
        let flow = &planned.flows[0];
        let source = &flow.sources[0];
        sink_key(&source.table, &source.branches[0], &flow.sinks[0])
    }

    const BY_ID: &str = ", PRIMARY KEY (id) NOT ENFORCED";

    #[test]
    fn a_computed_part_may_stand_beside_the_sources_key() {
        let found = key(
            BY_ID,
            "v INT, d DATE, id BIGINT, PRIMARY KEY (d, id)",
            "SELECT login, TO_DATE(CAST(TO_TIMESTAMP_LTZ(login, 0) AS VARCHAR)), id FROM s",
        );
        assert_eq!(found.columns, [1, 2]);
        assert!(found.holds_source_key);
    }

    #[test]
    fn the_clock_makes_a_key_unsteady() {
        let sink = "d DATE, id BIGINT, PRIMARY KEY (d, id)";
        let found = key(BY_ID, sink, "SELECT CURRENT_DATE, id FROM s");
        assert_eq!((found.holds_source_key, found.unsteady), (true, Some(0)));
        let found = key(BY_ID, sink, "SELECT DATE '2024-01-01', id FROM s");
        assert_eq!(found.unsteady, None);
    }

    #[test]
    fn names_and_wider_types_do_not_matter() {
        for (column, value) in [
            ("n STRING", "CAST(id AS STRING)"),
            ("n DECIMAL(20, 0)", "id"),
            ("n BIGINT", "id"),
        ] {
            let found = key(
                BY_ID,
                &format!("{column}, PRIMARY KEY (n)"),
                &format!("SELECT {value} FROM s"),
            );
            assert!(found.holds_source_key, "{column}");
        }
    }

    #[test]
    fn what_may_make_two_rows_equal_is_no_key() {
        for (source_key, column, query) in [
            (BY_ID, "n INT", "SELECT login FROM s"),
            (BY_ID, "n INT", "SELECT CAST(id AS INT) FROM s"),
            (
                BY_ID,
                "n VARCHAR(5)",
                "SELECT CAST(id AS VARCHAR(5)) FROM s",
            ),
            (BY_ID, "n BIGINT", "SELECT id + 1 FROM s"),
            ("", "n BIGINT", "SELECT id FROM s"),
            (
                ", PRIMARY KEY (id, shard) NOT ENFORCED",
                "n BIGINT",
                "SELECT id FROM s",
            ),
            (
                BY_ID,
                "n BIGINT",
                "SELECT id FROM s CROSS JOIN UNNEST(tags) AS u (tag)",
            ),
        ] {
            let found = key(source_key, &format!("{column}, PRIMARY KEY (n)"), query);
            assert_eq!(found.columns, [0]);
            assert!(!found.holds_source_key, "{query}");
        }
    }
}
