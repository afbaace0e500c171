//! Which tables a file's statements read and write by name: what is told of a file that cannot be planned.

use std::collections::HashSet;

use millrace_connector::Spanned;
use millrace_sql::ast::{
    ExprKind, FunctionCall, Insert, Query, QueryBody, Statement, TableRef, TableRefKind,
};

/// The own names of tables, without catalog and database.
#[derive(Debug, Default)]
pub(crate) struct UsedTables {
    /// Named behind FROM or TABLE.
    pub(crate) read: HashSet<String>,
    /// Named behind INSERT INTO.
    pub(crate) written: HashSet<String>,
}

impl UsedTables {
    /// Collects the names from all statements that could be read.
    pub(crate) fn of(statements: &[Spanned<Statement>]) -> Self {
        let mut used = Self::default();
        for statement in statements {
            match &statement.value {
                Statement::Insert(insert) => used.insert(insert),
                Statement::StatementSet(inserts) => {
                    inserts.iter().for_each(|insert| used.insert(&insert.value));
                }
                Statement::CreateView(view) => used.query(&view.query),
                Statement::Query(query) => used.query(query),
                _ => {}
            }
        }
        used
    }

    fn insert(&mut self, insert: &Insert) {
        self.written.insert(insert.target.last().value.clone());
        self.query(&insert.query);
    }

    fn query(&mut self, query: &Query) {
        query.with.iter().for_each(|cte| self.query(&cte.query));
        self.body(&query.body);
    }

    fn body(&mut self, body: &QueryBody) {
        match body {
            QueryBody::Select(select) => select.from.iter().for_each(|table| self.table(table)),
            QueryBody::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            QueryBody::Values { .. } => {}
            QueryBody::Table { name, .. } => drop(self.read.insert(name.last().value.clone())),
            QueryBody::Nested(query) => self.query(query),
        }
    }

    fn table(&mut self, table: &TableRef) {
        match &table.kind {
            TableRefKind::Named { name, .. } => {
                self.read.insert(name.last().value.clone());
            }
            TableRefKind::Subquery { query, .. } => self.query(query),
            TableRefKind::Function { call, .. } => self.call(call),
            TableRefKind::Unnest { .. } => {}
            TableRefKind::Join { left, right, .. } => {
                self.table(left);
                self.table(right);
            }
            TableRefKind::Unsupported { input, .. } => self.table(input),
        }
    }

    /// A window function takes its table as an argument.
    fn call(&mut self, call: &FunctionCall) {
        for arg in &call.args {
            if let ExprKind::TableArgument(name) = &arg.value.kind {
                self.read.insert(name.last().value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_wherever_they_are_named() {
        let parsed = millrace_sql::parse(
            "INSERT INTO o WITH c AS (SELECT 1 FROM a) SELECT * FROM c, b JOIN d ON TRUE;
             CREATE VIEW v AS (SELECT * FROM (SELECT * FROM cat.db.e)) UNION ALL TABLE f;
             INSERT INTO p SELECT * FROM TABLE(TUMBLE(TABLE g, DESCRIPTOR(t), INTERVAL '1' MINUTE));",
        );
        assert_eq!(parsed.diagnostics, []);
        let used = UsedTables::of(&parsed.statements);
        let sorted = |names: &HashSet<String>| {
            let mut names: Vec<_> = names.iter().cloned().collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(sorted(&used.read), "a b c d e f g");
        assert_eq!(sorted(&used.written), "o p");
    }
}
