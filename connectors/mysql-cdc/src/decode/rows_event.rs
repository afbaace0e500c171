//! Row events: which rows, and where each value of their images lies.

use super::bytes::Bytes;
use super::wire::Wire;
use crate::definition::{MalformedEvent, TableMap};

/// What a row event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsKind {
    /// Inserted rows: after images.
    Insert,
    /// Updated rows: before and after images.
    Update,
    /// Updated rows, some JSON values as differences to the before image.
    PartialUpdate,
    /// Deleted rows: before images.
    Delete,
}

/// A row event (v1 or v2), its rows not yet read.
#[derive(Clone, Debug)]
pub struct RowsEvent<'a> {
    /// What it did.
    pub kind: RowsKind,
    /// The number of its table, which a TABLE_MAP event told before.
    pub table_id: u64,
    /// Whether it is the last of its statement.
    pub ends_statement: bool,
    columns: usize,
    before: &'a [u8],
    after: &'a [u8],
    rows: &'a [u8],
}

const EVENT: &str = "row";

impl<'a> RowsEvent<'a> {
    /// Reads the body of an event, without its header and checksum. `code` is the event's type: 23 to 25 (v1), 30 to
    /// 32 (v2), 39 (partial update); MariaDB's compressed ones must be told by the code of the plain ones.
    ///
    /// # Errors
    /// The body is cut short.
    pub fn parse(code: u8, body: &'a [u8]) -> Result<Self, MalformedEvent> {
        Self::read(code, body).ok_or_else(|| MalformedEvent::new(EVENT, "cut short"))
    }

    fn read(code: u8, body: &'a [u8]) -> Option<Self> {
        let kind = match code {
            23 | 30 => RowsKind::Insert,
            24 | 31 => RowsKind::Update,
            25 | 32 => RowsKind::Delete,
            39 => RowsKind::PartialUpdate,
            _ => return None,
        };
        let mut body = Bytes::new(body);
        let table_id = body.uint(6)?;
        let flags = body.uint(2)?;
        if code >= 30 {
            let extra = usize::try_from(body.uint(2)?).ok()?;
            body.take(extra.checked_sub(2)?)?;
        }
        let columns = usize::try_from(body.length()?).ok()?;
        let bitmap = columns.div_ceil(8);
        let before: &[u8] = match kind {
            RowsKind::Insert => &[],
            _ => body.take(bitmap)?,
        };
        let after: &[u8] = match kind {
            RowsKind::Delete => &[],
            _ => body.take(bitmap)?,
        };
        Some(Self {
            kind,
            table_id,
            ends_statement: flags & 1 == 1,
            columns,
            before,
            after,
            rows: body.rest(),
        })
    }

    /// Returns a reader of the event's rows, which `map` lays out.
    ///
    /// # Errors
    /// The event has another number of columns.
    pub fn rows<'m>(&self, map: &'m TableMap) -> Result<RowReader<'a, 'm>, MalformedEvent> {
        if map.columns.len() != self.columns {
            let reason = format!(
                "{} columns, and {} in its TABLE_MAP",
                self.columns,
                map.columns.len()
            );
            return Err(MalformedEvent::new(EVENT, reason));
        }
        Ok(RowReader {
            map,
            kind: self.kind,
            before_columns: self.before,
            after_columns: self.after,
            rest: Bytes::new(self.rows),
            before: Image::new(self.columns),
            after: Image::new(self.columns),
        })
    }
}

/// Where the values of one row lie.
#[derive(Clone, Debug, Default)]
pub struct Image<'a> {
    cells: Vec<ImageCell<'a>>,
}

