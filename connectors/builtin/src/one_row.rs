//! What VALUES and queries without FROM read: one row without columns, once.
//!
//! Its split's position counts the rows that were read, 0 or 1, and is committed like any other: a pipeline that
//! goes on behind the row never sees it again.

use millrace_connector::source::{
    Poll, PollLimit, RowOrigin, Source, SourceBatch, SplitReader, SplitStart,
};
use millrace_connector::{
    ChangelogMode, ConnectorError, LaneId, MetadataKey, OpenContext, Position, Positions,
    Projection, SourceSpec, SplitId,
};
use serde_json::json;

/// One row without columns: the input of VALUES and of queries without FROM. No table can name it.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneRow;

impl SourceSpec for OneRow {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::InsertOnly
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("rows".into(), "1, once".into())]
    }

    fn open(
        &self,
        _projection: &Projection,
        _ctx: &OpenContext,
    ) -> Result<Box<dyn Source>, ConnectorError> {
        Ok(Box::new(OneRowSource))
    }
}

struct OneRowSource;

impl Source for OneRowSource {
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError> {
        if !known.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![SplitStart {
            split: SplitId("row".into()),
            position: Position(json!(0)),
        }])
    }

    fn reader(&mut self, _lane: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError> {
        Ok(Box::new(Reader { unread: Vec::new() }))
    }

    fn publish(&mut self, _positions: &Positions) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn lag(&mut self, _positions: &Positions) -> Option<u64> {
        None
    }
}

struct Reader {
    unread: Vec<SplitId>,
}

impl SplitReader for Reader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        let unread = splits.iter().filter(|start| start.position.0 == json!(0));
        self.unread.extend(unread.map(|start| start.split.clone()));
        Ok(())
    }

    fn poll(&mut self, _limit: &PollLimit) -> Result<Poll, ConnectorError> {
        let Some(split) = self.unread.pop() else {
            return Ok(Poll::Finished);
        };
        Ok(Poll::Batch(SourceBatch {
            columns: Vec::new(),
            rows: 1,
            kinds: None,
            positions: vec![SplitStart {
                split,
                position: Position(json!(1)),
            }],
            records: 1,
            bytes: 0,
            skipped: 0,
            origin: Box::new(Origin),
        }))
    }
}

struct Origin;

impl RowOrigin for Origin {
    fn describe(&self, _row: usize) -> String {
        "a row of VALUES, or of a query without FROM".into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rows_from(splits: &[SplitStart]) -> (usize, Vec<SplitStart>) {
        let mut reader = OneRowSource.reader(LaneId(0)).unwrap();
        reader.assign(splits).unwrap();
        let limit = PollLimit {
            rows_max: 7,
            bytes_max: 1 << 20,
            wait: Duration::from_millis(1),
        };
        let (mut rows, mut positions) = (0, Vec::new());
        while let Poll::Batch(batch) = reader.poll(&limit).unwrap() {
            assert!(batch.columns.is_empty());
            rows += batch.rows;
            positions = batch.positions;
        }
        (rows, positions)
    }

    #[test]
    fn the_row_is_read_once_and_not_again_from_its_position() {
        let splits = OneRowSource.discover(&Positions::new()).unwrap();
        let (rows, after) = rows_from(&splits);
        assert_eq!(rows, 1);
        assert_eq!(rows_from(&after).0, 0);
        let known = after
            .into_iter()
            .map(|start| (start.split, start.position))
            .collect();
        assert_eq!(OneRowSource.discover(&known).unwrap(), []);
    }
}
