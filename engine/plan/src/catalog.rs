//! Tables and views of a pipeline.

mod names;
mod watermark;

use millrace_connector::{
    ColumnDefinition, ColumnKind, Diagnostic, Spanned, TableDefinition, TypeKind,
};
use millrace_functions::BindContext;
use millrace_sql::ast;

use crate::bind::{Binder, Scope, ScopeColumn};
use millrace_program::{Expr, ExprKind, ExprRef, substitute};

pub(crate) use names::{Catalog, Creation, Entry, Kind};

/// A table with what the engine computes for it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The definition that connectors see.
    pub(crate) definition: TableDefinition,
    /// For each column, its value over the table's columns: itself, or the computed expression.
    pub(crate) values: Vec<ExprRef>,
    /// The column of its WATERMARK, if it has one.
    pub(crate) rowtime: Option<watermark::Rowtime>,
}

/// Makes a table of its CREATE TABLE; `None` after errors.
pub(crate) fn table(
    create: &ast::CreateTable,
    catalog: &Catalog,
    ctx: &BindContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Table> {
    let errors = diagnostics.len();
    if let Some(query) = &create.query {
        diagnostics.push(crate::not_yet::clause("CREATE TABLE AS", query.span));
    }
    for column in &create.partitioned_by {
        diagnostics.push(crate::not_yet::clause("PARTITIONED BY", column.span));
    }
    let mut like = Inherited::default();
    if let Some(clause) = &create.like {
        like = inherit(clause, create, catalog, diagnostics);
    }
    let mut columns = like.columns;
    let mut computed = vec![None; columns.len()];
    for column in &create.columns {
        if let Some(earlier) = columns
            .iter()
            .find(|known: &&ColumnDefinition| known.name.value == column.name.value)
        {
            diagnostics.push(
                Diagnostic::error(
                    "MR0304",
                    format!("column '{}' is defined twice", column.name.value),
                    column.name.span,
                )
                .also(earlier.name.span, "first definition"),
            );
            continue;
        }
        let (definition, expr) = column_definition(column);
        columns.push(definition);
        computed.push(expr);
    }
    let primary_key = primary_key(create, &mut columns, diagnostics).unwrap_or(like.primary_key);
    let options = merge_options(like.options, &create.options, diagnostics);
    let values = column_values(&mut columns, &computed, ctx, diagnostics);
    let rowtime = match &create.watermark {
        Some(clause) => watermark::bind(clause, &columns, &values, ctx, diagnostics),
        None => like.rowtime,
    };
    if diagnostics[errors..].iter().any(Diagnostic::is_error) {
        return None;
    }
    let name = create.name.last();
    let definition = TableDefinition {
        name: Spanned::new(catalog.path(&create.name).short(), name.span),
        columns,
        primary_key,
        options,
        options_span: create.options_span.unwrap_or(name.span),
    };
    Some(Table {
        definition,
        values,
        rowtime,
    })
}

/// Adds options to inherited ones, which they replace; of an option that is set twice, the last value counts.
pub(crate) fn merge_options(
    mut options: Vec<ast::OptionPair>,
    own: &[ast::OptionPair],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ast::OptionPair> {
    for (index, (key, value)) in own.iter().enumerate() {
        if let Some((earlier, _)) = own[..index]
            .iter()
            .find(|(earlier, _)| earlier.value == key.value)
        {
            diagnostics.push(
                Diagnostic::warning(
                    "MR0304",
                    format!("option '{}' is set twice: the last value counts", key.value),
                    earlier.span,
                )
                .label("this value is not used")
                .also(key.span, "set again here"),
            );
        }
        options.retain(|(known, _)| known.value != key.value);
        options.push((key.clone(), value.clone()));
    }
    options
}

fn column_definition(column: &ast::Column) -> (ColumnDefinition, Option<&ast::Expr>) {
    let (ty, kind, expr) = match &column.kind {
        ast::ColumnKind::Physical { data_type } => {
            (data_type.value.clone(), ColumnKind::Physical, None)
        }
        ast::ColumnKind::Metadata {
            data_type,
            from,
            is_virtual,
        } => {
            let own_name = || Spanned::new(column.name.value.clone(), column.name.span);
            let key = from.clone().unwrap_or_else(own_name);
            (
                data_type.value.clone(),
                ColumnKind::Metadata {
                    key,
                    is_virtual: *is_virtual,
                },
                None,
            )
        }
        ast::ColumnKind::Computed { expr } => {
            (TypeKind::Null.nullable(), ColumnKind::Computed, Some(expr))
        }
    };
    let definition = ColumnDefinition {
        name: Spanned::new(column.name.value.clone(), column.name.span),
        ty,
        kind,
        comment: column.comment.as_ref().map(|comment| comment.value.clone()),
    };
    (definition, expr)
}

/// Returns the key's columns, which thereby become NOT NULL.
fn primary_key(
    create: &ast::CreateTable,
    columns: &mut [ColumnDefinition],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<Spanned<String>>> {
    let key = create.primary_key.as_ref()?;
    if !key.not_enforced {
        diagnostics.push(
            Diagnostic::error("MR0412", "a PRIMARY KEY must be NOT ENFORCED", key.span)
                .help("write PRIMARY KEY (…) NOT ENFORCED: Flink does not own the data and checks nothing"),
        );
    }
    let mut names = Vec::new();
    for name in &key.columns {
        match columns
            .iter_mut()
            .find(|column| column.name.value == name.value)
        {
            Some(column) if column.kind == ColumnKind::Physical => column.ty.nullable = false,
            Some(_) => diagnostics.push(Diagnostic::error(
                "MR0412",
                format!("key column '{}' is not a physical column", name.value),
                name.span,
            )),
            None => diagnostics.push(Diagnostic::error(
                "MR0302",
                format!("key column '{}' is not a column of the table", name.value),
                name.span,
            )),
        }
        names.push(Spanned::new(name.value.clone(), name.span));
    }
    Some(names)
}

/// Binds the computed columns, which see all others, and returns each column's value.
fn column_values(
    columns: &mut [ColumnDefinition],
    computed: &[Option<&ast::Expr>],
    ctx: &BindContext,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ExprRef> {
    let scope = Scope {
        columns: columns
            .iter()
            .filter(|column| column.kind != ColumnKind::Computed)
            .map(|column| ScopeColumn {
                table: Vec::new(),
                name: column.name.value.clone(),
                ty: column.ty.clone(),
                time: None,
            })
            .collect(),
        outer: 0,
    };
    // Scope indexes leave computed columns out; the table's own indexes do not.
    let stored: Vec<usize> = (0..columns.len())
        .filter(|i| columns[*i].kind != ColumnKind::Computed)
        .collect();
    let own: Vec<ExprRef> = stored
        .iter()
        .map(|i| {
            Expr::new(
                ExprKind::Column(*i),
                columns[*i].ty.clone(),
                columns[*i].name.span,
            )
        })
        .collect();
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter_mut().enumerate() {
        let value = match computed.get(index).copied().flatten() {
            None => Expr::new(ExprKind::Column(index), column.ty.clone(), column.name.span),
            Some(expr) => match Binder::new(&scope, ctx, diagnostics).bind_value(expr) {
                Some(bound) => substitute(&bound, &own),
                None => crate::bind::null_literal(&TypeKind::Null.nullable(), expr.span),
            },
        };
        column.ty = value.ty.clone();
        values.push(value);
    }
    values
}

/// What a LIKE clause takes over.
#[derive(Default)]
struct Inherited {
    columns: Vec<ColumnDefinition>,
    primary_key: Vec<Spanned<String>>,
    options: Vec<(Spanned<String>, Spanned<String>)>,
    rowtime: Option<watermark::Rowtime>,
}

fn inherit(
    like: &ast::Like,
    create: &ast::CreateTable,
    catalog: &Catalog,
    diagnostics: &mut Vec<Diagnostic>,
) -> Inherited {
    let source = match catalog.get(&like.source) {
        Some(Entry::Table(table)) => table,
        Some(Entry::Broken) => return Inherited::default(),
        Some(Entry::View(_)) | None => {
            diagnostics.push(catalog.unknown(&like.source));
            return Inherited::default();
        }
    };
    let excludes = |feature: &str| {
        let rule = |wanted: &str| like.rules.iter().rev().find(|rule| rule.feature == wanted);
        let rule = rule(feature).or_else(|| rule("ALL"));
        rule.is_some_and(|rule| rule.strategy == ast::LikeStrategy::Excluding)
    };
    if let Some(column) = source
        .definition
        .columns
        .iter()
        .find(|column| column.kind == ColumnKind::Computed)
        && !excludes("GENERATED")
    {
        diagnostics.push(
            crate::not_yet::clause("LIKE of a table with computed columns", like.span)
                .also(column.name.span, "computed column"),
        );
    }
    let known = &source.definition.columns;
    let kept: Vec<usize> = (0..known.len())
        .filter(|index| match known[*index].kind {
            ColumnKind::Physical => true,
            ColumnKind::Metadata { .. } => !excludes("METADATA"),
            ColumnKind::Computed => false,
        })
        .collect();
    let columns = kept.iter().map(|index| known[*index].clone()).collect();
    let keeps_rowtime = !excludes("WATERMARKS");
    let keeps_key = !excludes("CONSTRAINTS") && create.primary_key.is_none();
    Inherited {
        columns,
        rowtime: source
            .rowtime
            .as_ref()
            .filter(|_| keeps_rowtime)
            .and_then(|rowtime| rowtime.moved(&kept)),
        primary_key: if keeps_key {
            source.definition.primary_key.clone()
        } else {
            Vec::new()
        },
        options: if excludes("OPTIONS") {
            Vec::new()
        } else {
            source.definition.options.clone()
        },
    }
}
