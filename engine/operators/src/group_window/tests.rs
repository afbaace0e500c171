//! Cases of Flink for group windows, and early and late firings.

use super::*;
use crate::cases::{Case, read};
use crate::testing::{Dice, Harness, INT, STRING, Step, TIMESTAMP, check_restore};
use crate::{AggregateSpec, WindowAssigner, WindowProperty};

fn operator(case: &Case) -> Box<dyn Operator> {
    let aggregates = case.calls();
    let result_types = aggregates
        .iter()
        .map(|call| millrace_connector::physical::arrow_type(&call.aggregate.return_type().kind));
    let windows = match case.assigner() {
        Some(assigner) => GroupWindows::Fixed(assigner),
        None => GroupWindows::Session {
            gap_ms: case.json["window"]["lengths"][0].as_i64().unwrap(),
        },
    };
    let late_fire = case.flag("late_fire");
    let spec = GroupWindowSpec {
        keys: case.indexes("keys"),
        key_types: case.key_types(),
        result_types: result_types.collect(),
        aggregates,
        rowtime: case.rowtime(),
        zone: case.zone(),
        windows,
        properties: case.properties(),
        retract: case.flag("retract"),
        emit: WindowEmit {
            early: None,
            late: late_fire.then_some(Firing::EachRow),
            lateness_ms: case.number("lateness_ms").unwrap_or(0),
            updates: late_fire,
            update_before: true,
        },
    };
    Box::new(GroupWindow::new(spec).unwrap())
}

#[test]
fn answers_as_flink_does() {
    for case in read(include_str!("cases.jsonl")) {
        case.check(&|| operator(&case));
    }
}

fn summing(rowtime: Option<usize>, windows: GroupWindows, emit: WindowEmit) -> GroupWindow {
    let arg = millrace_functions::Arg {
        ty: millrace_connector::TypeKind::Int.nullable(),
        literal: None,
    };
    let call = millrace_functions::aggregate::AggregateCall {
        name: "SUM",
        args: &[arg],
        distinct: false,
        may_be_empty: false,
        retract: true,
        over: false,
        bounded: false,
        absent_on_null: None,
    };
    let bound = millrace_functions::aggregate::bind(&call).unwrap();
    let spec = GroupWindowSpec {
        keys: vec![0],
        key_types: vec![STRING],
        aggregates: vec![AggregateSpec {
            aggregate: bound.aggregate,
            columns: vec![1],
            filter: None,
        }],
        result_types: vec![INT],
        rowtime,
        zone: None,
        windows,
        properties: vec![WindowProperty::Start],
        retract: true,
        emit,
    };
    GroupWindow::new(spec).unwrap()
}

const TUMBLE: GroupWindows = GroupWindows::Fixed(WindowAssigner::Tumble {
    size_ms: 10_000,
    offset_ms: 0,
});

#[test]
fn goes_out_early_and_late_as_updates() {
    let emit = WindowEmit {
        early: Some(Firing::Every { ms: 2_000 }),
        late: Some(Firing::EachRow),
        lateness_ms: 20_000,
        updates: true,
        update_before: true,
    };
    let operator = summing(Some(2), TUMBLE, emit);
    let mut test = Harness::new(operator, &[&[STRING, INT, TIMESTAMP]]);
    test.check(0, "+I a|1|1", &[]);
    test.check_time(1_002_000, &["+I a|1|0"]);
    test.check(0, "+I a|2|2", &[]);
    test.check_time(1_004_000, &["-U a|1|0", "+U a|3|0"]);
    test.check_time(1_006_000, &[]);
    test.check_watermark(12, &[]);
    test.check(0, "+I a|4|3", &["-U a|3|0", "+U a|7|0"]);
    test.check(0, "-D a|4|3", &["-U a|7|0", "+U a|3|0"]);
    test.check(0, "-D a|1|1", &["-U a|3|0", "+U a|2|0"]);
    test.check(0, "-D a|2|2", &["-D a|2|0"]);
    test.check_watermark(40, &[]);
    test.check(0, "+I a|9|3", &[]);
    assert_eq!(test.operator().late_rows(), 1);
}

#[test]
fn sessions_of_processing_time_end_a_gap_after_their_last_row() {
    let session = GroupWindows::Session { gap_ms: 5_000 };
    let operator = summing(None, session, WindowEmit::default());
    let mut test = Harness::new(operator, &[&[STRING, INT]]);
    test.check(0, "+I a|1", &[]);
    test.check_time(1_004_000, &[]);
    test.check(0, "+I a|2", &[]);
    test.check_time(1_008_999, &[]);
    test.check_time(1_009_000, &["+I a|3|1000"]);
    test.check(0, "+I a|4", &[]);
    test.check_time(1_020_000, &["+I a|4|1009"]);
}

#[test]
fn a_snapshot_at_any_point_changes_nothing() {
    let session = GroupWindows::Session { gap_ms: 3_000 };
    let updates = WindowEmit {
        early: Some(Firing::EachRow),
        late: Some(Firing::EachRow),
        lateness_ms: 4_000,
        updates: true,
        update_before: true,
    };
    for seed in 0..8 {
        let (windows, emit) = if seed % 2 == 0 {
            (session, WindowEmit::default())
        } else {
            (TUMBLE, updates)
        };
        let mut dice = Dice::new(seed);
        let mut watermark = 0;
        let steps: Vec<Step> = (0..24)
            .map(|_| {
                if dice.roll(3) == 0 {
                    watermark += 1 + i64::try_from(dice.roll(4)).unwrap();
                    return Step::Watermark(watermark);
                }
                let rows = (0..=dice.roll(4)).map(|_| {
                    // One key: windows of one end go out in any order.
                    let time = watermark - 3 + i64::try_from(dice.roll(9)).unwrap();
                    format!("+I a|{}|{time}", dice.roll(4))
                });
                Step::Rows(0, rows.collect())
            })
            .collect();
        let make = || Box::new(summing(Some(2), windows, emit)) as Box<dyn Operator>;
        check_restore(make, &[&[STRING, INT, TIMESTAMP]], &steps);
    }
}
