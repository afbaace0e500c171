//! Names: which columns an expression can see.

use std::ops::Range;

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind, did_you_mean};
use millrace_sql::ast::Ident;

use super::{Binder, text_literal};
use crate::logical::BoundQuery;
use millrace_program::{Expr, ExprKind, ExprRef};

/// A column that can be named.
#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    /// The table's alias, or its name behind catalog and database; empty where no name leads to it.
    pub(crate) table: Vec<String>,
    pub(crate) name: String,
    pub(crate) ty: FlinkType,
}

impl ScopeColumn {
    /// Tells whether the column is of the table of that name: the end of its whole name, or nothing for any.
    fn is_of(&self, table: &[Ident]) -> bool {
        let Some(skipped) = self.table.len().checked_sub(table.len()) else {
            return false;
        };
        let own = &self.table[skipped..];
        own.iter().zip(table).all(|(own, part)| *own == part.value)
    }
}

/// The columns of one input, by index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) columns: Vec<ScopeColumn>,
    /// How many of the first columns are of the query around: seen where no own column has the name.
    pub(crate) outer: usize,
}

enum Found {
    One(usize),
    None,
    Many,
}

impl Scope {
    /// Returns the scope of an input that is called `table`.
    pub(crate) fn of(query: &BoundQuery, table: &[String]) -> Self {
        let columns = query.columns.iter().map(|column| ScopeColumn {
            table: table.to_vec(),
            name: column.name.clone(),
            ty: column.ty.clone(),
        });
        Self {
            columns: columns.collect(),
            outer: 0,
        }
    }

    fn find(&self, table: &[Ident], name: &str) -> Found {
        match self.find_in(self.outer..self.columns.len(), table, name) {
            Found::None => self.find_in(0..self.outer, table, name),
            found => found,
        }
    }

    fn find_in(&self, range: Range<usize>, table: &[Ident], name: &str) -> Found {
        let first = range.start;
        let mut matches = self.columns[range]
            .iter()
            .enumerate()
            .filter(|(_, column)| column.name == name && column.is_of(table))
            .map(|(index, column)| (first + index, column));
        match (matches.next(), matches.next()) {
            (Some((index, _)), None) => Found::One(index),
            (None, _) => Found::None,
            (Some(_), Some(_)) => Found::Many,
        }
    }

    /// Returns the query's own columns of a table, or all if no name is given.
    pub(crate) fn of_table(&self, table: &[Ident]) -> Vec<usize> {
        (self.outer..self.columns.len())
            .filter(|index| self.columns[*index].is_of(table))
            .collect()
    }

    /// Returns a reference to a column.
    pub(crate) fn column(&self, index: usize, span: Span) -> ExprRef {
        let mut ty = self.columns[index].ty.clone();
        // To Flink's expressions all times of day have the precision 0; they keep their milliseconds all the same.
        if let TypeKind::Time(precision) = &mut ty.kind {
            *precision = 0;
        }
        Expr::new(ExprKind::Column(index), ty, span)
    }
}

impl Binder<'_> {
    /// Resolves `column`, `table.column`, and the fields of rows behind both.
    pub(super) fn bind_name(&mut self, parts: &[Ident], span: Span) -> Option<ExprRef> {
        // The longest name of a table that leads to a column: catalog.database.table.column and shorter.
        let (found, used) = (1..parts.len().min(4))
            .rev()
            .map(|length| {
                let found = self.scope.find(&parts[..length], &parts[length].value);
                (found, length + 1)
            })
            .find(|(found, _)| !matches!(found, Found::None))
            .unwrap_or_else(|| (self.scope.find(&[], &parts[0].value), 1));
        match found {
            Found::One(index) => {
                let base_span = parts[0].span.to(parts[used - 1].span);
                let mut expr = self.scope.column(index, base_span);
                for field in &parts[used..] {
                    expr = self.field(expr, field)?;
                }
                Some(expr)
            }
            Found::Many => {
                let name = &parts[used - 1];
                let tables: Vec<&str> = self
                    .scope
                    .columns
                    .iter()
                    .filter(|column| column.name == name.value)
                    .filter_map(|column| column.table.last().map(String::as_str))
                    .collect();
                self.report(
                    Diagnostic::error(
                        "MR0303",
                        format!("column '{}' is ambiguous", name.value),
                        span,
                    )
                    .label(format!("could be of {}", tables.join(", ")))
                    .help("put the table's name and a dot before it"),
                )
            }
            Found::None => self.unknown_column(parts, span),
        }
    }

    fn unknown_column<T>(&mut self, parts: &[Ident], span: Span) -> Option<T> {
        let written = parts
            .iter()
            .map(|part| part.value.as_str())
            .collect::<Vec<_>>()
            .join(".");
        let last = &parts[parts.len() - 1].value;
        let mut diagnostic =
            Diagnostic::error("MR0302", format!("column '{written}' not found"), span)
                .label("no table here has this column");
        let names = || self.scope.columns.iter().map(|column| column.name.as_str());
        if let Some(same) = names().find(|name| name.eq_ignore_ascii_case(last) && *name != last) {
            diagnostic = diagnostic.help(format!("names are case-sensitive: there is '{same}'"));
        } else if let Some(near) = did_you_mean(last, names()) {
            diagnostic = diagnostic.help(format!("did you mean '{near}'?"));
        } else if !self.scope.columns.is_empty() {
            let some: Vec<&str> = names().take(12).collect();
            diagnostic = diagnostic.help(format!("there are: {}", some.join(", ")));
        }
        self.report(diagnostic)
    }

    /// Takes a field out of a row.
    pub(super) fn field(&mut self, row: ExprRef, field: &Ident) -> Option<ExprRef> {
        let TypeKind::Row(fields) = &row.ty.kind else {
            return self.report(
                Diagnostic::error(
                    "MR0302",
                    format!("{} has no field '{}'", row.ty.kind, field.value),
                    field.span,
                )
                .label("not a field of a ROW"),
            );
        };
        if !fields.iter().any(|known| known.name == field.value) {
            let names: Vec<&str> = fields.iter().map(|known| known.name.as_str()).collect();
            let help = match did_you_mean(&field.value, names.iter().copied()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are: {}", names.join(", ")),
            };
            return self.report(
                Diagnostic::error(
                    "MR0302",
                    format!("the row has no field '{}'", field.value),
                    field.span,
                )
                .help(help),
            );
        }
        let span = row.span.to(field.span);
        let name = text_literal(&field.value, field.span);
        self.apply("GET_FIELD", vec![row, name], span)
    }
}
