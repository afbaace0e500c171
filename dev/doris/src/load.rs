//! One load: its body on the way to disk.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::write::{GzDecoder, ZlibDecoder};
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::arrow::ArrowBody;
use crate::body::{RawRow, Shape, Splitter};
use crate::headers::{Compression, LoadRequest};
use crate::line::{Field, QuickLines};
use crate::rows::Layout;
use crate::schema::{ColumnType, DELETE_SIGN, Keys, SEQUENCE, TableSchema};
use crate::value::{Bad, convert};

/// How many bad rows `ErrorURL` shows.
const ERROR_LINES_MAX: usize = 50;
/// How much of a bad row it shows.
const ERROR_ROW_BYTES_MAX: usize = 256;
const BUFFER_BYTES: usize = 1 << 18;

/// What became of the rows of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) loaded: u64,
    pub(crate) filtered: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: Vec<String>,
}

/// Why a load cannot be finished.
#[derive(Debug)]
pub(crate) enum LoadFailure {
    /// Too many rows were filtered.
    Quality(Counts),
    /// The body cannot be read, or the disk not written.
    Other(String),
}

/// Takes the body of one load.
pub(crate) struct Loader {
    unpack: Unpack,
    splitter: Splitter,
    arrow: Option<ArrowBody>,
    quick: Option<QuickLines>,
    rows: RowWriter,
}

