//! Names: which columns an expression can see.

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind, did_you_mean};
use millrace_sql::ast::Ident;

use super::{Binder, text_literal};
use crate::expr::{Expr, ExprKind, ExprRef};

/// A column that can be named.
#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    /// The table's alias or name; `None` where no name leads to it.
    pub(crate) table: Option<String>,
    pub(crate) name: String,
    pub(crate) ty: FlinkType,
}

/// The columns of one input, by index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) columns: Vec<ScopeColumn>,
}

enum Found {
    One(usize),
    None,
    Many,
}

impl Scope {
    fn find(&self, table: Option<&str>, name: &str) -> Found {
        let mut matches = self.columns.iter().enumerate().filter(|(_, column)| {
            column.name == name && table.is_none_or(|table| column.table.as_deref() == Some(table))
        });
        match (matches.next(), matches.next()) {
            (Some((index, _)), None) => Found::One(index),
            (None, _) => Found::None,
            (Some(_), Some(_)) => Found::Many,
        }
    }

    /// Returns the columns of a table, or all.
    pub(crate) fn of_table(&self, table: Option<&str>) -> Vec<usize> {
        let of_table =
            |column: &ScopeColumn| table.is_none_or(|table| column.table.as_deref() == Some(table));
        (0..self.columns.len())
            .filter(|index| of_table(&self.columns[*index]))
            .collect()
    }

    /// Returns a reference to a column.
    pub(crate) fn column(&self, index: usize, span: Span) -> ExprRef {
        Expr::new(
            ExprKind::Column(index),
            self.columns[index].ty.clone(),
            span,
        )
    }
}

impl Binder<'_> {
    /// Resolves `column`, `table.column`, and the fields of rows behind both.
    pub(super) fn bind_name(&mut self, parts: &[Ident], span: Span) -> Option<ExprRef> {
        let qualified = match parts {
            [table, column, ..] => self.scope.find(Some(&table.value), &column.value),
            _ => Found::None,
        };
        let (found, used) = match qualified {
            Found::None => (self.scope.find(None, &parts[0].value), 1),
            found => (found, 2),
        };
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
                    .filter_map(|column| column.table.as_deref())
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
