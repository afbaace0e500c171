//! Tests as lists of steps: rows as text in, rows as text out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use millrace_connector::RowKind;
use millrace_state::{Change, StateError, StateReader, StateWriter, TableId};

use crate::condition::JoinCondition;
use crate::operator::Item;
use crate::{Batch, Context, Operator, OperatorError, Output, Watermark};

pub(crate) const INT: DataType = DataType::Int32;
pub(crate) const BIGINT: DataType = DataType::Int64;
pub(crate) const STRING: DataType = DataType::Utf8View;
/// Written in seconds.
pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// One step of a test.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Rows of an input, `+I 1|a`, that come in one batch.
    Rows(usize, Vec<String>),
    /// A watermark, in seconds; the maximum is the end.
    Watermark(i64),
    /// Processing time goes on to so many milliseconds.
    Time(i64),
}

pub(crate) fn row(input: usize, row: &str) -> Step {
    Step::Rows(input, vec![row.to_owned()])
}

/// Steps of the reference: an input, a row, and what comes out.
pub(crate) type Steps = &'static [(usize, &'static str, &'static [&'static str])];

/// Steps of the reference with the watermark, in seconds, that goes behind a row.
pub(crate) type TimedSteps =
    &'static [(usize, &'static str, Option<i64>, &'static [&'static str])];

/// An operator, what its inputs look like, and what it gave out.
pub(crate) struct Harness {
    operator: Box<dyn Operator>,
    inputs: Vec<Vec<DataType>>,
    watermark: Watermark,
    now_ms: i64,
}

impl Harness {
    pub(crate) fn new(operator: impl Operator + 'static, inputs: &[&[DataType]]) -> Self {
        Self::boxed(Box::new(operator), inputs)
    }

    fn boxed(operator: Box<dyn Operator>, inputs: &[&[DataType]]) -> Self {
        Self {
            operator,
            inputs: inputs.iter().map(|types| types.to_vec()).collect(),
            watermark: Watermark::NONE,
            now_ms: 1_000_000,
        }
    }

    /// Takes a step and returns what came out: rows, and watermarks as `W 12`.
    pub(crate) fn step(&mut self, step: &Step) -> Result<Vec<String>, OperatorError> {
        let mut out = Output::default();
        let ctx = Context {
            now_ms: self.now_ms,
            watermark: self.watermark,
        };
        match step {
            Step::Rows(input, rows) => {
                let batch = parse(&self.inputs[*input], rows);
                self.operator.batch(*input, batch, &ctx, &mut out)?;
            }
            Step::Watermark(seconds) => {
                let watermark = match *seconds {
                    i64::MAX => Watermark::END,
                    seconds => Watermark(seconds * 1_000),
                };
                self.operator.watermark(watermark, &ctx, &mut out)?;
                self.watermark = watermark;
            }
            Step::Time(now_ms) => {
                self.now_ms = *now_ms;
                if self
                    .operator
                    .next_timer_ms()
                    .is_some_and(|due| due <= *now_ms)
                {
                    let ctx = Context {
                        now_ms: *now_ms,
                        ..ctx
                    };
                    self.operator.timer(&ctx, &mut out)?;
                }
            }
        }
        let mut given: Vec<_> = out.items.iter().flat_map(print).collect();
        let ctx = Context {
            now_ms: self.now_ms,
            ..ctx
        };
        loop {
            let mut out = Output::default();
            let more = self.operator.more(&ctx, &mut out)?;
            assert!(out.items.len() <= 17, "one call gives out too much");
            given.extend(out.items.iter().flat_map(print));
            if !more {
                return Ok(given);
            }
        }
    }

    /// Sends a row and checks what comes out.
    #[track_caller]
    pub(crate) fn check(&mut self, input: usize, given: &str, expected: &[&str]) {
        let found = self.step(&row(input, given)).unwrap();
        assert_eq!(found, expected, "behind {given} of input {input}");
    }

    /// Takes the steps of the reference.
    #[track_caller]
    pub(crate) fn check_all(&mut self, steps: Steps) {
        for (input, given, expected) in steps {
            self.check(*input, given, expected);
        }
    }

