//! Cases of Flink for the windows of TUMBLE, HOP and CUMULATE, and what they have not: processing time and windows that
//! rows have already.

use super::*;
use crate::cases::{Case, read};
use crate::testing::{BIGINT, Dice, Harness, INT, STRING, Step, TIMESTAMP, check_restore};

fn operator(case: &Case) -> Box<dyn Operator> {
    let spec = WindowAggregateSpec {
        keys: case.indexes("keys"),
        key_types: case.key_types(),
        aggregates: case.calls(),
        time: WindowTime::Rowtime(case.rowtime().unwrap()),
        assigner: case.assigner().unwrap(),
        zone: case.zone(),
        properties: case.properties(),
    };
    Box::new(WindowAggregate::new(spec).unwrap())
}

#[test]
fn answers_as_flink_does() {
    for case in read(include_str!("cases.jsonl")) {
        case.check(&|| operator(&case));
    }
}

fn counting(time: WindowTime) -> WindowAggregate {
    let call = millrace_functions::aggregate::AggregateCall {
        name: "COUNT",
        args: &[],
        distinct: false,
        may_be_empty: false,
        retract: false,
        over: false,
        bounded: false,
        absent_on_null: None,
    };
    let bound = millrace_functions::aggregate::bind(&call).unwrap();
    let spec = WindowAggregateSpec {
        keys: vec![0],
        key_types: vec![STRING],
        aggregates: vec![AggregateSpec {
            aggregate: bound.aggregate,
            columns: Vec::new(),
            filter: None,
        }],
        time,
        assigner: WindowAssigner::Tumble {
            size_ms: 10_000,
            offset_ms: 0,
        },
        zone: None,
        properties: vec![WindowProperty::Start, WindowProperty::End],
    };
    WindowAggregate::new(spec).unwrap()
}

#[test]
fn windows_of_processing_time_go_out_when_they_are_over() {
    let mut test = Harness::new(counting(WindowTime::Processing), &[&[STRING, INT]]);
    test.check(0, "+I a|1", &[]);
    test.check_time(1_009_999, &[]);
    test.check(0, "+I a|1", &[]);
    test.check_time(1_010_000, &["+I a|2|1000|1010"]);
    test.check(0, "+I a|1", &[]);
    test.check_watermark(i64::MAX, &[]);
    test.check_time(1_020_000, &["+I a|1|1010|1020"]);
}

#[test]
fn rows_that_have_their_window_are_grouped_by_it() {
    let time = WindowTime::Attached {
        end: 1,
        processing: false,
    };
    let mut test = Harness::new(counting(time), &[&[STRING, TIMESTAMP, BIGINT]]);
    test.check_batch(0, &["+I a|10|1", "+I a|20|1", "+I a|10|1"], &[]);
    test.check_watermark(12, &["+I a|2|0|10"]);
    test.check(0, "+I a|10|1", &[]);
    assert_eq!(test.operator().late_rows(), 1);
    test.check_watermark(i64::MAX, &["+I a|1|10|20"]);
}

#[test]
fn a_change_is_refused() {
    let mut test = Harness::new(counting(WindowTime::Rowtime(1)), &[&[STRING, TIMESTAMP]]);
    let step = crate::testing::row(0, "-D a|1");
    assert!(matches!(
        test.step(&step),
        Err(OperatorError::UnexpectedKind(RowKind::Delete))
    ));
}

#[test]
fn a_snapshot_at_any_point_changes_nothing() {
    let assigners = [
        WindowAssigner::Tumble {
            size_ms: 4_000,
            offset_ms: 1_000,
        },
        WindowAssigner::Hop {
            size_ms: 6_000,
            slide_ms: 2_000,
            offset_ms: 0,
        },
        WindowAssigner::Cumulate {
            size_ms: 6_000,
            step_ms: 2_000,
            offset_ms: 0,
        },
    ];
    for (seed, assigner) in (0..9).zip(assigners.into_iter().cycle()) {
        let mut dice = Dice::new(seed);
        let mut watermark = 0;
        let steps: Vec<Step> = (0..24)
            .map(|_| {
                if dice.roll(3) == 0 {
                    watermark += 1 + i64::try_from(dice.roll(3)).unwrap();
                    return Step::Watermark(watermark);
                }
                let rows = (0..=dice.roll(4)).map(|_| {
                    // One key: windows of one end go out in any order. Some rows are late.
                    let time = watermark - 3 + i64::try_from(dice.roll(9)).unwrap();
                    format!("+I a|{time}")
                });
                Step::Rows(0, rows.collect())
            })
            .collect();
        let make = || {
            let mut operator = counting(WindowTime::Rowtime(1));
            operator.spec.assigner = assigner;
            operator.slices = Slices::new(assigner, false);
            Box::new(operator) as Box<dyn Operator>
        };
        check_restore(make, &[&[STRING, TIMESTAMP]], &steps);
    }
}
