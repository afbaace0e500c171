//! Rows that meet: one graph of operators takes the batches of all sources, and its outputs go to the sinks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use millrace_connector::SplitId;
use millrace_connector::source::{RowOrigin, SourceBatch, SplitStart};
use millrace_operators::{Batch, Graph, GraphError, NodeId, OperatorError, SinkPort, Watermark};
use millrace_state::{ChangeBuffer, StateWriter};

use super::Output;
use crate::dataflow::NodeInput;
use crate::snapshot::{LaneSnapshot, LaneTime};
use crate::status::OperatorStatus;
use crate::watermark::{Advance, SourceWatermark};
use crate::{ChangeForm, OperatorOptions, RunError, Transform, Transformed};

/// The operators of a lane.
pub(crate) struct LaneOperators {
    graph: Graph,
    nodes: Arc<[NodeInput]>,
    changes: Vec<ChangeForm>,
    sources: Vec<LaneSource>,
    options: OperatorOptions,
    /// The clock as operators know it: it never goes back, also not over a restart.
    now_ms: i64,
    /// The sinks that get rows; in a replay those that lost theirs.
    wanted: Vec<bool>,
}

/// What the operators know of a source.
pub(crate) struct LaneSource {
    /// What checkpoints know it by.
    pub(crate) key: String,
    pub(crate) table: String,
    /// Computes the watermark of each row.
    pub(crate) expression: Option<Box<dyn Transform>>,
    pub(crate) watermark: SourceWatermark,
    /// Whether its end is the end of its rows for good.
    pub(crate) is_bounded: bool,
    pub(crate) has_ended: bool,
}

/// Collects what reaches the sinks.
struct Collected<'a> {
    outputs: Vec<Output>,
    changes: &'a [ChangeForm],
    wanted: &'a [bool],
}

impl SinkPort for Collected<'_> {
    fn write(&mut self, sink: usize, batch: Batch) -> Result<(), OperatorError> {
        if !self.wanted[sink] {
            return Ok(());
        }
        let rows = Transformed {
            columns: batch.columns,
            rows: batch.rows,
            origins: batch.origins.map(|origins| origins.to_vec()),
            not_null_dropped: 0,
        };
        let (rows, kinds) = match batch.kinds {
            None => (rows, None),
            Some(kinds) => {
                let (rows, kinds) = self.changes[sink].apply(rows, kinds.to_vec());
                (rows, Some(kinds))
            }
        };
        self.outputs.push(Output {
            writer: sink,
            rows,
            kinds,
        });
        Ok(())
    }
}

impl LaneOperators {
    pub(crate) fn new(
        graph: Graph,
        nodes: Arc<[NodeInput]>,
        changes: Vec<ChangeForm>,
        sources: Vec<LaneSource>,
        wanted: Vec<bool>,
        options: OperatorOptions,
    ) -> Self {
        assert_eq!(
            graph.operators().count(),
            nodes.len(),
            "each node is told of"
        );
        assert_eq!(changes.len(), wanted.len(), "each sink has its form");
        Self {
            graph,
            nodes,
            changes,
            sources,
            options,
            now_ms: i64::MIN,
            wanted,
        }
    }

    /// Returns the graph, for the state of a checkpoint; before any row.
    pub(crate) fn graph_mut(&mut self) -> &mut Graph {
        &mut self.graph
    }

    /// Takes the clock and the watermarks of a checkpoint; before any row, and after the operators' state.
    pub(crate) fn restore_time(&mut self, time: &LaneTime, now_ms: i64) -> Result<(), RunError> {
        self.now_ms = time.now_ms.max(now_ms);
        for (index, node) in self.nodes.iter().enumerate() {
            let state = node.state.as_ref();
            if let Some(inputs) = state.and_then(|state| time.inputs.get(&state.id)) {
                let inputs: Vec<Watermark> = inputs.iter().copied().map(Watermark).collect();
                self.graph.restore_watermarks(NodeId(index), &inputs);
            }
        }
        for source in 0..self.sources.len() {
            let state = &mut self.sources[source];
            let Some(saved) = time.sources.get(&state.key) else {
                continue;
            };
            state.watermark.restore(saved, now_ms);
            state.has_ended = saved.has_ended;
            // Operators without state learn it anew; those with state know it.
            let watermark = if saved.has_ended {
                i64::MAX
            } else {
                saved.sent_ms
            };
            if watermark > i64::MIN {
                let quiet = self.send(now_ms, |graph, now_ms, sinks| {
                    graph.watermark(source, Watermark(watermark), now_ms, sinks)
                })?;
                assert!(quiet.is_empty(), "a known watermark closes nothing");
            }
        }
        Ok(())
    }

    /// Adds a split of a source.
    pub(crate) fn assign(&mut self, source: usize, split: &SplitId, now_ms: i64) {
        self.sources[source].watermark.assign(split, now_ms);
    }

