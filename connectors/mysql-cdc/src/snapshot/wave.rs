//! A wave while it is read: which tables, how far each is handed out, and the chunks that came back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Chunk;
use super::key::Order;
use super::marks::Low;
use super::plan::Plan;
use super::query::fill;
use super::readers::{Range, Task};
use crate::definition::TableName;
use crate::position::{SnapshotProgress, TableProgress};

/// Rows of chunks wait in memory for their high mark: the most that all readers together hold of chunks in work.
pub(super) const CHUNK_BYTES_MAX: usize = 256 << 20;
pub(super) const CHUNK_ROWS_MIN: u64 = 16;

/// When no more chunks are handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) time: Duration,
    pub(super) chunks: usize,
}

/// A table in the wave.
pub(super) struct Course {
    pub(super) table: TableName,
    /// How far it is handed out.
    pub(super) state: TableProgress,
    pub(super) plan: Option<Arc<Plan>>,
    /// A chunk is out, and only its rows tell where it ends.
    pub(super) waits: bool,
    /// It was dropped.
    is_gone: bool,
    /// What came back, in the order of handing out.
    chunks: Vec<Vec<Chunk>>,
}

/// A wave while it is read.
pub(super) struct Draft {
    pub(super) courses: Vec<Course>,
    /// Tasks to hand out once more, before others.
    pub(super) again: VecDeque<Task>,
    limits: Limits,
    begun: Instant,
    lows: Vec<Arc<Low>>,
    handed_out: usize,
    came_back: usize,
    bytes: usize,
}

impl Draft {
    pub(super) fn new(progress: &SnapshotProgress, limits: Limits) -> Self {
        let course = |table: &TableName| {
            let state = progress.tables.get(&table.to_string())?;
            Some(Course {
                table: table.clone(),
                state: state.clone(),
                plan: None,
                waits: false,
                is_gone: false,
                chunks: Vec::new(),
            })
        };
        Self {
            courses: progress.order.iter().filter_map(course).collect(),
            again: VecDeque::new(),
            limits,
            begun: Instant::now(),
            lows: Vec::new(),
            handed_out: 0,
            came_back: 0,
            bytes: 0,
        }
    }

    /// Tells whether one more chunk may be handed out: what is out counts as much as what came back did.
    pub(super) fn has_room(&self) -> bool {
        let out = self.handed_out - self.came_back;
        let expected = self.bytes + self.bytes / self.came_back.max(1) * out;
        let is_old = self.begun.elapsed() >= self.limits.time && self.handed_out > 0;
        self.handed_out < self.limits.chunks && expected < self.limits.bytes && !is_old
    }

    /// Returns how many tables are not yet handed out to their end.
    pub(super) fn left(&self) -> usize {
        let courses = self.courses.iter();
        courses.filter(|course| !course.state.done).count()
    }

    /// Returns the number of the first table with something to hand out.
    pub(super) fn ready(&self) -> Option<usize> {
        let mut courses = self.courses.iter();
        courses.position(|course| !course.state.done && !course.waits)
    }

    /// Notes a chunk that is handed out, and returns its place.
    pub(super) fn hand_out(&mut self, course: usize) -> (usize, usize) {
        self.handed_out += 1;
        let chunks = &mut self.courses[course].chunks;
        chunks.push(Vec::new());
        (course, chunks.len() - 1)
    }

    /// Notes that a table is not there.
    pub(super) fn gone(&mut self, course: usize) {
        let course = &mut self.courses[course];
        if !course.is_gone {
            tracing::warn!(table = %course.table, "the table was dropped before its snapshot");
        }
        course.is_gone = true;
        course.waits = false;
        course.state = TableProgress {
            done: true,
            ..TableProgress::default()
        };
    }

    /// Notes that a task brought nothing.
    pub(super) fn came_back_empty(&mut self) {
        self.came_back += 1;
    }

    /// Takes the chunks of a task; returns how dense the last one was, where keys are numbers.
    pub(super) fn take(
        &mut self,
        task: &Task,
        mut chunks: Vec<Chunk>,
        low: &Arc<Low>,
    ) -> Option<f64> {
        let known = self.lows.iter().position(|known| Arc::ptr_eq(known, low));
        let number = known.unwrap_or_else(|| {
            self.lows.push(Arc::clone(low));
            self.lows.len() - 1
        });
        for chunk in &mut chunks {
            chunk.low = number;
            self.bytes += chunk.bytes();
        }
        self.came_back += 1;
        let (course, place) = task.place;
        let course = &mut self.courses[course];
        let last = chunks.last();
        if matches!(task.range, Range::Next(_)) && !course.is_gone {
            course.waits = false;
            if let Some(chunk) = last {
                course.state = chunk.after.clone();
            }
        }
        let fill = last.and_then(fill);
        course.chunks[place] = chunks;
        fill
    }

    /// Returns all chunks in the order of the tables and of their keys, and the marks that they name.
    pub(super) fn finish(
        self,
        nothing: impl Fn(&TableName) -> Chunk,
    ) -> (Vec<Chunk>, Vec<Arc<Low>>) {
        let mut chunks = Vec::new();
        for course in self.courses {
            if course.is_gone {
                chunks.push(nothing(&course.table));
            } else {
                chunks.extend(course.chunks.into_iter().flatten());
            }
        }
        (chunks, self.lows)
    }
}

/// Returns the task with fewer rows a chunk, or alone with all the memory that there is; `None` if it is neither.
pub(super) fn smaller(task: &Task) -> Option<Task> {
    let mut task = task.clone();
    if task.plan.key.order != Order::Whole && task.plan.rows > CHUNK_ROWS_MIN {
        let rows = (task.plan.rows / 4).max(CHUNK_ROWS_MIN);
        task.plan = Arc::new(Plan {
            rows,
            ..(*task.plan).clone()
        });
        if let Range::Between(lower, upper, after) = task.range {
            task.range = Range::Pieces(lower, upper, after);
        }
        return Some(task);
    }
    if task.is_alone {
        return None;
    }
    task.is_alone = true;
    task.bytes_max = CHUNK_BYTES_MAX;
    Some(task)
}
