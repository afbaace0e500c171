//! Dataflows with state through a fault at every step: what the sinks hold in the end is what an uninterrupted run gives.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod operators;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_checkpoint::{Manifest, MemoryStore, Store};
use millrace_connector::{Cancel, Projection, RowKind};
use millrace_operators::{Edge, GraphBuilder, Operator};
use millrace_runtime::{
    ChangeForm, Clock, Dataflow, DataflowStatus, End, NodeInput, NodeState, OperatorOptions,
    Operators, RestartStrategy, RunError, RuntimeOptions, SinkInput, SourceInput, SystemClock, run,
};
use millrace_state::Fingerprint;
use operators::{
    BY_FLUSH, BY_TIMER, Counter, Holder, KEYS, Times, WATERMARK, WINDOW, WINDOWS, Windows,
};
use parking_lot::Mutex;
use world::{Fault, Numbers, Process, Row, Sink, SinkKind, World};

const SPLITS: i64 = 3;

fn node(name: &str, keys: &str) -> NodeInput {
    NodeInput {
        name: name.into(),
        state: Some(NodeState {
            id: name.to_lowercase(),
            fingerprint: Fingerprint {
                kind: name.to_lowercase(),
                version: 1,
                keys: vec![keys.into()],
                ..Fingerprint::default()
            },
            ttl_ms: 0,
        }),
    }
}

fn operators(keys: &str) -> Operators {
    Operators {
        graph: Arc::new(|| {
            let mut graph = GraphBuilder::default();
            for operator in [
                Box::new(Counter::default()) as Box<dyn Operator>,
                Box::new(Windows::default()),
            ] {
                let node = graph.add(operator, 1);
                graph.connect_source(0, Edge::Node { node, input: 0 });
                graph.connect(node, Edge::Sink(0));
            }
            graph.build()
        }),
        nodes: vec![node("Counter", keys), node("Windows", "window")],
        changes: vec![ChangeForm::All],
    }
}

fn dataflow(source: Numbers, kind: SinkKind, operators: Operators) -> Dataflow {
    let process = source.process.clone();
    Dataflow {
        name: "d".into(),
        id: "d".into(),
        names: None,
        sources: vec![SourceInput {
            name: "numbers".into(),
            key: "numbers".into(),
            spec: Arc::new(source),
            projection: Projection { columns: vec![0] },
            branches: Vec::new(),
            watermark: Some(Arc::new(|| Box::new(Times))),
        }],
        sinks: vec![SinkInput {
            name: "sink".into(),
            spec: Arc::new(Sink { process, kind }),
        }],
        operators: Some(operators),
    }
}

fn options() -> RuntimeOptions {
    RuntimeOptions {
        pipeline: "p".into(),
        slot: 0,
        slots: 1,
        parallelism: 2,
        checkpoint_interval: Duration::from_millis(1),
        checkpoint_timeout: Duration::from_secs(10),
        checkpoints_retained: 1,
        buffer_bytes_max: 1 << 20,
        batch_rows_max: 100,
        batch_bytes_max: 1 << 20,
        restart: RestartStrategy::None,
        operators: OperatorOptions {
            key_groups: 16,
            watermark_interval: Duration::ZERO,
            ..OperatorOptions::default()
        },
        mark_interval: Duration::from_secs(3_600),
        accepted_mark: None,
        forgotten: BTreeSet::new(),
    }
}

/// The processes of one pipeline and what they share.
#[derive(Clone)]
struct Setting {
    world: Arc<Mutex<World>>,
    files: MemoryStore,
    kind: SinkKind,
    rows: i64,
    keys: &'static str,
    options: RuntimeOptions,
    status: Arc<DataflowStatus>,
}

impl Setting {
    fn new(kind: SinkKind, rows: i64) -> Self {
        Self {
            world: Arc::default(),
            files: MemoryStore::default(),
            kind,
            rows,
            keys: "remainder",
            options: options(),
            status: Arc::default(),
        }
    }

    /// One process from its start to its end.
    fn run(&self) -> Result<End, RunError> {
        self.run_with(|_| ())
    }

    fn run_with(&self, change: impl FnOnce(&mut Numbers)) -> Result<End, RunError> {
        let other = self.clone();
        let copy = Arc::new(move || drop(other.run()));
        let process = Process::new(&self.world, &self.files, copy);
        let mut source = Numbers::new(&process, SPLITS, self.rows);
        change(&mut source);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        run(
            &dataflow(source, self.kind, operators(self.keys)),
            &self.options,
            &process,
            &self.status,
            &clock,
            &Cancel::default(),
        )
    }

    fn seen(&self) -> Vec<Row> {
        let world = self.world.lock();
        match self.kind {
            SinkKind::Log => world.log.clone(),
            SinkKind::Table => world.table(),
        }
    }