    /// Takes rows of a source, and then the watermark that they stand for.
    pub(super) fn batch(
        &mut self,
        source: usize,
        positions: &[SplitStart],
        batch: SourceBatch,
        now_ms: i64,
    ) -> Result<Vec<Output>, RunError> {
        let greatest = self.greatest_watermarks(source, positions, &batch, now_ms)?;
        let rows = Batch {
            columns: batch.columns,
            rows: batch.rows,
            kinds: batch.kinds.map(Into::into),
            origins: None,
        };
        let sent = self.try_send(now_ms, |graph, now_ms, sinks| {
            graph.batch(source, rows, now_ms, sinks)
        });
        let mut outputs = sent.map_err(|error| self.named(&error, source, Some(&*batch.origin)))?;
        for (split, greatest_ms) in greatest {
            let watermark = &mut self.sources[source].watermark;
            watermark.observe(&split, greatest_ms, now_ms);
        }
        outputs.extend(self.advance(source, now_ms)?);
        self.check_budget()?;
        Ok(outputs)
    }

    /// Returns what the passing of time brings: watermarks that are due, sources that have become idle, timers.
    pub(super) fn tick(&mut self, now_ms: i64) -> Result<Vec<Output>, RunError> {
        let mut outputs = Vec::new();
        for source in 0..self.sources.len() {
            outputs.extend(self.advance(source, now_ms)?);
        }
        if self.graph.next_timer_ms().is_some_and(|due| due <= now_ms) {
            outputs.extend(self.send(now_ms, |graph, now_ms, sinks| graph.timers(now_ms, sinks))?);
            self.check_budget()?;
        }
        Ok(outputs)
    }

    /// Tells the operators that a source has given its last row.
    pub(super) fn end(&mut self, source: usize, now_ms: i64) -> Result<Vec<Output>, RunError> {
        let state = &mut self.sources[source];
        if !state.is_bounded || std::mem::replace(&mut state.has_ended, true) {
            return Ok(Vec::new());
        }
        self.send(now_ms, |graph, now_ms, sinks| {
            graph.watermark(source, Watermark::END, now_ms, sinks)
        })
    }

    /// Makes the operators give out what they hold back only to write fewer rows.
    pub(super) fn flush(&mut self, now_ms: i64) -> Result<Vec<Output>, RunError> {
        self.send(now_ms, |graph, now_ms, sinks| graph.flush(now_ms, sinks))
    }

    /// Returns what changed since the last snapshot.
    pub(super) fn snapshot(&mut self) -> Result<LaneSnapshot, RunError> {
        let mut buffers = vec![ChangeBuffer::default(); self.nodes.len()];
        let mut each = buffers.iter_mut();
        self.graph
            .snapshot(|_| each.next().expect("a buffer a node") as &mut dyn StateWriter)
            .map_err(|error| self.named(&at_no_node(error), 0, None))?;
        let stateful = self.nodes.iter().zip(buffers);
        let mut changes = Vec::new();
        for (node, buffer) in stateful {
            match &node.state {
                Some(_) => changes.push(buffer),
                None => assert!(buffer.is_empty(), "'{}' keeps state unseen", node.name),
            }
        }
        let mut time = LaneTime {
            now_ms: self.now_ms,
            ..LaneTime::default()
        };
        for source in &self.sources {
            let saved = source.watermark.save(source.has_ended);
            time.sources.insert(source.key.clone(), saved);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if let Some(state) = &node.state {
                let inputs = self.graph.watermarks(NodeId(index));
                let inputs = inputs.into_iter().map(|watermark| watermark.0).collect();
                time.inputs.insert(state.id.clone(), inputs);
            }
        }
        Ok(LaneSnapshot { changes, time })
    }

    /// Returns the figures of the operators.
    pub(super) fn figures(&self) -> Vec<OperatorStatus> {
        let figures = self.graph.operators().map(|(node, operator)| {
            let (keys, state_bytes) = operator.size();
            OperatorStatus {
                name: self.nodes[node.0].name.clone(),
                has_state: self.nodes[node.0].state.is_some(),
                keys,
                state_bytes,
                late_rows: operator.late_rows(),
                watermark_ms: match self.graph.watermark_of(node) {
                    Watermark::NONE => None,
                    known => Some(known.0),
                },
            }
        });
        figures.collect()
    }

    fn check_budget(&self) -> Result<(), RunError> {
        let sizes = self
            .graph
            .operators()
            .map(|(_, operator)| operator.size().1);
        let bytes: u64 = sizes.sum();
        let bytes_max = self.options.state_bytes_max;
        if bytes <= bytes_max {
            return Ok(());
        }
        let largest = self.graph.operators().max_by_key(|(_, it)| it.size().1);
        let (node, operator) = largest.expect("somebody has the bytes");
        let (keys, largest_bytes) = operator.size();
        Err(RunError::StateTooLarge {
            bytes,
            bytes_max,
            operator: self.nodes[node.0].name.clone(),
            operator_bytes: largest_bytes,
            keys,
        })
    }

