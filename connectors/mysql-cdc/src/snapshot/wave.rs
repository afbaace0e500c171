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
    /// The number of the task that did not come to its end: what lies behind is left to the next wave.
    ends_at: Option<usize>,
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
                ends_at: None,
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
        courses.position(|course| !course.state.done && !course.waits && course.ends_at.is_none())
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
        let known = self.lows.iter().position(|known| known == low);
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
        if let (Range::Pieces(_, _, after), Some(chunk)) = (&task.range, last)
            && chunk.after != *after
        {
            course.ends_at = Some(course.ends_at.map_or(place, |known| known.min(place)));
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
                let count = course.ends_at.map_or(usize::MAX, |last| last + 1);
                chunks.extend(course.chunks.into_iter().take(count).flatten());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::KeyReader;
    use crate::definition::TableDefinition;
    use crate::position::Bound;
    use crate::position::Place;
    use crate::snapshot::chunk::Keys;
    use crate::snapshot::key::ChunkKey;
    use crate::snapshot::marks::Low;
    use crate::snapshot::readers::Between;

    const LIMITS: Limits = Limits {
        bytes: 1 << 20,
        time: Duration::from_secs(3600),
        chunks: 100,
    };

    fn plan(table: &str, rows: u64) -> Arc<Plan> {
        let create = format!("CREATE TABLE `{table}` (`id` int NOT NULL, PRIMARY KEY (`id`))");
        let definition = TableDefinition::parse_create("d", &create).unwrap();
        Arc::new(Plan {
            table: TableName::new("d", table),
            key: ChunkKey {
                place: 0,
                kind: definition.columns[0].kind.clone(),
                name: "id".into(),
                order: Order::Here,
                reader: KeyReader::new(&definition, &[0]),
            },
            definition: Arc::new(definition),
            primary_key: None,
            primary_columns: 1,
            list: String::new(),
            rows,
        })
    }

    fn below(key: i64) -> TableProgress {
        TableProgress {
            below: Some(Bound::Int(key)),
            from: Some(Bound::Int(1000)),
            done: false,
        }
    }

    fn chunk(table: &str, lower: i64, upper: i64) -> Chunk {
        let range = (Some(Bound::Int(lower)), Some(Bound::Int(upper)));
        let name = TableName::new("d", table);
        Chunk::new(name, range, Vec::new(), 5, Keys::default(), below(upper))
    }

    fn draft() -> Draft {
        let order = vec![TableName::new("d", "a"), TableName::new("d", "b")];
        Draft::new(&crate::snapshot::begin(order), LIMITS)
    }

    fn task(draft: &mut Draft, course: usize, range: Range) -> Task {
        Task {
            place: draft.hand_out(course),
            wave: Arc::new(Between {
                low: None,
                behind: Default::default(),
            }),
            plan: plan(if course == 0 { "a" } else { "b" }, 64),
            range,
            bytes_max: 1,
            is_alone: false,
        }
    }

    fn between(lower: i64, upper: i64) -> Range {
        Range::Between(Bound::Int(lower), Bound::Int(upper), below(upper))
    }

    fn uppers(chunks: &[Chunk]) -> Vec<(String, i64, usize)> {
        let of = |chunk: &Chunk| match &chunk.upper {
            Some(Bound::Int(upper)) => (chunk.table.table.clone(), *upper, chunk.low),
            _ => (chunk.table.table.clone(), -1, chunk.low),
        };
        chunks.iter().map(of).collect()
    }

    fn nothing(table: &TableName) -> Chunk {
        let keys = Keys::default();
        Chunk::new(table.clone(), (None, None), Vec::new(), 0, keys, below(0))
    }

    #[test]
    fn chunks_come_in_the_order_of_keys_whoever_read_them() {
        let mut draft = draft();
        let first = task(&mut draft, 0, between(0, 5));
        let second = task(&mut draft, 0, between(5, 10));
        let other = task(&mut draft, 1, between(0, 7));
        let one = Arc::new(Low::Place(Place::new("b.1", 4)));
        let two = Arc::new(Low::Place(Place::new("b.1", 9)));
        draft.take(&other, vec![chunk("b", 0, 7)], &one);
        draft.take(&second, vec![chunk("a", 5, 10)], &two);
        assert_eq!(draft.take(&first, vec![chunk("a", 0, 5)], &one), Some(1.0));
        let (chunks, lows) = draft.finish(nothing);
        assert_eq!(
            uppers(&chunks),
            [("a".into(), 5, 0), ("a".into(), 10, 1), ("b".into(), 7, 0)]
        );
        assert_eq!(lows.len(), 2);
    }

    #[test]
    fn what_lies_behind_a_gap_is_left_to_the_next_wave() {
        let mut draft = draft();
        let first = task(&mut draft, 0, between(0, 5));
        let pieces = Range::Pieces(Bound::Int(5), Bound::Int(50), below(50));
        let second = task(&mut draft, 0, pieces);
        let third = task(&mut draft, 0, between(50, 60));
        let low = Arc::new(Low::Place(Place::default()));
        for (task, chunks) in [
            (&third, vec![chunk("a", 50, 60)]),
            (&second, vec![chunk("a", 5, 20), chunk("a", 20, 30)]),
            (&first, vec![chunk("a", 0, 5)]),
        ] {
            draft.take(task, chunks, &low);
        }
        assert_eq!(draft.ready(), Some(1), "nothing more of the first table");
        let (chunks, _) = draft.finish(nothing);
        assert_eq!(
            uppers(&chunks),
            [("a".into(), 5, 0), ("a".into(), 20, 0), ("a".into(), 30, 0)]
        );
    }

    #[test]
    fn a_table_that_is_gone_is_done_with() {
        let mut draft = draft();
        let first = task(&mut draft, 0, between(0, 5));
        draft.gone(0);
        draft.take(
            &first,
            vec![chunk("a", 0, 5)],
            &Arc::new(Low::Place(Place::default())),
        );
        assert_eq!((draft.left(), draft.ready()), (1, Some(1)));
        assert_eq!(uppers(&draft.finish(nothing).0), [("a".into(), -1, 0)]);
    }

    #[test]
    fn what_does_not_fit_is_cut_smaller_and_at_last_read_alone() {
        let mut draft = draft();
        let mut task = task(&mut draft, 0, between(0, 5));
        task = smaller(&task).unwrap();
        assert!(matches!(task.range, Range::Pieces(..)));
        assert_eq!((task.plan.rows, task.is_alone), (16, false));
        task = smaller(&task).unwrap();
        assert_eq!((task.bytes_max, task.is_alone), (CHUNK_BYTES_MAX, true));
        assert!(smaller(&task).is_none());
    }

    #[test]
    fn a_full_wave_has_no_room() {
        let limits = Limits {
            chunks: 2,
            ..LIMITS
        };
        let order = vec![TableName::new("d", "a")];
        let mut draft = Draft::new(&crate::snapshot::begin(order), limits);
        assert!(draft.has_room());
        draft.hand_out(0);
        assert!(draft.has_room());
        draft.hand_out(0);
        assert!(!draft.has_room());
    }
}