    /// Checks that every row was counted once, each change told once, and each window told once and whole.
    fn check(&self, what: &str) {
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        let mut windows: BTreeMap<i64, i64> = BTreeMap::new();
        for (kind, key, value) in self.seen() {
            if key >= WINDOWS {
                let before = windows.insert(key - WINDOWS, value);
                assert_eq!((kind, before), (RowKind::Insert, None), "{what}: {key}");
                continue;
            }
            let count = counts.entry(key).or_default();
            match kind {
                RowKind::Insert => assert_eq!((*count, value), (0, 1), "{what}: {key}"),
                RowKind::UpdateBefore => {
                    assert_eq!(*count, value, "{what}: {key}");
                    continue;
                }
                RowKind::UpdateAfter => assert_eq!(*count + 1, value, "{what}: {key}"),
                RowKind::Delete => panic!("{what}: nothing is deleted"),
            }
            *count = value;
        }
        let (mut expected_counts, mut expected_windows) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..SPLITS * self.rows {
            *expected_counts.entry(number % KEYS).or_default() += 1;
            *expected_windows.entry(number / WINDOW).or_default() += 1;
        }
        assert_eq!(counts, expected_counts, "{what}");
        assert_eq!(windows, expected_windows, "{what}");
    }

    fn manifests(&self) -> Vec<Manifest> {
        let paths = self.files.list("p/d/slot-0").unwrap();
        let manifests = paths.iter().filter(|path| path.ends_with("/manifest.json"));
        manifests
            .map(|path| {
                Manifest::open(&self.files.get(path).unwrap().unwrap())
                    .unwrap()
                    .0
            })
            .collect()
    }

    fn objects(&self) -> Vec<String> {
        self.files.list("p/d/slot-0/state").unwrap()
    }
}

/// Runs processes until one gets through, under some faults.
fn survive(kind: SinkKind, faults: &[(u64, Fault)]) -> u64 {
    let setting = Setting::new(kind, 120);
    setting.world.lock().faults = faults.to_vec();
    let what = format!("{kind:?} {faults:?}");
    for _ in 0..20 {
        match setting.run() {
            Ok(end) => {
                assert_eq!(end, End::Finished, "{what}");
                setting.check(&what);
                return setting.world.lock().replays;
            }
            Err(error) => {
                let text = format!("{error:?}");
                let is_sound = !text.contains("Contradiction") && !text.contains("Corrupt");
                assert!(is_sound, "{what}: {text}");
            }
        }
    }
    panic!("{what}: no progress");
}

/// Runs cases side by side: most of their time they wait.
fn side_by_side<T: Sync>(cases: &[T], run: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(case);
                }
            });
        }
    });
}

const KINDS: [Fault; 5] = [
    Fault::Before,
    Fault::After,
    Fault::Torn,
    Fault::SecondCopy,
    Fault::DiesForLong,
];

fn steps(kind: SinkKind) -> u64 {
    let setting = Setting::new(kind, 120);
    assert_eq!(setting.run().unwrap(), End::Finished);
    setting.check("undisturbed");
    setting.world.lock().steps
}

#[test]
fn state_positions_and_output_are_one_epoch_through_a_fault_at_every_step() {
    let mut cases = Vec::new();
    for kind in [SinkKind::Log, SinkKind::Table] {
        for step in 0..steps(kind) {
            cases.extend(KINDS.map(|fault| (kind, step, fault)));
        }
    }
    let replays = AtomicUsize::new(0);
    side_by_side(&cases, |(kind, step, fault)| {
        let of_case = survive(*kind, &[(*step, *fault)]);
        replays.fetch_add(of_case as usize, Ordering::Relaxed);
    });
    assert!(
        replays.into_inner() > 0,
        "output was lost and written again"
    );
}

#[test]
fn state_positions_and_output_are_one_epoch_through_two_faults() {
    let mut cases = Vec::new();
    for kind in [SinkKind::Log, SinkKind::Table] {
        for first in (0..steps(kind)).step_by(5) {
            for (index, gap) in [1, 4, 11, 23, 40].into_iter().enumerate() {
                let (a, b) = (KINDS[index], KINDS[(index + first as usize) % KINDS.len()]);
                cases.push((kind, vec![(first, a), (first + gap, b)]));
            }
        }
    }
    side_by_side(&cases, |(kind, faults)| {
        survive(*kind, faults);
    });
}

