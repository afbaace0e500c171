//! Cases of Flink for OVER by rowtime, and processing time.

use super::*;
use crate::cases::{Case, read};
use crate::testing::{Dice, Harness, INT, STRING, Step, TIMESTAMP, check_restore};

fn operator(case: &Case) -> Box<dyn Operator> {
    let frame = &case.json["frame"];
    let preceding = frame["preceding"].as_i64();
    let frame = match (frame["kind"].as_str().unwrap(), preceding) {
        ("ROWS", None) => OverFrame::RowsUnbounded,
        ("ROWS", Some(preceding)) => OverFrame::Rows {
            preceding: usize::try_from(preceding).unwrap(),
        },
        (_, None) => OverFrame::RangeUnbounded,
        (_, Some(preceding_ms)) => OverFrame::Range { preceding_ms },
    };
    let spec = OverAggregateSpec {
        keys: case.indexes("keys"),
        key_types: case.key_types(),
        input_types: case.input_types(),
        aggregates: case.calls(),
        rowtime: case.rowtime(),
        frame,
        ttl: None,
    };
    Box::new(OverAggregate::new(spec).unwrap())
}

#[test]
fn answers_as_flink_does() {
    for case in read(include_str!("cases.jsonl")) {
        case.check(&|| operator(&case));
    }
}

fn summing(frame: OverFrame) -> OverAggregate {
    let arg = millrace_functions::Arg {
        ty: millrace_connector::TypeKind::Int.nullable(),
        literal: None,
    };
    let call = millrace_functions::aggregate::AggregateCall {
        name: "SUM",
        args: &[arg],
        distinct: false,
        may_be_empty: true,
        retract: frame.is_bounded(),
        over: true,
        bounded: false,
        absent_on_null: None,
    };
    let bound = millrace_functions::aggregate::bind(&call).unwrap();
    let spec = OverAggregateSpec {
        keys: vec![0],
        key_types: vec![STRING],
        input_types: vec![STRING, INT],
        aggregates: vec![AggregateSpec {
            aggregate: bound.aggregate,
            columns: vec![1],
            filter: None,
        }],
        rowtime: None,
        frame,
        ttl: Some(Ttl { ms: 10_000 }),
    };
    OverAggregate::new(spec).unwrap()
}

#[test]
fn rows_of_processing_time_come_at_once() {
    let mut test = Harness::new(summing(OverFrame::Rows { preceding: 1 }), &[&[STRING, INT]]);
    test.check_batch(
        0,
        &["+I a|1", "+I b|5", "+I a|2", "+I a|4"],
        &["+I a|1|1", "+I b|5|5", "+I a|2|3", "+I a|4|6"],
    );
    let mut test = Harness::new(summing(OverFrame::RowsUnbounded), &[&[STRING, INT]]);
    test.check_batch(0, &["+I a|1", "+I a|2"], &["+I a|1|1", "+I a|2|3"]);
    test.check(0, "+I a|4", &["+I a|4|7"]);
}

#[test]
fn a_range_of_processing_time_takes_a_millisecond_together() {
    let frame = OverFrame::Range { preceding_ms: 10 };
    let mut test = Harness::new(summing(frame), &[&[STRING, INT]]);
    test.check_batch(0, &["+I a|1", "+I a|2"], &[]);
    test.check_time(1_000_001, &["+I a|1|3", "+I a|2|3"]);
    test.check(0, "+I a|4", &[]);
    test.check_time(1_000_012, &["+I a|4|7"]);
    test.check(0, "+I a|8", &[]);
    test.check_time(1_000_013, &["+I a|8|8"]);
}

#[test]
fn a_key_without_rows_for_its_time_to_live_begins_anew() {
    let mut test = Harness::new(summing(OverFrame::RowsUnbounded), &[&[STRING, INT]]);
    test.check(0, "+I a|1", &["+I a|1|1"]);
    test.check_time(1_005_000, &[]);
    test.check(0, "+I a|2", &["+I a|2|3"]);
    test.check_time(1_020_000, &[]);
    test.check(0, "+I a|4", &["+I a|4|4"]);
}

#[test]
fn a_snapshot_at_any_point_changes_nothing() {
    let frames = [
        OverFrame::RowsUnbounded,
        OverFrame::RangeUnbounded,
        OverFrame::Rows { preceding: 2 },
        OverFrame::Range {
            preceding_ms: 2_000,
        },
    ];
    for (seed, frame) in (0..12).zip(frames.into_iter().cycle()) {
        let mut dice = Dice::new(seed);
        let mut watermark = 0;
        let steps: Vec<Step> = (0..24)
            .map(|_| {
                if dice.roll(3) == 0 {
                    watermark += 1 + i64::try_from(dice.roll(3)).unwrap();
                    return Step::Watermark(watermark);
                }
                let rows = (0..=dice.roll(4)).map(|_| {
                    let key = ["a", "b", "NULL"][dice.roll(3) as usize];
                    // Some rows are late.
                    let time = watermark - 1 + i64::try_from(dice.roll(6)).unwrap();
                    format!("+I {key}|{}|{time}", dice.roll(5))
                });
                Step::Rows(0, rows.collect())
            })
            .collect();
        let make = || {
            let mut spec = summing(frame).spec;
            spec.input_types.push(TIMESTAMP);
            spec.rowtime = Some(2);
            spec.ttl = None;
            Box::new(OverAggregate::new(spec).unwrap()) as Box<dyn Operator>
        };
        check_restore(make, &[&[STRING, INT, TIMESTAMP]], &steps);
    }
}
