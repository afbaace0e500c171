//! Names: which columns an expression can see.

use std::collections::BTreeSet;

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind, did_you_mean};
use millrace_sql::ast::Ident;

use super::peek::{Way, Ways};
use super::{Binder, text_literal};
use crate::logical::{BoundQuery, TimeAttribute};
use millrace_program::{Expr, ExprKind, ExprRef};

/// A column that can be named.
#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    /// The table's alias, or its name behind catalog and database; empty where no name leads to it.
    pub(crate) table: Vec<String>,
    pub(crate) name: String,
    pub(crate) ty: FlinkType,
    /// Whether it is a time attribute.
    pub(crate) time: Option<TimeAttribute>,
}

impl ScopeColumn {
    /// Tells whether the column is of the table of that name: the end of its whole name, or nothing for any.
    pub(super) fn is_of(&self, table: &[Ident]) -> bool {
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

impl Scope {
    /// Returns the scope of an input that is called `table`.
    pub(crate) fn of(query: &BoundQuery, table: &[String]) -> Self {
        let columns = query.columns.iter().map(|column| ScopeColumn {
            table: table.to_vec(),
            name: column.name.clone(),
            ty: column.ty.clone(),
            time: column.time,
        });
        Self {
            columns: columns.collect(),
            outer: 0,
        }
    }

    /// Returns the column that the name begins with, and how many parts lead to it.
    fn beginning(&self, parts: &[Ident]) -> Option<(usize, usize)> {
        (1..parts.len().min(4))
            .rev()
            .map(|length| (&parts[..length], length))
            .chain([(&parts[..0], 0)])
            .find_map(|(table, length)| {
                let is_meant = |column: &ScopeColumn| {
                    column.name == parts[length].value && column.is_of(table)
                };
                let index = (self.outer..self.columns.len())
                    .chain(0..self.outer)
                    .find(|index| is_meant(&self.columns[*index]))?;
                Some((index, length + 1))
            })
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
    /// Resolves `column`, `table.column`, and the fields of rows behind and inside of both.
    pub(super) fn bind_name(&mut self, parts: &[Ident], span: Span) -> Option<ExprRef> {
        match self.scope.ways(parts) {
            Ways::One(way) => self.follow(&way, span),
            Ways::Many(columns) => self.ambiguous(parts, &columns, span),
            Ways::None => self.lost(parts, span),
        }
    }

    /// Resolves what stands before `.*` and is no table: returns its fields, each with its name.
    pub(crate) fn bind_row_star(
        &mut self,
        parts: &[Ident],
        span: Span,
    ) -> Option<Vec<(String, ExprRef)>> {
        let row = match self.scope.row_ways(parts) {
            Ways::One(way) => self.follow(&way, span)?,
            Ways::Many(columns) => return self.ambiguous(parts, &columns, span),
            Ways::None => {
                let written = written(parts);
                return self.report(
                    Diagnostic::error(
                        "MR0301",
                        format!("no table or ROW column is called '{written}' here"),
                        span,
                    )
                    .label("unknown name"),
                );
            }
        };
        let TypeKind::Row(fields) = &row.ty.kind else {
            let message = format!(
                "'{}' is {}: only a table or a ROW has columns for '*'",
                written(parts),
                row.ty.kind
            );
            return self.report(Diagnostic::error("MR0302", message, span).label("no ROW"));
        };
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        names
            .into_iter()
            .map(|name| {
                let field = self.field(row.clone(), &unwritten(&name, span))?;
                Some((name, field))
            })
            .collect()
    }

    /// Returns the column or field at the end of a way.
    fn follow(&mut self, way: &Way, span: Span) -> Option<ExprRef> {
        let column = self.scope.column(way.column, span);
        way.fields.iter().try_fold(column, |row, field| {
            self.field(row, &unwritten(field, span))
        })
    }

    fn ambiguous<T>(&mut self, parts: &[Ident], columns: &[usize], span: Span) -> Option<T> {
        let places: BTreeSet<String> = columns
            .iter()
            .map(|index| &self.scope.columns[*index])
            .map(|column| match column.table.last() {
                Some(table) if column.name == parts[parts.len() - 1].value => table.clone(),
                Some(table) => format!("{table}.{}", column.name),
                None => column.name.clone(),
            })
            .collect();
        let places: Vec<String> = places.into_iter().collect();
        self.report(
            Diagnostic::error(
                "MR0303",
                format!("column '{}' is ambiguous", written(parts)),
                span,
            )
            .label(format!("could be of {}", places.join(", ")))
            .help("put the name of the table or of the ROW column and a dot before it"),
        )
    }

    /// Says where a name leads nowhere.
    fn lost<T>(&mut self, parts: &[Ident], span: Span) -> Option<T> {
        let Some((index, used)) = self.scope.beginning(parts) else {
            return self.unknown_column(parts, span);
        };
        let mut expr = self
            .scope
            .column(index, parts[0].span.to(parts[used - 1].span));
        for field in &parts[used..] {
            expr = self.field(expr, field)?;
        }
        self.unknown_column(parts, span)
    }

    fn unknown_column<T>(&mut self, parts: &[Ident], span: Span) -> Option<T> {
        let written = written(parts);
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
    pub(crate) fn field(&mut self, row: ExprRef, field: &Ident) -> Option<ExprRef> {
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

/// Returns a name that was not written itself, for what stands at `span`.
fn unwritten(name: &str, span: Span) -> Ident {
    Ident {
        value: name.to_owned(),
        quoted: false,
        span,
    }
}

fn written(parts: &[Ident]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
    parts.join(".")
}
