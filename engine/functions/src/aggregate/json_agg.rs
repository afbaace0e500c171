//! JSON_ARRAYAGG and JSON_OBJECTAGG.
//!
//! # Flink
//! `JsonArrayAggFunction` and `JsonObjectAggFunction`, 1.17, behind `WrapJsonAggFunctionArgumentsRule`, which makes JSON
//! of each value first. Elements come in order of arrival, entries sorted by key. Arrays leave NULL out, objects write it
//! as null, unless told otherwise. A key may come once; a NULL key fails the row.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use millrace_connector::FlinkType;

use super::codec::{put_option, take_option};
use super::kept::Kept;
use super::state::{Aggregate, AggregateState, EntryVisitor, Rows};
use crate::RowError;
use crate::json::{Generator, comma, java_order, key_text};
use crate::string::TextBuilder;

/// JSON_ARRAYAGG or JSON_OBJECTAGG.
#[derive(Debug)]
pub(super) struct JsonAgg {
    return_type: FlinkType,
    generator: Generator,
    /// Whether NULL is left out.
    is_absent: bool,
    is_object: bool,
}

impl JsonAgg {
    /// Returns the function over values of a type.
    ///
    /// # Errors
    /// Values of it have no JSON; Flink's words.
    pub(super) fn new(
        value: &FlinkType,
        return_type: FlinkType,
        is_absent: bool,
        is_object: bool,
    ) -> Result<Self, String> {
        Ok(Self {
            return_type,
            generator: Generator::of(value)?,
            is_absent,
            is_object,
        })
    }
}

impl Aggregate for JsonAgg {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn merges(&self) -> bool {
        false
    }

    fn state(&self) -> Box<dyn AggregateState> {
        let generator = self.generator.clone();
        if self.is_object {
            return Box::new(Objects {
                generator,
                is_absent: self.is_absent,
                groups: Vec::new(),
                removed: Vec::new(),
                changed: Vec::new(),
                bytes: 0,
            });
        }
        Box::new(Arrays {
            generator,
            is_absent: self.is_absent,
            kept: Kept::default(),
        })
    }
}

#[derive(Debug)]
struct Arrays {
    generator: Generator,
    is_absent: bool,
    kept: Kept,
}

impl AggregateState for Arrays {
    fn resize(&mut self, groups: usize) {
        self.kept.resize(groups);
    }

    fn reset(&mut self, group: u32) {
        self.kept.reset(group);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = &rows.args[0];
        let mut json = Vec::new();
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            if sign == 0 || (self.is_absent && values.is_null(row)) {
                continue;
            }
            json.clear();
            self.generator.write(&**values, row, &mut json);
            if sign > 0 {
                self.kept.push(*group, &json);
            } else {
                self.kept.remove(*group, &json);
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            self.kept.merge(*into, *from);
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        texts(groups, |group, out| {
            out.push(b'[');
            for (i, item) in self.kept.of_group(group).enumerate() {
                comma(i, out);
                out.extend_from_slice(item);
            }
            out.push(b']');
        })
    }

    fn write(&self, _group: u32, _out: &mut Vec<u8>) {}

    fn read(&mut self, _group: u32, _bytes: &mut &[u8]) -> Option<()> {
        Some(())
    }

    fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        self.kept.take_entries(visit);
    }

    fn read_entry(&mut self, group: u32, key: &[u8], value: &[u8]) -> Option<()> {
        std::str::from_utf8(value).ok()?;
        self.kept.read_entry(group, key, value)
    }

    fn bytes(&self) -> usize {
        self.kept.bytes()
    }
}

#[derive(Debug)]
struct Objects {
    generator: Generator,
    is_absent: bool,
    groups: Vec<BTreeMap<Box<str>, Entry>>,
    /// Keys that the last checkpoint has and that are gone since.
    removed: Vec<(u32, Box<str>)>,
    changed: Vec<(u32, Box<str>)>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    /// `None` = null.
    json: Option<Box<[u8]>>,
    /// Whether a checkpoint has it.
    is_kept: bool,
}