    fn advance(&mut self, source: usize, now_ms: i64) -> Result<Vec<Output>, RunError> {
        if self.sources[source].has_ended || self.sources[source].expression.is_none() {
            return Ok(Vec::new());
        }
        let Advance { idle, watermark_ms } = self.sources[source].watermark.advance(now_ms);
        let mut outputs = Vec::new();
        if let Some(is_idle) = idle {
            outputs.extend(self.send(now_ms, |graph, now_ms, sinks| {
                graph.idle(source, is_idle, now_ms, sinks)
            })?);
        }
        if let Some(watermark_ms) = watermark_ms {
            outputs.extend(self.send(now_ms, |graph, now_ms, sinks| {
                graph.watermark(source, Watermark(watermark_ms), now_ms, sinks)
            })?);
        }
        Ok(outputs)
    }

    /// Computes the watermark of each row, also where no query needs it: its expression may fail, as in Flink.
    fn greatest_watermarks(
        &mut self,
        source: usize,
        positions: &[SplitStart],
        batch: &SourceBatch,
        now_ms: i64,
    ) -> Result<BTreeMap<SplitId, Option<i64>>, RunError> {
        let state = &mut self.sources[source];
        let mut greatest = BTreeMap::new();
        let Some(expression) = &mut state.expression else {
            return Ok(greatest);
        };
        let computed = expression.run(&batch.columns, batch.rows, now_ms);
        let computed = computed.map_err(|(row, message)| RunError::Row {
            table: state.table.clone(),
            origin: batch.origin.describe(row),
            message,
        })?;
        let column = &computed.columns[0];
        let runs = batch.origin.runs();
        if runs.is_empty() {
            let of_all = greatest_ms(column, 0, batch.rows);
            let splits = positions.iter().map(|start| start.split.clone());
            return Ok(splits.map(|split| (split, of_all)).collect());
        }
        let mut start = 0;
        for run in runs {
            let of_run = greatest_ms(column, start, run.end);
            start = run.end;
            let known = greatest.entry(run.split).or_insert(None);
            *known = of_run.max(*known);
        }
        Ok(greatest)
    }

    fn send(
        &mut self,
        now_ms: i64,
        call: impl FnOnce(&mut Graph, i64, &mut dyn SinkPort) -> Result<(), GraphError>,
    ) -> Result<Vec<Output>, RunError> {
        let sent = self.try_send(now_ms, call);
        sent.map_err(|error| self.named(&error, 0, None))
    }

    fn try_send(
        &mut self,
        now_ms: i64,
        call: impl FnOnce(&mut Graph, i64, &mut dyn SinkPort) -> Result<(), GraphError>,
    ) -> Result<Vec<Output>, GraphError> {
        self.now_ms = self.now_ms.max(now_ms);
        let mut collected = Collected {
            outputs: Vec::new(),
            changes: &self.changes,
            wanted: &self.wanted,
        };
        call(&mut self.graph, self.now_ms, &mut collected)?;
        Ok(collected.outputs)
    }

    /// Gives a failure its place: the record, where the row that fails is one that the source gave.
    fn named(&self, error: &GraphError, source: usize, origin: Option<&dyn RowOrigin>) -> RunError {
        let is_behind_state = error.node.is_some_and(|node| {
            let stateful = self.nodes.iter().enumerate();
            let mut stateful = stateful.filter(|(_, node)| node.state.is_some());
            stateful.any(|(from, _)| self.graph.feeds(NodeId(from), node))
        });
        match (error.origin, origin) {
            (Some(row), Some(origin)) if !is_behind_state => RunError::Row {
                table: self.sources[source].table.clone(),
                origin: origin.describe(row),
                message: error.error.to_string(),
            },
            _ => RunError::Operator {
                operator: error.node.map_or_else(
                    || "a sink".to_owned(),
                    |node| self.nodes[node.0].name.clone(),
                ),
                message: error.error.to_string(),
            },
        }
    }
}

fn at_no_node(error: OperatorError) -> GraphError {
    GraphError {
        node: None,
        origin: None,
        error,
    }
}

/// Returns the greatest of some rows of a column of timestamps, in milliseconds.
fn greatest_ms(column: &ArrayRef, start: usize, end: usize) -> Option<i64> {
    let column = column.as_primitive::<TimestampMicrosecondType>();
    let rows = (start..end).filter(|row| column.is_valid(*row));
    let greatest = rows.map(|row| column.value(row)).max();
    greatest.map(|micros| micros.div_euclid(1_000))
}
