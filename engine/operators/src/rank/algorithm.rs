//! What a row does to a partition, and which rows that shows.

use millrace_connector::RowKind;

use super::RankSpec;
use crate::emit::Emitter;
use crate::keyed_sorted::{KeyedSorted, SortedRow};

/// Collects what is given out, within the ranks that are shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) emitter: Emitter,
    pub(super) ranks: Vec<i64>,
    start: i64,
    pub(super) end: i64,
    update_before: bool,
    /// Whether each rank whose row changes is updated, or rows only come and go.
    by_number: bool,
}

/// A row of the batch on its way into a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    pub(super) slot: u32,
    /// Its place in the batch.
    pub(super) row: usize,
    pub(super) sort: &'a [u8],
    /// The row key of the update strategy; else empty.
    pub(super) key: &'a [u8],
    pub(super) bytes: &'a [u8],
    pub(super) now_ms: i64,
}

/// A row that is shown.
#[derive(Clone, Copy)]
enum Source<'a> {
    Given(usize),
    Kept(&'a SortedRow),
}

impl Shown {
    pub(super) fn new(spec: &RankSpec) -> Self {
        Self {
            emitter: Emitter::default(),
            ranks: Vec::new(),
            start: spec.start,
            end: 0,
            update_before: spec.update_before,
            by_number: spec.with_number || spec.start > 1,
        }
    }

    pub(super) fn input(&mut self, kind: RowKind, row: usize, rank: i64) {
        self.show(kind, Source::Given(row), rank);
    }

    fn show(&mut self, kind: RowKind, source: Source<'_>, rank: i64) {
        let asked = self.update_before || kind != RowKind::UpdateBefore;
        if !asked || rank < self.start || rank > self.end {
            return;
        }
        match source {
            Source::Given(row) => self.emitter.input(kind, row),
            Source::Kept(row) => self.emitter.stored(kind, row.row()),
        }
        self.ranks.push(rank);
    }

    fn update(&mut self, before: Source<'_>, after: Source<'_>, rank: i64) {
        self.show(RowKind::UpdateBefore, before, rank);
        self.show(RowKind::UpdateAfter, after, rank);
    }
}

fn rank(place: usize) -> i64 {
    place as i64 + 1
}

/// A Top-1 over rows that only come or move up: a better row takes the place.
pub(super) fn top_1(state: &mut KeyedSorted, given: &Given<'_>, shown: &mut Shown) {
    let source = Source::Given(given.row);
    match state.rows(given.slot).get(0) {
        None => shown.show(RowKind::Insert, source, 1),
        Some(best) if given.sort < best.sort() => {
            shown.update(Source::Kept(best), source, 1);
            state.remove(given.slot, 0);
        }
        Some(_) => return,
    }
    insert(state, given);
}

/// A row of an insert-only input.
pub(super) fn append(state: &mut KeyedSorted, given: &Given<'_>, shown: &mut Shown) {
    if rank(state.rows(given.slot).upper_bound(given.sort)) > shown.end {
        return;
    }
    let place = insert(state, given);
    push_in(state, given, place, shown);
    while state.rows(given.slot).len() as i64 > shown.end {
        state.remove(given.slot, state.rows(given.slot).len() - 1);
    }
}

/// A row of an input of `+I` and `+U` that only move up.
pub(super) fn update(state: &mut KeyedSorted, given: &Given<'_>, shown: &mut Shown) {
    let found = state
        .rows(given.slot)
        .from(0)
        .position(|row| row.tag() == given.key);
    let Some(old_place) = found else {
        append(state, given, shown);
        return;
    };
    let source = Source::Given(given.row);
    let old_sort_is_same = state
        .rows(given.slot)
        .get(old_place)
        .is_some_and(|row| row.sort() == given.sort);
    if old_sort_is_same {
        let old = state.replace(given.slot, old_place, given.key, given.bytes, given.now_ms);
        shown.update(Source::Kept(&old), source, rank(old_place));
        return;
    }
    let old = state.remove(given.slot, old_place);
    let place = insert(state, given);
    if !shown.by_number {
        shown.update(Source::Kept(&old), source, 1);
        return;
    }
    if place > old_place {
        move_down(state, given, (old_place, &old), place, shown);
        return;
    }
    // The rows between move down by one; the old row goes first of all but the one whose rank is taken.
    let mut current = source;
    let mut retracted = false;
    let rows = state.rows(given.slot);
    for (at, next) in (place..old_place).zip(rows.from(place + 1)) {
        shown.show(RowKind::UpdateBefore, Source::Kept(next), rank(at));
        if !std::mem::replace(&mut retracted, true) {
            shown.show(RowKind::UpdateBefore, Source::Kept(&old), rank(old_place));
        }
        shown.show(RowKind::UpdateAfter, current, rank(at));
        current = Source::Kept(next);
    }
    if !retracted {
        shown.show(RowKind::UpdateBefore, Source::Kept(&old), rank(old_place));
    }
    shown.show(RowKind::UpdateAfter, current, rank(old_place));
}