impl Objects {
    fn insert(&mut self, group: u32, key: &str, json: Option<&[u8]>) -> Result<(), String> {
        let entries = &mut self.groups[group as usize];
        if entries.contains_key(key) {
            return Err(format!(
                "Key '{key}' is already present. Duplicate keys are not allowed in JSON_OBJECTAGG. Please ensure that \
                 keys are unique."
            ));
        }
        if json.is_none() && self.is_absent {
            return Ok(());
        }
        self.bytes += key.len() + json.map_or(0, <[u8]>::len) + size_of::<Entry>();
        let entry = Entry {
            json: json.map(Into::into),
            is_kept: false,
        };
        entries.insert(key.into(), entry);
        self.changed.push((group, key.into()));
        Ok(())
    }

    fn remove(&mut self, group: u32, key: &str) {
        if let Some(entry) = self.groups[group as usize].remove(key) {
            self.forget(group, key.into(), &entry);
        }
    }

    fn forget(&mut self, group: u32, key: Box<str>, entry: &Entry) {
        let json = entry.json.as_ref().map_or(0, |json| json.len());
        self.bytes -= key.len() + json + size_of::<Entry>();
        if entry.is_kept {
            self.removed.push((group, key));
        }
    }
}

impl AggregateState for Objects {
    fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, BTreeMap::new);
    }

    fn reset(&mut self, group: u32) {
        for (key, entry) in std::mem::take(&mut self.groups[group as usize]) {
            self.forget(group, key, &entry);
        }
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let (keys, values) = (rows.args[0].as_string_view(), &rows.args[1]);
        let mut json = Vec::new();
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            if sign == 0 {
                continue;
            }
            if keys.is_null(row) {
                return Err(RowError::new(row, "a key of JSON_OBJECTAGG is NULL"));
            }
            let key = keys.value(row);
            if sign < 0 {
                self.remove(*group, key);
                continue;
            }
            json.clear();
            self.generator.write(&**values, row, &mut json);
            let json = values.is_valid(row).then_some(json.as_slice());
            self.insert(*group, key, json)
                .map_err(|message| RowError::new(row, message))?;
        }
        Ok(())
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (row, (into, from)) in into.iter().zip(from).enumerate() {
            for (key, entry) in self.groups[*from as usize].clone() {
                self.insert(*into, &key, entry.json.as_deref())
                    .map_err(|message| RowError::new(row, message))?;
            }
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        texts(groups, |group, out| {
            let mut entries: Vec<_> = self.groups[group as usize].iter().collect();
            entries.sort_by(|(a, _), (b, _)| java_order(a, b));
            out.push(b'{');
            for (i, (key, entry)) in entries.into_iter().enumerate() {
                comma(i, out);
                out.extend_from_slice(&key_text(key));
                out.extend_from_slice(entry.json.as_deref().unwrap_or(b"null"));
            }
            out.push(b'}');
        })
    }

    fn write(&self, _group: u32, _out: &mut Vec<u8>) {}

    fn read(&mut self, _group: u32, _bytes: &mut &[u8]) -> Option<()> {
        Some(())
    }

    fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        // A key may be back since: its removal comes first.
        for (group, key) in self.removed.drain(..) {
            visit(group, key.as_bytes(), None);
        }
        let mut value = Vec::new();
        for (group, key) in self.changed.drain(..) {
            let Some(entry) = self.groups[group as usize].get_mut(&key) else {
                continue;
            };
            if !std::mem::replace(&mut entry.is_kept, true) {
                value.clear();
                put_option(entry.json.as_deref(), &mut value);
                visit(group, key.as_bytes(), Some(&value));
            }
        }
    }

    fn read_entry(&mut self, group: u32, key: &[u8], mut value: &[u8]) -> Option<()> {
        let key = std::str::from_utf8(key).ok()?;
        let json = take_option(&mut value)?;
        std::str::from_utf8(json.unwrap_or_default()).ok()?;
        self.bytes += key.len() + json.map_or(0, <[u8]>::len) + size_of::<Entry>();
        let entry = Entry {
            json: json.map(Into::into),
            is_kept: true,
        };
        self.groups[group as usize].insert(key.into(), entry);
        Some(())
    }

    fn bytes(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<BTreeMap<Box<str>, Entry>>()
    }
}

/// Builds a text for each group.
fn texts(groups: &[u32], write: impl Fn(u32, &mut Vec<u8>)) -> ArrayRef {
    let mut out = TextBuilder::new(groups.len());
    let mut json = Vec::new();
    for group in groups {
        json.clear();
        write(*group, &mut json);
        out.push(std::str::from_utf8(&json).expect("JSON made of valid UTF-8 is valid UTF-8"));
    }
    out.finish()
}
