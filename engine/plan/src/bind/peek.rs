//! Names that reach into ROW columns: a field may be named without the column that it lies in.
//!
//! # Flink
//! Calcite's `DelegatingScope.fullyQualify` over Flink's ROW types, whose kind is `PEEK_FIELDS_NO_EXPAND`. In a table,
//! a column of the name hides all fields of that name. Without one, the search goes into the ROW columns, and on into
//! the ROWs inside of them; the fewest steps win, and two ways of the same length are ambiguous. The same holds for
//! each part of a longer name. Which tables have the name is asked first, at any depth: two of them are ambiguous.

use std::ops::Range;

use millrace_connector::{FlinkType, TypeKind};
use millrace_sql::ast::Ident;

use super::scope::{Scope, ScopeColumn};

/// A way from a table to a column or to a field inside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The column's index.
    pub(super) column: usize,
    /// The fields below it.
    pub(super) fields: Vec<String>,
    /// Whether a step of it was not written.
    is_implicit: bool,
}

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// One column or field.
    One(Way),
    /// Nothing.
    None,
    /// Columns or fields of the same rank, by their columns.
    Many(Vec<usize>),
}

/// The columns of one table.
struct Member<'a> {
    alias: &'a [String],
    columns: Vec<usize>,
}

impl Scope {
    /// Resolves a name of one or more parts: `column`, `table.column`, `field`, and fields behind each.
    pub(super) fn ways(&self, parts: &[Ident]) -> Ways {
        for length in (1..parts.len()).rev() {
            let (table, rest) = parts.split_at(length);
            let columns = self.table_columns(table);
            if !columns.is_empty() {
                return best(self.ways_in(&columns, rest));
            }
        }
        for range in [self.own(), self.around()] {
            let members = self.members(range);
            let mut having = members
                .iter()
                .filter(|member| !self.ways_in(&member.columns, &parts[..1]).is_empty());
            let Some(first) = having.next() else {
                continue;
            };
            if let Some(second) = having.next() {
                let columns = [first, second].map(|member| member.columns[0]);
                return Ways::Many(columns.to_vec());
            }
            return best(self.ways_in(&first.columns, parts));
        }
        Ways::None
    }

    /// Resolves what stands before `.*` and is no table: a ROW column, or a ROW inside of one.
    pub(super) fn row_ways(&self, parts: &[Ident]) -> Ways {
        for range in [self.own(), self.around()] {
            let mut ways = Vec::new();
            for member in self.members(range) {
                let is_named = member.alias.last() == Some(&parts[0].value) && parts.len() > 1;
                let rest = if is_named { &parts[1..] } else { parts };
                ways.extend(self.ways_in(&member.columns, rest));
            }
            match ways.as_slice() {
                [] => {}
                [_] => return best(ways),
                several => return Ways::Many(several.iter().map(|way| way.column).collect()),
            }
        }
        Ways::None
    }

    fn own(&self) -> Range<usize> {
        self.outer..self.columns.len()
    }

    /// The columns of the query around.
    fn around(&self) -> Range<usize> {
        0..self.outer
    }

    /// Returns the columns of a table of that name; the query's own tables hide those around.
    fn table_columns(&self, table: &[Ident]) -> Vec<usize> {
        let of = |range: Range<usize>| -> Vec<usize> {
            range
                .filter(|index| self.columns[*index].is_of(table))
                .collect()
        };
        let own = of(self.own());
        if own.is_empty() {
            of(self.around())
        } else {
            own
        }
    }

    fn members(&self, range: Range<usize>) -> Vec<Member<'_>> {
        let mut members: Vec<Member<'_>> = Vec::new();
        for index in range {
            let alias = self.columns[index].table.as_slice();
            match members.iter_mut().find(|member| member.alias == alias) {
                Some(member) => member.columns.push(index),
                None => members.push(Member {
                    alias,
                    columns: vec![index],
                }),
            }
        }
        members
    }

    /// Returns all ways from a table's columns along the names.
    fn ways_in(&self, columns: &[usize], names: &[Ident]) -> Vec<Way> {
        let way = |index: usize, is_implicit| Way {
            column: index,
            fields: Vec::new(),
            is_implicit,
        };
        let column = |index: &usize| -> &ScopeColumn { &self.columns[*index] };
        let mut ways = Vec::new();
        let is_direct = |index: &&usize| column(index).name == names[0].value;
        if columns.iter().any(|index| is_direct(&index)) {
            for index in columns.iter().filter(is_direct) {
                along(
                    &column(index).ty,
                    &names[1..],
                    way(*index, false),
                    &mut ways,
                );
            }
        } else {
            for index in columns {
                peek(&column(index).ty, names, &way(*index, true), &mut ways);
            }
        }
        ways
    }
}

/// Follows the names from a value on.
fn along(ty: &FlinkType, names: &[Ident], way: Way, ways: &mut Vec<Way>) {
    if names.is_empty() {
        ways.push(way);
    } else {
        peek(ty, names, &way, ways);
    }
}

/// Looks for the first name among the fields of a ROW, and where it is not there, in the ROWs among them.
fn peek(ty: &FlinkType, names: &[Ident], way: &Way, ways: &mut Vec<Way>) {
    let TypeKind::Row(fields) = &ty.kind else {
        return;
    };
    let below = |name: &str, is_implicit: bool| {
        let mut below = way.clone();
        below.fields.push(name.to_owned());
        below.is_implicit |= is_implicit;
        below
    };
    if let Some(field) = fields.iter().find(|field| field.name == names[0].value) {
        along(&field.ty, &names[1..], below(&field.name, false), ways);
        return;
    }
    for field in fields {
        peek(&field.ty, names, &below(&field.name, true), ways);
    }
}

/// Returns the way with nothing implied, then the shortest.
fn best(mut ways: Vec<Way>) -> Ways {
    let rank = |way: &Way| (way.is_implicit, way.fields.len());
    ways.sort_by_key(rank);
    match ways.as_slice() {
        [] => Ways::None,
        [first, second, ..] if rank(first) == rank(second) => {
            let alike = ways.iter().take_while(|way| rank(way) == rank(first));
            Ways::Many(alike.map(|way| way.column).collect())
        }
        _ => Ways::One(ways.swap_remove(0)),
    }
}