enum Unpack {
    Nothing,
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Loader {
    /// Makes the file of the load; the error is the detail of the answer.
    pub(crate) fn open(
        request: &LoadRequest,
        schema: &TableSchema,
        path: &Path,
    ) -> Result<Self, String> {
        let rows = RowWriter::open(request, schema, path)?;
        let is_quick = request.json_paths.is_none() && rows.is_plain();
        Ok(Self {
            unpack: match request.compression {
                Compression::None => Unpack::Nothing,
                Compression::Gzip => Unpack::Gzip(GzDecoder::new(Vec::new())),
                Compression::Deflate => Unpack::Deflate(ZlibDecoder::new(Vec::new())),
            },
            splitter: Splitter::new(request.shape.clone()),
            arrow: (request.shape == Shape::Arrow).then(|| ArrowBody::new(rows.stored())),
            quick: is_quick.then(|| QuickLines::new(rows.stored())),
            rows,
        })
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.rows.counts.bytes += bytes.len() as u64;
        let text = |error: io::Error| error.to_string();
        let plain = match &mut self.unpack {
            Unpack::Nothing => return self.plain(bytes),
            Unpack::Gzip(decoder) => {
                decoder.write_all(bytes).map_err(text)?;
                std::mem::take(decoder.get_mut())
            }
            Unpack::Deflate(decoder) => {
                decoder.write_all(bytes).map_err(text)?;
                std::mem::take(decoder.get_mut())
            }
        };
        self.plain(&plain)
    }

    fn plain(&mut self, bytes: &[u8]) -> Result<(), String> {
        let rows = &mut self.rows;
        if let Some(arrow) = &mut self.arrow {
            let taken = arrow.feed(bytes, &mut rows.buffer)?;
            rows.counts.total += taken;
            rows.counts.loaded += taken;
        } else {
            let (quick, shape) = (&mut self.quick, self.splitter.shape().clone());
            let reader = Splitter::new(shape.clone());
            self.splitter
                .feed(bytes, |line| take_line(&reader, &shape, quick, rows, line));
        }
        rows.write_out(BUFFER_BYTES)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn finish(mut self) -> Result<Counts, LoadFailure> {
        let other = |error: io::Error| LoadFailure::Other(error.to_string());
        let has_body = self.rows.counts.bytes > 0;
        let plain = match std::mem::replace(&mut self.unpack, Unpack::Nothing) {
            Unpack::Gzip(decoder) if has_body => decoder.finish().map_err(other)?,
            Unpack::Deflate(decoder) if has_body => decoder.finish().map_err(other)?,
            _ => Vec::new(),
        };
        self.plain(&plain).map_err(LoadFailure::Other)?;
        if let Some(arrow) = self.arrow.take() {
            arrow.finish().map_err(LoadFailure::Other)?;
        }
        let rest = self.splitter.finish();
        if *self.splitter.shape() == Shape::JsonArray {
            for row in Splitter::array(&rest) {
                self.rows.put(&row);
            }
        } else if !rest.is_empty() {
            let shape = self.splitter.shape().clone();
            take_line(
                &self.splitter,
                &shape,
                &mut self.quick,
                &mut self.rows,
                &rest,
            );
        }
        self.rows.write_out(0).map_err(other)?;
        self.rows.out.flush().map_err(other)?;
        self.rows.out.get_ref().sync_data().map_err(other)?;
        let counts = self.rows.counts;
        #[expect(clippy::cast_precision_loss, reason = "a ratio of counts of rows")]
        let is_over = counts.filtered as f64 > self.rows.max_filter_ratio * counts.total as f64;
        if is_over {
            return Err(LoadFailure::Quality(counts));
        }
        Ok(counts)
    }
}

fn take_line(
    reader: &Splitter,
    shape: &Shape,
    quick: &mut Option<QuickLines>,
    rows: &mut RowWriter,
    line: &[u8],
) {
    if line.is_empty() {
        return;
    }
    let is_done = match (quick, shape) {
        (Some(quick), Shape::JsonLines { .. }) => quick.json(line, &mut rows.buffer),
        (
            Some(quick),
            Shape::Csv {
                column_separator, ..
            },
        ) => quick.csv(line, column_separator, &mut rows.buffer),
        _ => false,
    };
    if is_done {
        rows.counts.total += 1;
        rows.counts.loaded += 1;
    } else if let Some(row) = reader.line(line) {
        rows.put(&row);
    }
}

/// Where a field of the body goes.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    /// The place of its value in a stored row; `None` for a field to pass over, as `tmp` in `a,tmp,b`.
    target: Option<usize>,
    path: Option<Vec<String>>,
}

/// Writes rows that need care, and holds the file.
struct RowWriter {
    sources: Vec<Source>,
    /// What a stored row has, in its order.
    stored: Vec<Field>,
    /// Stored values that no field of the body gives: all rows delete.
    constant_sign: bool,
    /// Stored values that are copies of another one, for the sequence column.
    copy: Option<(usize, usize)>,
    /// A column that must have a value and gets none.
    lacking: Option<String>,
    is_strict: bool,
    max_filter_ratio: f64,
    zone: TimeZone,
    out: BufWriter<File>,
    buffer: Vec<u8>,
    counts: Counts,
}

impl RowWriter {
    fn open(request: &LoadRequest, schema: &TableSchema, path: &Path) -> Result<Self, String> {
        if request.is_partial && schema.keys != Keys::Unique {
            return Err("Only unique key merge on write support partial update".into());
        }
        let types = schema.types()?;
        let names = request.columns.clone().unwrap_or_else(|| {
            let shown = schema.shown().map(|column| column.name.clone());
            shown
                .chain(request.hidden_columns.iter().cloned())
                .collect()
        });
        let (mut sources, mut stored) = (Vec::new(), Vec::new());
        for (at, name) in names.into_iter().enumerate() {
            let field = field(schema, &types, &name, request.is_partial)?;
            let target = field.is_some().then_some(stored.len());
            stored.extend(field);
            let path = match &request.json_paths {
                None => None,
                Some(paths) => Some(paths.get(at).cloned().ok_or("too few jsonpaths")?),
            };
            sources.push(Source { name, target, path });
        }
        let copy = sequence_copy(request, schema, &types, &sources, &mut stored)?;
        let constant_sign = request.is_all_deletes;
        if constant_sign {
            stored.push(sign_field(schema)?);
        }
        let lacking = schema.columns.iter().find(|column| {
            !column.nullable
                && column.default.is_none()
                && !request.is_partial
                && !stored.iter().any(|field| field.name == column.name)
        });
        let mut out = BufWriter::with_capacity(
            BUFFER_BYTES,
            File::create(path).map_err(|error| error.to_string())?,
        );
        let layout = Layout {
            columns: stored.iter().map(|field| field.name.clone()).collect(),
            is_partial: request.is_partial,
        };
        let mut line = serde_json::to_vec(&layout).expect("names are JSON");
        line.push(b'\n');
        out.write_all(&line).map_err(|error| error.to_string())?;
        Ok(Self {
            lacking: lacking.map(|column| column.name.clone()),
            sources,
            stored,
            constant_sign,
            copy,
            is_strict: request.is_strict,
            max_filter_ratio: request.max_filter_ratio,
            zone: request.zone.clone(),
            out,
            buffer: Vec::with_capacity(BUFFER_BYTES * 2),
            counts: Counts::default(),
        })
    }

    /// Tells whether fields and stored values are the same, in one order.
    fn is_plain(&self) -> bool {
        !self.constant_sign
            && self.copy.is_none()
            && self.lacking.is_none()
            && self.sources.iter().all(|source| source.target.is_some())
    }

    fn stored(&self) -> Vec<Field> {
        self.stored.clone()
    }