    /// Takes the steps of the reference where the order within a step is chance.
    #[track_caller]
    pub(crate) fn check_bags(&mut self, steps: Steps) {
        for (input, given, expected) in steps {
            let mut found = self.step(&row(*input, given)).unwrap();
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "behind {given} of input {input}");
        }
    }

    /// Takes timed steps and then the end of the inputs; of what comes out only some columns are compared, in any order.
    #[track_caller]
    pub(crate) fn check_timed(&mut self, steps: TimedSteps, end: &[&str], columns: &[usize]) {
        let project = |row: &String| {
            let (kind, values) = row.split_once(' ').unwrap();
            let values: Vec<_> = values.split('|').collect();
            let values: Vec<_> = columns.iter().map(|column| values[*column]).collect();
            format!("{kind} {}", values.join("|"))
        };
        let compare = |found: Vec<String>, expected: &[&str], behind: &str| {
            let rows = found.iter().filter(|row| !row.starts_with("W "));
            let mut rows: Vec<_> = rows.map(project).collect();
            let mut expected = expected.to_vec();
            rows.sort_unstable();
            expected.sort_unstable();
            assert_eq!(rows, expected, "behind {behind}");
        };
        for (input, given, watermark, expected) in steps {
            let mut found = self.step(&row(*input, given)).unwrap();
            if let Some(seconds) = watermark {
                found.extend(self.step(&Step::Watermark(*seconds)).unwrap());
            }
            compare(found, expected, given);
        }
        compare(
            self.step(&Step::Watermark(i64::MAX)).unwrap(),
            end,
            "the end",
        );
    }

    /// Takes the rows of the reference in one batch; they are of one input.
    #[track_caller]
    pub(crate) fn check_all_at_once(&mut self, steps: Steps) {
        let given = steps.iter().map(|(_, given, _)| *given);
        let expected = steps
            .iter()
            .flat_map(|(_, _, expected)| expected.iter().copied());
        let given: Vec<_> = given.collect();
        let expected: Vec<_> = expected.collect();
        self.check_batch(steps[0].0, &given, &expected);
    }

    /// Sends rows in one batch and checks what comes out.
    #[track_caller]
    pub(crate) fn check_batch(&mut self, input: usize, given: &[&str], expected: &[&str]) {
        let rows = given.iter().map(|row| (*row).to_owned()).collect();
        let found = self.step(&Step::Rows(input, rows)).unwrap();
        assert_eq!(found, expected, "behind {given:?} of input {input}");
    }

    /// Sends a watermark in seconds and checks what comes out in front of it.
    #[track_caller]
    pub(crate) fn check_watermark(&mut self, seconds: i64, expected: &[&str]) {
        let mut found = self.step(&Step::Watermark(seconds)).unwrap();
        let handed_on = found.pop();
        assert_eq!(found, expected, "behind the watermark {seconds}");
        assert!(handed_on.is_some_and(|last| last.starts_with("W ")));
    }

    /// Lets processing time go on and checks what comes out.
    #[track_caller]
    pub(crate) fn check_time(&mut self, now_ms: i64, expected: &[&str]) {
        let found = self.step(&Step::Time(now_ms)).unwrap();
        assert_eq!(found, expected, "at {now_ms} ms");
    }

    pub(crate) fn operator(&self) -> &dyn Operator {
        self.operator.as_ref()
    }
}

/// Checks that an operator goes on from a snapshot at any point as if nothing had been; snapshots are taken now and
/// then, so each holds only what changed.
#[track_caller]
pub(crate) fn check_restore(
    make: impl Fn() -> Box<dyn Operator>,
    inputs: &[&[DataType]],
    steps: &[Step],
) {
    check_restarts(&make, inputs, steps);
    for cut in (0..=steps.len()).step_by(7) {
        let mut first = Harness::boxed(make(), inputs);
        let mut checkpoint = Checkpoint::default();
        for (at, step) in steps[..cut].iter().enumerate() {
            first.step(step).unwrap();
            if at % 3 == 0 {
                first.operator.snapshot(&mut checkpoint).unwrap();
            }
        }
        first.operator.snapshot(&mut checkpoint).unwrap();
        let mut second = Harness::boxed(make(), inputs);
        second.operator.restore(&mut checkpoint).unwrap();
        second.watermark = first.watermark;
        second.now_ms = first.now_ms;
        let mut again = checkpoint.clone();
        for (at, step) in steps[cut..].iter().enumerate() {
            let expected = first.step(step).unwrap();
            let found = second.step(step).unwrap();
            assert_eq!(found, expected, "restored at {cut}, step {at}: {step:?}");
            first.operator.snapshot(&mut checkpoint).unwrap();
            second.operator.snapshot(&mut again).unwrap();
            // Counts that only order entries may differ.
            let (sizes, found) = (checkpoint.entries.len(), again.entries.len());
            assert_eq!(
                sizes, found,
                "restored at {cut}, behind step {at}: {step:?}"
            );
        }
        let mut idle = Checkpoint::default();
        first.operator.snapshot(&mut idle).unwrap();
        assert_eq!(
            idle,
            Checkpoint::default(),
            "a snapshot without a change is empty"
        );
    }
}

/// Checks that an operator that is restarted behind every step gives the same as one that is not.
#[track_caller]
fn check_restarts(make: &impl Fn() -> Box<dyn Operator>, inputs: &[&[DataType]], steps: &[Step]) {
    let mut steady = Harness::boxed(make(), inputs);
    let mut restarted = Harness::boxed(make(), inputs);
    let mut checkpoint = Checkpoint::default();
    for (at, step) in steps.iter().enumerate() {
        let expected = steady.step(step).unwrap();
        let found = restarted.step(step).unwrap();
        assert_eq!(found, expected, "restarted, step {at}: {step:?}");
        restarted.operator.snapshot(&mut checkpoint).unwrap();
        restarted.operator = make();
        restarted.operator.restore(&mut checkpoint).unwrap();
    }
}

