//! What an ALTER TABLE makes of a definition, in the server's own order.
//!
//! The server takes the statement as a whole: every old name is looked up in the table as it was before the statement,
//! so that one statement may swap two names. It goes over the old columns first (dropped, changed, renamed or kept),
//! then puts new and moved columns to their places in the statement's order, where `AFTER` means the new names, and
//! last makes the key.

use super::{Alteration, ColumnDefinition, Place, TableDefinition};

/// A column on its way into the new definition.
struct Column {
    definition: ColumnDefinition,
    /// Its place in the old definition; `None` if it is new.
    old: Option<usize>,
    /// The part of the statement that defines it.
    part: Option<usize>,
}

/// Returns the definition after all parts of an ALTER TABLE; `None` if they do not fit. Charsets that the statement
/// leaves open are empty.
pub(super) fn altered(
    before: &TableDefinition,
    alterations: &[Alteration],
) -> Option<TableDefinition> {
    let mut columns = old_columns(before, alterations)?;
    place_columns(before, alterations, &mut columns)?;
    let key = key(before, alterations, &columns)?;
    let mut charset = before.charset.clone();
    let mut converted = None;
    let mut uniques = 0;
    for alteration in alterations {
        match alteration {
            Alteration::AddUnique => uniques += 1,
            Alteration::DefaultCharset(stated) => charset.clone_from(stated),
            Alteration::ConvertCharset(stated) => {
                charset.clone_from(stated);
                converted = Some(stated);
            }
            _ => {}
        }
    }
    let mut columns: Vec<_> = columns.into_iter().map(|it| it.definition).collect();
    if let Some(charset) = converted {
        for own in columns.iter_mut().filter_map(|it| it.kind.charset_mut()) {
            own.clone_from(charset);
        }
    }
    for place in &key {
        columns[*place].nullable = false;
    }
    Some(TableDefinition {
        name: before.name.clone(),
        columns,
        primary_key: key,
        charset,
        hidden_max: before.hidden_max + uniques,
        is_sequence: before.is_sequence,
    })
}

/// Returns what becomes of the columns that were there, all in their old places.
fn old_columns(before: &TableDefinition, alterations: &[Alteration]) -> Option<Vec<Column>> {
    // For each old column: the part of the statement that names it.
    let mut parts: Vec<Option<usize>> = vec![None; before.columns.len()];
    for (part, alteration) in alterations.iter().enumerate() {
        let place = match alteration {
            // `IF EXISTS` of a column that is not there changes nothing.
            Alteration::Drop(name) => before.column_index_ignoring_case(name),
            Alteration::Change {
                from, if_exists, ..
            } => match before.column_index_ignoring_case(from) {
                None if !if_exists => return None,
                place => place,
            },
            Alteration::RenameColumn { from, .. } => Some(before.column_index_ignoring_case(from)?),
            _ => None,
        };
        if let Some(place) = place {
            // No server takes two parts about one column, but for a change of its default.
            if parts[place].replace(part).is_some() {
                return None;
            }
        }
    }
    let kept = before.columns.iter().zip(parts).enumerate();
    let columns = kept.filter_map(|(old, (column, part))| {
        let mut definition = column.clone();
        match part.map(|part| &alterations[part]) {
            Some(Alteration::Drop(_)) => return None,
            Some(Alteration::Change { column, .. }) => definition = column.clone(),
            Some(Alteration::RenameColumn { to, .. }) => definition.name.clone_from(to),
            _ => {}
        }
        Some(Column {
            definition,
            old: Some(old),
            part,
        })
    });
    Some(columns.collect())
}

/// Puts new and moved columns to their places.
fn place_columns(
    before: &TableDefinition,
    alterations: &[Alteration],
    columns: &mut Vec<Column>,
) -> Option<()> {
    for (part, alteration) in alterations.iter().enumerate() {
        let (column, place) = match alteration {
            Alteration::Add {
                column,
                if_not_exists,
                place,
                ..
            } => {
                let name = &column.name;
                let is_there = before.column_index_ignoring_case(name).is_some()
                    || columns
                        .iter()
                        .any(|it| it.part.is_some() && it.is_called(name));
                if *if_not_exists && is_there {
                    continue;
                }
                let column = Column {
                    definition: column.clone(),
                    old: None,
                    part: Some(part),
                };
                (column, place)
            }
            Alteration::Change { place, .. } if *place != Place::Kept => {
                let Some(at) = columns.iter().position(|it| it.part == Some(part)) else {
                    continue;
                };
                (columns.remove(at), place)
            }
            _ => continue,
        };
        let at = match place {
            Place::Kept => columns.len(),
            Place::First => 0,
            Place::After(name) => columns.iter().position(|it| it.is_called(name))? + 1,
        };
        columns.insert(at, column);
    }
    let is_twice = |(at, column): (usize, &Column)| {
        columns[..at]
            .iter()
            .any(|other| other.is_called(&column.definition.name))
    };
    (!columns.iter().enumerate().any(is_twice)).then_some(())
}

/// Returns the primary key's places in the new columns.
fn key(
    before: &TableDefinition,
    alterations: &[Alteration],
    columns: &[Column],
) -> Option<Vec<usize>> {
    let is_dropped = alterations.contains(&Alteration::DropPrimaryKey);
    let mut key = Vec::new();
    if !is_dropped {
        let now = |old: &usize| columns.iter().position(|it| it.old == Some(*old));
        key.extend(before.primary_key.iter().filter_map(now));
    }
    for (part, alteration) in alterations.iter().enumerate() {
        match alteration {
            Alteration::Add { is_primary_key, .. } | Alteration::Change { is_primary_key, .. }
                if *is_primary_key =>
            {
                let place = columns.iter().position(|it| it.part == Some(part));
                key.extend(place.filter(|place| !key.contains(place)));
            }
            Alteration::AddPrimaryKey(names) => {
                let places = names
                    .iter()
                    .map(|name| columns.iter().position(|it| it.is_called(name)));
                key = places.collect::<Option<_>>()?;
            }
            _ => {}
        }
    }
    Some(key)
}

impl Column {
    /// Names of columns ignore case.
    fn is_called(&self, name: &str) -> bool {
        self.definition.name == name || self.definition.name.to_lowercase() == name.to_lowercase()
    }
}