#[test]
fn many_epochs_are_folded_and_folded_state_is_restored() {
    let setting = Setting::new(SinkKind::Log, 1_200);
    // Dies in the middle, so that folded state is restored.
    setting.world.lock().faults = vec![(500, Fault::Before)];
    let pace = |source: &mut Numbers| source.pause = Duration::from_millis(6);
    assert!(setting.run_with(pace).is_err());
    assert_eq!(setting.run_with(pace).unwrap(), End::Finished);
    setting.check("folded");
    let newest = setting.manifests().into_iter().max_by_key(|it| it.epoch);
    let newest = newest.unwrap();
    let state = newest.state.unwrap();
    assert!(newest.epoch.0 > 30, "{}", newest.epoch);
    assert!(state.objects.len() <= 20, "{} objects", state.objects.len());
    let figures = setting.status.state();
    assert!(figures.folded_bytes > 0 && figures.delta_bytes > 0);
    assert_eq!(figures.objects, state.objects.len() as u64);
}

#[test]
fn a_finished_state_goes_on_from_where_it_was() {
    let setting = Setting::new(SinkKind::Log, 120);
    assert_eq!(setting.run().unwrap(), End::Finished);
    let before = setting.seen();
    assert_eq!(setting.run().unwrap(), End::Finished);
    assert_eq!(setting.seen(), before, "nothing is told again");
    let operators = setting.status.operators();
    let names: Vec<&str> = operators.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["Counter", "Windows"]);
    assert_eq!(operators[0].keys, KEYS as u64, "it was restored");
    assert_eq!(
        operators[1].watermark_ms,
        Some(i64::MAX),
        "the end is known"
    );
}

#[test]
fn a_row_that_was_late_before_a_restart_is_late_after_it() {
    let mut setting = Setting::new(SinkKind::Log, 120);
    setting.run().unwrap();
    let windows = |setting: &Setting| -> Vec<Row> {
        let seen = setting.seen().into_iter();
        seen.filter(|row| row.1 >= WINDOWS).collect()
    };
    let before = windows(&setting);
    // The input has ended: whatever comes now belongs to windows that were told.
    setting.rows = 240;
    assert_eq!(setting.run().unwrap(), End::Finished);
    assert_eq!(windows(&setting), before);
    let operators = setting.status.operators();
    assert_eq!(operators[1].late_rows, 360);
    assert_eq!(setting.status.snapshot().records_in, 720);
}

#[test]
fn state_of_another_query_is_refused_and_left_as_it_is() {
    let setting = Setting::new(SinkKind::Log, 120);
    setting.run().unwrap();
    let (files, seen) = (setting.objects(), setting.seen());
    let other = Setting {
        keys: "another",
        ..setting.clone()
    };
    let error = other.run().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("its keys were (remainder) and are (another)"),
        "{text}"
    );
    assert!(error.help().is_some());
    let mut narrow = setting.clone();
    narrow.options.operators.key_groups = 8;
    let text = narrow.run().unwrap_err().to_string();
    assert!(
        text.contains("'pipeline.max-parallelism' was 16 and is 8"),
        "{text}"
    );
    assert_eq!((setting.objects(), setting.seen()), (files, seen));
    setting.run().unwrap();
}

#[test]
fn checkpoints_with_and_without_state_are_not_taken_for_each_other() {
    let setting = Setting::new(SinkKind::Log, 120);
    setting.run().unwrap();
    let stateless = |setting: &Setting| {
        let process = Process::new(&setting.world, &setting.files, Arc::new(|| ()));
        let source = Numbers::new(&process, SPLITS, setting.rows);
        let mut dataflow = dataflow(source, SinkKind::Log, operators("remainder"));
        dataflow.operators = None;
        dataflow.sources[0].watermark = None;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let (status, stop) = (&setting.status, Cancel::default());
        run(&dataflow, &setting.options, &process, status, &clock, &stop)
    };
    let text = stateless(&setting).unwrap_err().to_string();
    assert!(text.contains("these keep none"), "{text}");
    let other = Setting::new(SinkKind::Log, 120);
    assert_eq!(stateless(&other).unwrap(), End::Finished);
    let text = other.run().unwrap_err().to_string();
    assert!(text.contains("kept none"), "{text}");
}

#[test]
fn several_slots_are_refused_with_the_reason() {
    let mut setting = Setting::new(SinkKind::Log, 120);
    setting.options.slots = 2;
    let error = setting.run().unwrap_err();
    assert!(error.to_string().contains("runs in one slot"), "{error}");
    assert!(
        setting.files.list("p").unwrap().is_empty(),
        "nothing was touched"
    );
}