/// A row that moved down although it must not, since what comes before it forgot it: the rows between move up.
fn move_down(
    state: &KeyedSorted,
    given: &Given<'_>,
    (old_place, old): (usize, &SortedRow),
    place: usize,
    shown: &mut Shown,
) {
    shown.show(RowKind::UpdateBefore, Source::Kept(old), rank(old_place));
    let rows = state.rows(given.slot);
    for (at, row) in (old_place..place).zip(rows.from(old_place)) {
        shown.show(RowKind::UpdateBefore, Source::Kept(row), rank(at + 1));
        shown.show(RowKind::UpdateAfter, Source::Kept(row), rank(at));
    }
    shown.show(RowKind::UpdateAfter, Source::Given(given.row), rank(place));
}

/// A row that is added to an input of any changes.
pub(super) fn add(state: &mut KeyedSorted, given: &Given<'_>, shown: &mut Shown) {
    let place = insert(state, given);
    push_in(state, given, place, shown);
}

/// A row that is retracted from an input of any changes.
pub(super) fn retract(state: &mut KeyedSorted, given: &Given<'_>, shown: &mut Shown) {
    let rows = state.rows(given.slot);
    let first = rows.lower_bound(given.sort);
    let same = rows.from(first).take_while(|row| row.sort() == given.sort);
    let Some(within) = same.into_iter().position(|row| row.row() == given.bytes) else {
        return;
    };
    let place = first + within;
    let gone = state.remove(given.slot, place);
    if rank(place) > shown.end {
        return;
    }
    let rows = state.rows(given.slot);
    if !shown.by_number {
        shown.show(RowKind::Delete, Source::Kept(&gone), rank(place));
        let last = usize::try_from(shown.end - 1).ok();
        if let Some(row) = last.and_then(|last| rows.get(last)) {
            shown.show(RowKind::Insert, Source::Kept(row), shown.end);
        }
        return;
    }
    let mut before = &gone;
    let mut at = place;
    for row in rows.from(place) {
        if rank(at) > shown.end {
            return;
        }
        shown.update(Source::Kept(before), Source::Kept(row), rank(at));
        before = row;
        at += 1;
    }
    shown.show(RowKind::Delete, Source::Kept(before), rank(at));
}

/// Shows a row that has come into a place: the ranks behind it move, or the last row falls out.
fn push_in(state: &KeyedSorted, given: &Given<'_>, place: usize, shown: &mut Shown) {
    if rank(place) > shown.end {
        return;
    }
    let rows = state.rows(given.slot);
    let mut current = Source::Given(given.row);
    if !shown.by_number {
        let out = usize::try_from(shown.end)
            .ok()
            .and_then(|end| rows.get(end));
        if let Some(out) = out {
            shown.show(RowKind::Delete, Source::Kept(out), shown.end);
        }
        shown.show(RowKind::Insert, current, rank(place));
        return;
    }
    let mut at = place;
    for next in rows.from(place + 1) {
        if rank(at) > shown.end {
            return;
        }
        shown.update(Source::Kept(next), current, rank(at));
        current = Source::Kept(next);
        at += 1;
    }
    shown.show(RowKind::Insert, current, rank(at));
}

fn insert(state: &mut KeyedSorted, given: &Given<'_>) -> usize {
    state.insert(given.slot, given.sort, given.key, given.bytes, given.now_ms)
}