/// A condition over pairs that looks at INT columns.
pub(crate) struct IntCondition(pub(crate) fn(&[Option<i32>]) -> Option<bool>);

impl std::fmt::Debug for IntCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntCondition")
    }
}

impl JoinCondition for IntCondition {
    fn evaluate(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        _now_ms: i64,
    ) -> Result<BooleanArray, OperatorError> {
        let int = |column: &ArrayRef, row| {
            let ints = column.as_primitive_opt::<Int32Type>()?;
            ints.is_valid(row).then(|| ints.value(row))
        };
        let matches = (0..rows).map(|row| {
            let values: Vec<_> = columns.iter().map(|column| int(column, row)).collect();
            (self.0)(&values)
        });
        Ok(matches.collect())
    }
}

/// The entries of an operator as a checkpoint holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    entries: BTreeMap<(u8, Vec<u8>, Vec<u8>), Vec<u8>>,
}

impl StateWriter for Checkpoint {
    fn write(&mut self, change: Change<'_>) {
        let key = (
            change.table.0,
            change.partition.to_vec(),
            change.key.to_vec(),
        );
        match change.value {
            Some(value) => self.entries.insert(key, value.to_vec()),
            None => self.entries.remove(&key),
        };
    }
}

impl StateReader for Checkpoint {
    fn for_each(
        &mut self,
        visit: &mut dyn FnMut(Change<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        // In another order than they were written.
        self.entries
            .iter()
            .rev()
            .try_for_each(|((table, partition, key), value)| {
                visit(Change {
                    table: TableId(*table),
                    partition,
                    key,
                    value: Some(value),
                })
            })
    }
}

/// Numbers that look like chance and are always the same.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn parse(types: &[DataType], rows: &[String]) -> Batch {
    let mut kinds = Vec::new();
    let mut cells: Vec<Vec<Option<&str>>> = vec![Vec::new(); types.len()];
    for row in rows {
        let (kind, values) = row.split_once(' ').expect("a kind and values");
        kinds.push(match kind {
            "+I" => RowKind::Insert,
            "-U" => RowKind::UpdateBefore,
            "+U" => RowKind::UpdateAfter,
            "-D" => RowKind::Delete,
            _ => panic!("{kind} is no kind"),
        });
        let values: Vec<_> = values.split('|').collect();
        assert_eq!(values.len(), types.len(), "{row}");
        for (cells, value) in cells.iter_mut().zip(values) {
            cells.push((value != "NULL").then_some(value));
        }
    }
    let columns = types.iter().zip(cells);
    let columns = columns.map(|(ty, cells)| column(ty, &cells)).collect();
    let mut batch = Batch::changes(columns, kinds);
    if rows.iter().all(|row| row.starts_with("+I")) {
        batch.kinds = None;
    }
    batch
}

fn column(ty: &DataType, cells: &[Option<&str>]) -> ArrayRef {
    let number = |cell: &Option<&str>| cell.map(|cell| cell.parse::<i64>().unwrap());
    match ty {
        DataType::Int32 => Arc::new(
            cells
                .iter()
                .map(|cell| number(cell).map(|value| i32::try_from(value).unwrap()))
                .collect::<Int32Array>(),
        ),
        DataType::Int64 => Arc::new(cells.iter().map(number).collect::<Int64Array>()),
        DataType::Timestamp(..) => Arc::new(
            cells
                .iter()
                .map(|cell| cell.map(|cell| (cell.parse::<f64>().unwrap() * 1e6) as i64))
                .collect::<TimestampMicrosecondArray>(),
        ),
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::new();
            cells.iter().for_each(|cell| builder.append_option(*cell));
            Arc::new(builder.finish())
        }
        _ => panic!("{ty} is not for tests"),
    }
}

fn print(item: &Item) -> Vec<String> {
    let batch = match item {
        Item::Batch(batch) => batch,
        Item::Watermark(Watermark::END) => return vec!["W END".into()],
        Item::Watermark(watermark) => return vec![format!("W {}", seconds(watermark.0 * 1_000))],
    };
    let row = |row| {
        let values = batch.columns.iter().map(|column| cell(column, row));
        format!(
            "{} {}",
            batch.kind(row),
            values.collect::<Vec<_>>().join("|")
        )
    };
    (0..batch.rows).map(row).collect()
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".into();
    }
    match column.data_type() {
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Timestamp(..) => {
            seconds(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Utf8View => column.as_string_view().value(row).to_owned(),
        ty => panic!("{ty} is not for tests"),
    }
}

/// Microseconds as seconds, with milliseconds where there are some.
fn seconds(micros: i64) -> String {
    if micros % 1_000_000 == 0 {
        (micros / 1_000_000).to_string()
    } else {
        format!("{:.3}", micros as f64 / 1e6)
    }
}
