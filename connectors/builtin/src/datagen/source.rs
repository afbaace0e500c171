//! Splits of generated rows, and their readers. A split's position is the number of its next row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::ArrayRef;
use millrace_connector::source::{
    Poll, PollLimit, RowOrigin, Source, SourceBatch, SplitReader, SplitStart,
};
use millrace_connector::{
    ConnectorError, ErrorKind, LaneId, Position, Positions, Projection, Retry, SplitId,
};
use serde_json::json;

use super::{DatagenSpec, value};

pub(crate) struct DatagenSource {
    spec: Arc<DatagenSpec>,
    projection: Projection,
    splits: u32,
}

impl DatagenSource {
    pub(crate) fn new(spec: DatagenSpec, projection: Projection, splits: u32) -> Self {
        Self {
            spec: Arc::new(spec),
            projection,
            splits,
        }
    }
}

impl Source for DatagenSource {
    /// The number of splits is fixed at the first start: each has every n-th row.
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        if !known.is_empty() {
            return Ok(Vec::new());
        }
        let start = |index| SplitStart {
            split: SplitId(format!("{index}-of-{}", self.splits)),
            position: Position(json!(0)),
        };
        Ok((0..self.splits).map(start).collect())
    }

    fn reader(&mut self, _lane: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        Ok(Box::new(Reader {
            spec: Arc::clone(&self.spec),
            columns: self.projection.columns.clone(),
            splits: Vec::new(),
            turn: 0,
            made: 0,
            since: Instant::now(),
        }))
    }

    fn publish(&mut self, _positions: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn lag(&mut self, _positions: &Positions) -> Option<u64> {
        None
    }
}

/// A share of the rows: numbers `index`, `index + of`, `index + 2 of` …
#[derive(Clone, Debug)]
struct Split {
    id: SplitId,
    index: u64,
    of: u64,
    next: u64,
    end: Option<u64>,
}

impl Split {
    fn parse(start: &SplitStart, end: Option<u64>) -> Option<Self> {
        let (index, of) = start.split.0.split_once("-of-")?;
        let (index, of): (u64, u64) = (index.parse().ok()?, of.parse().ok()?);
        let next = start.position.0.as_u64()?;
        let end = end.map(|end| end.saturating_sub(index).div_ceil(of.max(1)));
        (index < of).then(|| Self {
            id: start.split.clone(),
            index,
            of,
            next,
            end,
        })
    }

    fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

struct Reader {
    spec: Arc<DatagenSpec>,
    columns: Vec<usize>,
    splits: Vec<Split>,
    turn: usize,
    made: u64,
    since: Instant,
}

impl SplitReader for Reader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        for start in splits {
            let split = Split::parse(start, self.spec.end()).ok_or_else(|| {
                let message = format!(
                    "'{}' at {} is no split of datagen",
                    start.split, start.position.0
                );
                ConnectorError::new(ErrorKind::Internal, Retry::Never, message)
            })?;
            self.splits.push(split);
        }
        self.made = 0;
        self.since = Instant::now();
        Ok(())
    }

    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        if self.splits.iter().all(Split::is_done) {
            return Ok(Poll::Finished);
        }
        let allowed = self.allowed();
        if allowed == 0 {
            std::thread::sleep(limit.wait.min(Duration::from_millis(10)));
            return Ok(Poll::Idle);
        }
        let count = self.splits.len();
        let index = (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|index| !self.splits[*index].is_done())
            .expect("not all splits are done");
        self.turn = index + 1;
        let rows = usize::try_from(allowed)
            .unwrap_or(usize::MAX)
            .min(limit.rows_max);
        Ok(Poll::Batch(self.make(index, rows)))
    }
}

impl Reader {
    /// Returns how many rows may be made now: each split has its share of the rate.
    fn allowed(&self) -> u64 {
        let of = self.splits.first().map_or(1, |split| split.of);
        let rate = self.spec.rows_per_second as f64 * self.splits.len() as f64 / of as f64;
        let due = (self.since.elapsed().as_secs_f64() * rate) as u64 + 1;
        due.saturating_sub(self.made)
    }

    fn make(&mut self, index: usize, rows: usize) -> SourceBatch {
        let split = &mut self.splits[index];
        let left = split.end.map_or(u64::MAX, |end| end - split.next);
        let rows = rows.min(usize::try_from(left).unwrap_or(usize::MAX));
        let first = split.next;
        split.next += rows as u64;
        self.made += rows as u64;
        let numbers: Vec<u64> = (first..split.next)
            .map(|row| split.index + row * split.of)
            .collect();
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|column| {
                let field = self.spec.fields[*column]
                    .as_ref()
                    .expect("only stored columns are asked for");
                value::column(field, *column as u64, &numbers)
            })
            .collect();
        let bytes: usize = columns
            .iter()
            .map(arrow_array::Array::get_buffer_memory_size)
            .sum();
        SourceBatch {
            columns,
            rows,
            kinds: None,
            positions: vec![SplitStart {
                split: split.id.clone(),
                position: Position(json!(split.next)),
            }],
            records: rows as u64,
            bytes: bytes as u64,
            skipped: 0,
            origin: Box::new(Origin(numbers)),
        }
    }
}

struct Origin(Vec<u64>);

impl RowOrigin for Origin {
    fn describe(&self, row: usize) -> String {
        format!("generated row {}", self.0[row])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagen::options::{Field, How, Range};
    use millrace_connector::TypeKind;

    fn spec(rows: u64) -> DatagenSpec {
        let ty = TypeKind::BigInt.nullable();
        let sequence = Field {
            ty: ty.clone(),
            how: How::Sequence {
                start: 10,
                end: 1_000,
            },
        };
        let random = Field {
            ty,
            how: How::Random(Range::default()),
        };
        DatagenSpec {
            rows_per_second: 1_000_000,
            rows_max: Some(rows),
            fields: vec![Some(sequence), Some(random)],
        }
    }

    fn read(source: &mut DatagenSource, splits: &[SplitStart]) -> Vec<i64> {
        use arrow_array::cast::AsArray;
        let mut reader = source.reader(LaneId(0)).unwrap();
        reader.assign(splits).unwrap();
        let limit = PollLimit {
            rows_max: 7,
            bytes_max: 1 << 20,
            wait: Duration::from_millis(1),
        };
        let mut values = Vec::new();
        loop {
            match reader.poll(&limit).unwrap() {
                Poll::Batch(batch) => {
                    let column = batch.columns[0].as_primitive::<arrow_array::types::Int64Type>();
                    values.extend(column.values());
                }
                Poll::Idle => {}
                Poll::Finished => return values,
            }
        }
    }

    #[test]
    fn splits_share_the_rows_and_go_on_from_their_positions() {
        let projection = Projection { columns: vec![0] };
        let mut source = DatagenSource::new(spec(25), projection, 3);
        let mut splits = source.discover(&Positions::new()).unwrap();
        let mut all = read(&mut source, &splits);
        all.sort_unstable();
        assert_eq!(all, (10..35).collect::<Vec<i64>>());
        splits[0].position = Position(json!(8));
        assert_eq!(read(&mut source, &splits[..1]), [34]);
        let known = splits
            .into_iter()
            .map(|start| (start.split, start.position))
            .collect();
        assert_eq!(source.discover(&known).unwrap(), []);
    }
}
