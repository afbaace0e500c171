//! LISTAGG.
//!
//! # Flink
//! `ListAggFunction` and `ListAggWsWithRetractAggFunction`, 1.17: texts in order of arrival, joined by a comma or a
//! literal separator; NULLs are left out, without any text the result is NULL. Of equal texts the first is taken back.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use millrace_connector::FlinkType;

use super::codec::{put_option, take_option};
use super::kept::Kept;
use super::state::{Aggregate, AggregateState, EntryVisitor, Rows};
use crate::RowError;
use crate::string::TextBuilder;

/// The separator where none is given.
pub(super) const SEPARATOR: &str = ",";

/// LISTAGG with its separator.
#[derive(Debug)]
pub(super) struct ListAgg {
    return_type: FlinkType,
    separator: String,
    retract: bool,
}

impl ListAgg {
    pub(super) fn new(return_type: FlinkType, separator: String, retract: bool) -> Self {
        Self {
            return_type,
            separator,
            retract,
        }
    }
}

impl Aggregate for ListAgg {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        let separator = self.separator.clone();
        if self.retract {
            let kept = Kept::default();
            return Box::new(Lists { separator, kept });
        }
        Box::new(Texts {
            separator,
            texts: Vec::new(),
            bytes: 0,
        })
    }
}

/// The joined text of each group.
#[derive(Debug)]
struct Texts {
    separator: String,
    texts: Vec<Option<String>>,
    bytes: usize,
}

impl Texts {
    fn append(&mut self, group: u32, value: &str) {
        self.bytes += value.len() + self.separator.len();
        match &mut self.texts[group as usize] {
            Some(text) => {
                text.push_str(&self.separator);
                text.push_str(value);
            }
            text => *text = Some(value.to_owned()),
        }
    }
}

impl AggregateState for Texts {
    fn resize(&mut self, groups: usize) {
        self.texts.resize(groups, None);
    }

    fn reset(&mut self, group: u32) {
        let text = self.texts[group as usize].take();
        let freed = text.map_or(0, |text| text.len() + self.separator.len());
        self.bytes = self.bytes.saturating_sub(freed);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = rows.args[0].as_string_view();
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            debug_assert!(sign >= 0, "this state cannot take a text back");
            if sign > 0 && values.is_valid(row) {
                self.append(*group, values.value(row));
            }
        }
        Ok(())
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            if let Some(text) = self.texts[*from as usize].clone() {
                self.append(*into, &text);
            }
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        let mut out = TextBuilder::new(groups.len());
        for group in groups {
            out.push_option(self.texts[*group as usize].as_deref());
        }
        out.finish()
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        let text = self.texts[group as usize].as_deref();
        put_option(text.map(str::as_bytes), out);
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.reset(group);
        if let Some(text) = take_option(bytes)? {
            self.append(group, std::str::from_utf8(text).ok()?);
        }
        Some(())
    }

    fn bytes(&self) -> usize {
        self.bytes + self.texts.capacity() * size_of::<Option<String>>()
    }
}

/// The texts of each group, one by one.
#[derive(Debug)]
struct Lists {
    separator: String,
    kept: Kept,
}

impl AggregateState for Lists {
    fn resize(&mut self, groups: usize) {
        self.kept.resize(groups);
    }

    fn reset(&mut self, group: u32) {
        self.kept.reset(group);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = rows.args[0].as_string_view();
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            if sign == 0 || values.is_null(row) {
                continue;
            }
            let value = values.value(row).as_bytes();
            if sign > 0 {
                self.kept.push(*group, value);
            } else {
                self.kept.remove(*group, value);
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
        let mut out = TextBuilder::new(groups.len());
        let mut joined = String::new();
        for group in groups {
            joined.clear();
            let mut is_empty = true;
            for text in self.kept.of_group(*group) {
                if !std::mem::replace(&mut is_empty, false) {
                    joined.push_str(&self.separator);
                }
                joined.push_str(std::str::from_utf8(text).expect("only texts are kept"));
            }
            out.push_option((!is_empty).then_some(joined.as_str()));
        }
        out.finish()
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