    /// Writes what is there, once it is more than so many bytes.
    fn write_out(&mut self, more_than: usize) -> io::Result<()> {
        if self.buffer.len() > more_than {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn put(&mut self, raw: &RawRow) {
        self.counts.total += 1;
        match self.cells(raw) {
            Ok(cells) => {
                serde_json::to_writer(&mut self.buffer, &cells).expect("values are JSON");
                self.buffer.push(b'\n');
                self.counts.loaded += 1;
            }
            Err(reason) => {
                self.counts.filtered += 1;
                if self.counts.errors.len() < ERROR_LINES_MAX {
                    let mut row = format!("{raw:?}");
                    let cut = (0..=ERROR_ROW_BYTES_MAX.min(row.len()))
                        .rev()
                        .find(|at| row.is_char_boundary(*at));
                    row.truncate(cut.unwrap_or(0));
                    self.counts
                        .errors
                        .push(format!("Reason: {reason}. src line: [{row}]"));
                }
            }
        }
    }

    /// Returns the values of a stored row, or why the row is filtered.
    fn cells(&self, raw: &RawRow) -> Result<Vec<Value>, String> {
        let mut cells = vec![Value::Null; self.stored.len()];
        match raw {
            RawRow::Bad(reason) => return Err(reason.clone()),
            RawRow::Fields(fields) if fields.len() != self.sources.len() => {
                return Err(format!(
                    "actual column number in csv file is {} schema column number: actual number: {}, schema column number: {}",
                    if fields.len() > self.sources.len() {
                        "more than"
                    } else {
                        "less than"
                    },
                    fields.len(),
                    self.sources.len()
                ));
            }
            RawRow::Fields(fields) => {
                for (value, source) in fields.iter().zip(&self.sources) {
                    self.set(&mut cells, source, value)?;
                }
            }
            RawRow::Object(fields) => {
                for source in &self.sources {
                    let value = match &source.path {
                        None => fields.get(&source.name),
                        Some(path) => path[1..]
                            .iter()
                            .fold(fields.get(&path[0]), |value, step| value?.get(step)),
                    };
                    self.set(&mut cells, source, value.unwrap_or(&Value::Null))?;
                }
            }
        }
        if let Some((from, to)) = self.copy {
            cells[to] = cells[from].clone();
        }
        if self.constant_sign {
            *cells.last_mut().expect("it holds the sign") = Value::from(1);
        }
        let lacking = self.lacking.as_ref().or_else(|| {
            let without = cells.iter().zip(&self.stored);
            without
                .filter(|(cell, field)| cell.is_null() && !field.nullable)
                .map(|(_, field)| &field.name)
                .next()
        });
        match lacking {
            None => Ok(cells),
            Some(name) => Err(format!(
                "column({name}) values is null while columns is not nullable"
            )),
        }
    }

    fn set(&self, cells: &mut [Value], source: &Source, value: &Value) -> Result<(), String> {
        let Some(at) = source.target else {
            return Ok(());
        };
        cells[at] = match convert(self.stored[at].ty, value, &self.zone) {
            Ok(converted) => converted,
            Err(Bad::Value(_)) if !self.is_strict => Value::Null,
            Err(Bad::Value(reason) | Bad::Row(reason)) => {
                return Err(format!("column_name[{}], {reason}", source.name));
            }
        };
        Ok(())
    }
}

/// Returns what is stored for a field of the body; `None` for a name that the table has not.
fn field(
    schema: &TableSchema,
    types: &[ColumnType],
    name: &str,
    is_partial: bool,
) -> Result<Option<Field>, String> {
    if name == DELETE_SIGN {
        return sign_field(schema).map(Some);
    }
    let Some(at) = schema.position(name) else {
        if is_partial {
            return Err(format!("unknown column '{name}' in partial update"));
        }
        return Ok(None);
    };
    let column = &schema.columns[at];
    Ok(Some(Field {
        // As the body spells it, which is how its keys are found.
        name: name.to_owned(),
        ty: types[at],
        nullable: column.nullable,
    }))
}

fn sign_field(schema: &TableSchema) -> Result<Field, String> {
    if schema.keys != Keys::Unique {
        return Err(format!(
            "unknown column '{DELETE_SIGN}': only UNIQUE tables have it"
        ));
    }
    Ok(Field {
        name: DELETE_SIGN.to_owned(),
        ty: ColumnType::Integer(8),
        nullable: true,
    })
}

/// Adds the hidden sequence column, and returns from where to where its value is copied.
fn sequence_copy(
    request: &LoadRequest,
    schema: &TableSchema,
    types: &[ColumnType],
    sources: &[Source],
    stored: &mut Vec<Field>,
) -> Result<Option<(usize, usize)>, String> {
    let hidden = schema.position(SEQUENCE);
    let is_given = sources.iter().any(|source| source.name == SEQUENCE);
    let Some(at) = hidden.filter(|_| !is_given) else {
        return Ok(None);
    };
    let Some(name) = &request.sequence_column else {
        if request.is_partial {
            return Ok(None);
        }
        return Err(format!(
            "Table {} has sequence column, need to specify the sequence column",
            schema.table
        ));
    };
    let from = sources
        .iter()
        .find(|source| source.name.eq_ignore_ascii_case(name))
        .and_then(|source| source.target)
        .ok_or_else(|| format!("sequence column '{name}' is not in the load"))?;
    stored.push(Field {
        name: SEQUENCE.to_owned(),
        ty: types[at],
        nullable: true,
    });
    Ok(Some((from, stored.len() - 1)))
}