#[test]
fn a_damaged_object_is_told_and_never_used() {
    let setting = Setting::new(SinkKind::Log, 120);
    setting.run().unwrap();
    let seen = setting.seen();
    let path = setting.objects().pop().unwrap();
    let whole = setting.files.get(&path).unwrap().unwrap();
    for (what, bytes) in [
        ("gone", None),
        ("cut", Some(whole[..whole.len() - 1].to_vec())),
        (
            "changed",
            Some([&whole[..9], &[whole[9] ^ 1], &whole[10..]].concat()),
        ),
    ] {
        setting.files.delete(&path).unwrap();
        if let Some(bytes) = bytes {
            setting.files.put_if_absent(&path, bytes).wait().unwrap();
        }
        let error = setting.run().unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("cannot be read") && text.contains(&path),
            "{what}: {text}"
        );
        assert_eq!(setting.seen(), seen, "{what}");
    }
    setting.files.delete(&path).unwrap();
    setting.files.put_if_absent(&path, whole).wait().unwrap();
    setting.run().unwrap();
}

#[test]
fn state_over_its_budget_is_a_plain_failure() {
    let mut setting = Setting::new(SinkKind::Log, 120);
    setting.options.operators.state_bytes_max = 100;
    let error = setting.run().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("100 are allowed") && text.contains("Counter"),
        "{text}"
    );
    assert!(
        error
            .help()
            .unwrap()
            .contains("taskmanager.memory.managed.size")
    );
    setting.options.operators.state_bytes_max = 1 << 20;
    setting.run().unwrap();
    setting.check("with more room");
}

/// Runs two sources of different lengths into one operator of two inputs; returns what the log holds.
fn two_sources(by_timer: bool) -> Vec<Row> {
    let setting = Setting::new(SinkKind::Log, 0);
    let process = Process::new(&setting.world, &setting.files, Arc::new(|| ()));
    let source = |name: &str, rows: i64| SourceInput {
        name: name.into(),
        key: name.into(),
        spec: Arc::new(Numbers::new(&process, 1, rows)),
        projection: Projection { columns: vec![0] },
        branches: Vec::new(),
        watermark: Some(Arc::new(|| Box::new(Times))),
    };
    let kind = SinkKind::Log;
    let dataflow = Dataflow {
        name: "d".into(),
        id: "d".into(),
        names: None,
        sources: vec![source("short", 100), source("long", 400)],
        sinks: vec![SinkInput {
            name: "sink".into(),
            spec: Arc::new(Sink {
                process: process.clone(),
                kind,
            }),
        }],
        operators: Some(Operators {
            graph: Arc::new(move || {
                let mut graph = GraphBuilder::default();
                let holder = Holder {
                    by_timer,
                    ..Holder::default()
                };
                let node = graph.add(Box::new(holder), 2);
                for input in 0..2 {
                    graph.connect_source(input, Edge::Node { node, input });
                }
                graph.connect(node, Edge::Sink(0));
                graph.build()
            }),
            nodes: vec![NodeInput {
                name: "Holder".into(),
                state: None,
            }],
            changes: vec![ChangeForm::All],
        }),
    };
    let mut options = setting.options.clone();
    if by_timer {
        options.checkpoint_interval = Duration::from_secs(60);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let (status, stop) = (&setting.status, Cancel::default());
    let end = run(&dataflow, &options, &process, status, &clock, &stop);
    assert_eq!(end.unwrap(), End::Finished);
    setting.seen()
}

fn sum(seen: &[Row], keys: &[i64]) -> i64 {
    let of_keys = seen.iter().filter(|row| keys.contains(&row.1));
    of_keys.map(|row| row.2).sum()
}

#[test]
fn one_lane_reads_all_sources_in_turn_and_the_slower_one_holds_the_watermark() {
    let seen = two_sources(false);
    assert_eq!(sum(&seen, &[BY_FLUSH]), 100);
    assert_eq!(sum(&seen, &[BY_FLUSH + 1]), 400);
    let watermarks: Vec<i64> = seen
        .iter()
        .filter(|row| row.1 == WATERMARK)
        .map(|row| row.2)
        .collect();
    assert!(watermarks.is_sorted(), "{watermarks:?}");
    // In turn: while both have rows, neither gets far ahead. Then the short one has ended and holds nothing back.
    assert_eq!(
        watermarks.iter().filter(|it| **it < 100).count(),
        5,
        "{watermarks:?}"
    );
    assert_eq!(watermarks.last(), Some(&i64::MAX));
    assert!(watermarks.contains(&399), "{watermarks:?}");
}

#[test]
fn processing_time_calls_an_operator_between_batches() {
    let seen = two_sources(true);
    let by_timer = sum(&seen, &[BY_TIMER, BY_TIMER + 1]);
    assert!(by_timer > 0, "{seen:?}");
    let by_flush = sum(&seen, &[BY_FLUSH, BY_FLUSH + 1]);
    assert_eq!(by_timer + by_flush, 500, "what is held is told at the end");
}