/// A value of an image, undecoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageCell<'a> {
    /// The image does not carry the column (`binlog_row_image`).
    Absent,
    /// NULL.
    Null,
    /// The value's bytes, without a length.
    Value(&'a [u8]),
    /// Differences to the value in the before image.
    Differences(&'a [u8]),
}

impl<'a> Image<'a> {
    fn new(columns: usize) -> Self {
        Self {
            cells: Vec::with_capacity(columns),
        }
    }

    /// Returns the value of a column.
    #[must_use]
    #[inline]
    pub fn cell(&self, column: usize) -> ImageCell<'a> {
        self.cells.get(column).copied().unwrap_or(ImageCell::Absent)
    }

    /// Reads one image; `partial` tells which JSON columns carry differences.
    fn read(
        &mut self,
        map: &TableMap,
        present: &[u8],
        mut partial: Option<&[u8]>,
        data: &mut Bytes<'a>,
    ) -> Option<()> {
        self.cells.clear();
        let columns = map.columns.len();
        let full = (0..columns).filter(|at| bit(present, *at)).count();
        let nulls = data.take(full.div_ceil(8))?;
        let mut at_null = 0;
        let mut at_json = 0;
        let mut rest = data.rest();
        for (place, column) in map.columns.iter().enumerate() {
            let mut is_partial = false;
            if let Some(bits) = partial.as_mut()
                && matches!(column.wire, Wire::Json(_))
            {
                is_partial = bit(bits, at_json);
                at_json += 1;
            }
            if !bit(present, place) {
                self.cells.push(ImageCell::Absent);
                continue;
            }
            let is_null = bit(nulls, at_null);
            at_null += 1;
            if is_null {
                self.cells.push(ImageCell::Null);
                continue;
            }
            let (prefix, length) = column.wire.extent(rest)?;
            let value = rest.get(prefix..prefix.checked_add(length)?)?;
            rest = rest.get(prefix + length..)?;
            self.cells.push(if is_partial {
                ImageCell::Differences(value)
            } else {
                ImageCell::Value(value)
            });
        }
        *data = Bytes::new(rest);
        Some(())
    }
}

#[inline]
fn bit(bits: &[u8], at: usize) -> bool {
    bits.get(at / 8)
        .is_some_and(|byte| byte >> (at % 8) & 1 == 1)
}

/// Reads the rows of an event one after the other.
#[derive(Debug)]
pub struct RowReader<'a, 'm> {
    map: &'m TableMap,
    kind: RowsKind,
    before_columns: &'a [u8],
    after_columns: &'a [u8],
    rest: Bytes<'a>,
    before: Image<'a>,
    after: Image<'a>,
}

impl<'a> RowReader<'a, '_> {
    /// Goes to the next row; `false` after the last.
    ///
    /// # Errors
    /// The event is cut short.
    #[expect(
        clippy::should_implement_trait,
        reason = "it lends its images instead of giving them away"
    )]
    pub fn next(&mut self) -> Result<bool, MalformedEvent> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let length = self.rest.rest().len();
        match self.read() {
            // A row without a byte would never end.
            Some(()) if self.rest.rest().len() < length => Ok(true),
            _ => Err(MalformedEvent::new(EVENT, "a row is cut short")),
        }
    }

    fn read(&mut self) -> Option<()> {
        if self.kind != RowsKind::Insert {
            let rest = &mut self.rest;
            self.before
                .read(self.map, self.before_columns, None, rest)?;
        }
        if self.kind != RowsKind::Delete {
            let mut partial = None;
            if self.kind == RowsKind::PartialUpdate && self.rest.length()? & 1 == 1 {
                let is_json = |wire: Wire| matches!(wire, Wire::Json(_));
                let columns = self.map.columns.iter();
                let count = columns.filter(|column| is_json(column.wire)).count();
                partial = Some(self.rest.take(count.div_ceil(8))?);
            }
            let rest = &mut self.rest;
            self.after
                .read(self.map, self.after_columns, partial, rest)?;
        }
        Some(())
    }

    /// Returns the row before the change; without values of an insert.
    #[must_use]
    pub fn before(&self) -> &Image<'a> {
        &self.before
    }

    /// Returns the row after the change; without values of a delete.
    #[must_use]
    pub fn after(&self) -> &Image<'a> {
        &self.after
    }
}
