use super::*;
use crate::testing::{
    Dice, Harness, INT, IntCondition, STRING, Step, TIMESTAMP, TimedSteps, check_restore, row,
};

const TYPES: &[DataType] = &[STRING, INT, TIMESTAMP];

fn side() -> IntervalSideSpec {
    IntervalSideSpec {
        columns: TYPES.to_vec(),
        key: vec![0],
        rowtime: Some(2),
    }
}

fn spec(kind: JoinKind, lower_ms: i64, upper_ms: i64) -> IntervalJoinSpec {
    IntervalJoinSpec {
        kind,
        left: side(),
        right: side(),
        lower_ms,
        upper_ms,
        filter_nulls: vec![true],
        condition: None,
    }
}

fn test(spec: IntervalJoinSpec) -> Harness {
    Harness::new(IntervalJoin::new(spec).unwrap(), &[TYPES, TYPES])
}

const ALL: &[usize] = &[0, 1, 2, 3, 4, 5];

/// Interval inner.
const INNER: TimedSteps = &[
    (0, "+I x|1|1001", None, &[]),
    (1, "+I x|10|1003", Some(1000), &["+I x|1|1001|x|10|1003"]),
    (1, "+I x|11|1007", None, &[]),
    (0, "+I y|2|1004", Some(1003), &[]),
    (0, "+I x|3|1008", Some(1006), &["+I x|3|1008|x|11|1007"]),
    (1, "+I y|20|1001", None, &[]),
    (0, "+I NULL|4|1009", None, &[]),
    (1, "+I NULL|40|1009", Some(1008), &[]),
    (1, "+I x|12|1010", None, &["+I x|3|1008|x|12|1010"]),
    (0, "+I x|5|1005", None, &["+I x|5|1005|x|11|1007"]),
    (0, "+I z|6|1011", Some(1009), &[]),
    (1, "+I x|13|1004", None, &[]),
    (1, "+I z|60|1017", Some(1010), &[]),
    (0, "+I x|7|1020", Some(1016), &[]),
    (1, "+I x|14|1020", Some(1019), &["+I x|7|1020|x|14|1020"]),
    (1, "+I x|15|1030", None, &[]),
    (0, "+I w|8|1031", Some(1029), &[]),
];
const INNER_END: &[&str] = &[];

#[test]
fn inner() {
    test(spec(JoinKind::Inner, -3_000, 2_000)).check_timed(INNER, INNER_END, ALL);
}

/// Interval left with a condition besides.
const LEFT_IF: TimedSteps = &[
    (0, "+I x|1|1001", None, &[]),
    (1, "+I x|10|1003", Some(1000), &["+I x|1|x|10"]),
    (1, "+I x|11|1007", None, &[]),
    (0, "+I y|2|1004", Some(1003), &[]),
    (0, "+I x|3|1008", Some(1006), &[]),
    (1, "+I y|20|1001", None, &[]),
    (0, "+I NULL|4|1009", None, &[]),
    (1, "+I NULL|40|1009", Some(1008), &[]),
    (1, "+I x|12|1010", None, &[]),
    (0, "+I x|5|1005", None, &["+I x|5|NULL|NULL"]),
    (0, "+I z|6|1011", Some(1009), &[]),
    (1, "+I x|13|1004", None, &[]),
    (1, "+I z|60|1017", Some(1010), &["+I y|2|NULL|NULL"]),
    (
        0,
        "+I x|7|1020",
        Some(1016),
        &["+I x|3|NULL|NULL", "+I NULL|4|NULL|NULL"],
    ),
    (1, "+I x|14|1020", Some(1019), &["+I z|6|NULL|NULL"]),
    (1, "+I x|15|1030", None, &[]),
    (0, "+I w|8|1031", Some(1029), &["+I x|7|NULL|NULL"]),
];
const LEFT_IF_END: &[&str] = &["+I w|8|NULL|NULL"];

#[test]
fn left_with_a_condition() {
    let mut spec = spec(JoinKind::Left, -3_000, 2_000);
    let condition: fn(&[Option<i32>]) -> Option<bool> = |values| Some(values[1]? * 5 < values[4]?);
    spec.condition = Some(Box::new(IntCondition(condition)));
    test(spec).check_timed(LEFT_IF, LEFT_IF_END, &[0, 1, 3, 4]);
}

/// Interval right.
const RIGHT: TimedSteps = &[
    (0, "+I x|1|1001", None, &[]),
    (1, "+I x|10|1003", Some(1000), &["+I x|1|1001|x|10|1003"]),
    (1, "+I x|11|1007", None, &[]),
    (0, "+I y|2|1004", Some(1003), &[]),
    (0, "+I x|3|1008", Some(1006), &["+I x|3|1008|x|11|1007"]),
    (1, "+I y|20|1001", None, &["+I NULL|NULL|NULL|y|20|1001"]),
    (0, "+I NULL|4|1009", None, &[]),
    (1, "+I NULL|40|1009", Some(1008), &[]),
    (1, "+I x|12|1010", None, &["+I x|3|1008|x|12|1010"]),
    (0, "+I x|5|1005", None, &["+I x|5|1005|x|11|1007"]),
    (0, "+I z|6|1011", Some(1009), &[]),
    (1, "+I x|13|1004", None, &["+I NULL|NULL|NULL|x|13|1004"]),
    (1, "+I z|60|1017", Some(1010), &[]),
    (
        0,
        "+I x|7|1020",
        Some(1016),
        &["+I NULL|NULL|NULL|NULL|40|1009"],
    ),
    (1, "+I x|14|1020", Some(1019), &["+I x|7|1020|x|14|1020"]),
    (1, "+I x|15|1030", None, &[]),
    (
        0,
        "+I w|8|1031",
        Some(1029),
        &["+I NULL|NULL|NULL|z|60|1017"],
    ),
];
const RIGHT_END: &[&str] = &["+I NULL|NULL|NULL|x|15|1030"];

#[test]
fn right() {
    test(spec(JoinKind::Right, -3_000, 2_000)).check_timed(RIGHT, RIGHT_END, ALL);
}

/// Interval full.
const FULL: TimedSteps = &[
    (0, "+I x|1|1001", None, &[]),
    (1, "+I x|10|1003", Some(1000), &["+I x|1|1001|x|10|1003"]),
    (1, "+I x|11|1007", None, &[]),
    (0, "+I y|2|1004", Some(1003), &[]),
    (0, "+I x|3|1008", Some(1006), &["+I x|3|1008|x|11|1007"]),
    (1, "+I y|20|1001", None, &["+I NULL|NULL|NULL|y|20|1001"]),
    (0, "+I NULL|4|1009", None, &[]),
    (1, "+I NULL|40|1009", Some(1008), &[]),
    (1, "+I x|12|1010", None, &["+I x|3|1008|x|12|1010"]),
    (0, "+I x|5|1005", None, &["+I x|5|1005|x|11|1007"]),
    (0, "+I z|6|1011", Some(1009), &[]),
    (1, "+I x|13|1004", None, &["+I NULL|NULL|NULL|x|13|1004"]),
    (
        1,
        "+I z|60|1017",
        Some(1010),
        &["+I y|2|1004|NULL|NULL|NULL"],
    ),
    (
        0,
        "+I x|7|1020",
        Some(1016),
        &[
            "+I NULL|NULL|NULL|NULL|40|1009",
            "+I NULL|4|1009|NULL|NULL|NULL",
        ],
    ),
    (
        1,
        "+I x|14|1020",
        Some(1019),
        &["+I x|7|1020|x|14|1020", "+I z|6|1011|NULL|NULL|NULL"],
    ),
    (1, "+I x|15|1030", None, &[]),
    (
        0,
        "+I w|8|1031",
        Some(1029),
        &["+I NULL|NULL|NULL|z|60|1017"],
    ),
];
const FULL_END: &[&str] = &["+I NULL|NULL|NULL|x|15|1030", "+I w|8|1031|NULL|NULL|NULL"];

#[test]
fn full() {
    test(spec(JoinKind::Full, -3_000, 2_000)).check_timed(FULL, FULL_END, ALL);
}

/// Interval: only earlier rows, full.
const ONLY_EARLIER: TimedSteps = &[
    (0, "+I x|1|1001", None, &[]),
    (1, "+I x|10|1003", Some(1000), &[]),
    (1, "+I x|11|1007", None, &["+I x|1|NULL"]),
    (0, "+I y|2|1004", Some(1003), &[]),
    (0, "+I x|3|1008", Some(1006), &["+I x|3|10", "+I y|2|NULL"]),
    (1, "+I y|20|1001", None, &[]),
    (0, "+I NULL|4|1009", None, &[]),
    (1, "+I NULL|40|1009", Some(1008), &[]),
    (1, "+I x|12|1010", None, &[]),
    (0, "+I x|5|1005", None, &["+I x|5|10"]),
    (0, "+I z|6|1011", Some(1009), &[]),
    (1, "+I x|13|1004", None, &[]),
    (
        1,
        "+I z|60|1017",
        Some(1010),
        &["+I NULL|4|NULL", "+I NULL|NULL|20"],
    ),
    (
        0,
        "+I x|7|1020",
        Some(1016),
        &["+I z|6|NULL", "+I NULL|NULL|13", "+I NULL|NULL|11"],
    ),
    (
        1,
        "+I x|14|1020",
        Some(1019),
        &["+I NULL|NULL|40", "+I NULL|NULL|12"],
    ),
    (1, "+I x|15|1030", None, &["+I x|7|NULL"]),
    (
        0,
        "+I w|8|1031",
        Some(1029),
        &["+I NULL|NULL|60", "+I NULL|NULL|14"],
    ),
];
const ONLY_EARLIER_END: &[&str] = &["+I w|8|NULL", "+I NULL|NULL|15"];

#[test]
fn full_with_earlier_rows_only() {
    test(spec(JoinKind::Full, 2_000, 6_000)).check_timed(
        ONLY_EARLIER,
        ONLY_EARLIER_END,
        &[0, 1, 4],
    );
}

/// Interval: empty interval, left.
const EMPTY: TimedSteps = &[
    (0, "+I x|1|1001", None, &["+I x|1|NULL"]),
    (1, "+I x|10|1003", Some(1000), &[]),
    (1, "+I x|11|1007", None, &[]),
    (0, "+I y|2|1004", Some(1003), &["+I y|2|NULL"]),
    (0, "+I x|3|1008", Some(1006), &["+I x|3|NULL"]),
    (1, "+I y|20|1001", None, &[]),
    (0, "+I NULL|4|1009", None, &["+I NULL|4|NULL"]),
    (1, "+I NULL|40|1009", Some(1008), &[]),
    (1, "+I x|12|1010", None, &[]),
    (0, "+I x|5|1005", None, &["+I x|5|NULL"]),
    (0, "+I z|6|1011", Some(1009), &["+I z|6|NULL"]),
    (1, "+I x|13|1004", None, &[]),
    (1, "+I z|60|1017", Some(1010), &[]),
    (0, "+I x|7|1020", Some(1016), &["+I x|7|NULL"]),
    (1, "+I x|14|1020", Some(1019), &[]),
    (1, "+I x|15|1030", None, &[]),
    (0, "+I w|8|1031", Some(1029), &["+I w|8|NULL"]),
];
const EMPTY_END: &[&str] = &[];

#[test]
fn an_interval_that_is_empty() {
    test(spec(JoinKind::Left, -1_000, -3_000)).check_timed(EMPTY, EMPTY_END, &[0, 1, 4]);
}

/// Interval: without a key.
const WITHOUT_KEY: TimedSteps = &[
    (0, "+I x|1|1001", None, &[]),
    (1, "+I x|10|1003", Some(1000), &[]),
    (1, "+I x|11|1007", None, &[]),
    (0, "+I y|2|1004", Some(1003), &["+I y|2|10"]),
    (0, "+I x|3|1008", Some(1006), &["+I x|3|11"]),
    (1, "+I y|20|1001", None, &[]),
    (0, "+I NULL|4|1009", None, &[]),
    (
        1,
        "+I NULL|40|1009",
        Some(1008),
        &["+I x|3|40", "+I NULL|4|40"],
    ),
    (1, "+I x|12|1010", None, &["+I NULL|4|12"]),
    (0, "+I x|5|1005", None, &[]),
    (0, "+I z|6|1011", Some(1009), &["+I z|6|12"]),
    (1, "+I x|13|1004", None, &[]),
    (1, "+I z|60|1017", Some(1010), &[]),
    (0, "+I x|7|1020", Some(1016), &[]),
    (1, "+I x|14|1020", Some(1019), &["+I x|7|14"]),
    (1, "+I x|15|1030", None, &[]),
    (0, "+I w|8|1031", Some(1029), &["+I w|8|15"]),
];
const WITHOUT_KEY_END: &[&str] = &[];

#[test]
fn without_a_key() {
    let mut spec = spec(JoinKind::Inner, -1_000, 1_000);
    spec.left.key = vec![];
    spec.right.key = vec![];
    spec.filter_nulls = vec![];
    test(spec).check_timed(WITHOUT_KEY, WITHOUT_KEY_END, &[0, 1, 4]);
}

#[test]
fn by_processing_time() {
    let mut spec = spec(JoinKind::Left, -3_000, 2_000);
    spec.left.rowtime = None;
    spec.right.rowtime = None;
    let mut test = test(spec);
    test.check(1, "+I x|10|1", &[]);
    test.check_time(1_002_000, &[]);
    test.check(0, "+I x|1|1", &["+I x|1|1|x|10|1"]);
    test.check_time(1_002_001, &[]);
    test.check(0, "+I x|2|1", &[]);
    test.check(0, "+I y|3|1", &[]);
    test.check_time(1_005_001, &[]);
    test.check(1, "+I x|11|1", &["+I x|2|1|x|11|1"]);
    // A timer of the key goes off half of the interval later.
    test.check_time(1_007_501, &[]);
    test.check_time(1_007_502, &["+I y|3|1|NULL|NULL|NULL"]);
    test.check_time(1_100_000, &[]);
    assert_eq!(test.operator().size().0, 0);
}

#[test]
fn the_watermark_goes_on_later() {
    let mut test = test(spec(JoinKind::Inner, -3_000, 2_000));
    assert_eq!(test.step(&Step::Watermark(1_010)).unwrap(), ["W 1007"]);
    assert_eq!(test.step(&Step::Watermark(i64::MAX)).unwrap(), ["W END"]);
}

/// The harness looks at how much each call gives out.
#[test]
fn a_hot_key_comes_in_several_calls() {
    for is_conditional in [false, true] {
        let mut spec = spec(JoinKind::Left, -3_000, 2_000);
        let condition: fn(&[Option<i32>]) -> Option<bool> = |values| Some(values[1]? >= 0);
        spec.condition = is_conditional.then(|| Box::new(IntCondition(condition)) as Box<_>);
        let mut test = test(spec);
        let rows = |count| (0..count).map(|at| format!("+I x|{at}|1000")).collect();
        test.step(&Step::Rows(1, rows(1_000))).unwrap();
        let found = test.step(&Step::Rows(0, rows(300))).unwrap();
        assert_eq!(found.len(), 300_000);
        assert_eq!(found[299_999], "+I x|299|1000|x|999|1000");
    }
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(29);
    let mut steps = Vec::new();
    for at in 0..60_u64 {
        let key = ["x", "y", "NULL"][dice.roll(3) as usize];
        let time = 1_000 + at + dice.roll(8);
        let input = dice.roll(2) as usize;
        steps.push(row(input, &format!("+I {key}|{}|{time}", dice.roll(4))));
        if at % 3 == 2 {
            steps.push(Step::Watermark(998 + at as i64));
        }
        if at % 5 == 4 {
            steps.push(Step::Time(1_000_000 + at as i64 * 900));
        }
    }
    steps.push(Step::Watermark(i64::MAX));
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Full] {
        for rowtime in [Some(2), None] {
            let make = || -> Box<dyn Operator> {
                let mut spec = spec(kind, -3_000, 2_000);
                spec.left.rowtime = rowtime;
                spec.right.rowtime = rowtime;
                let condition: fn(&[Option<i32>]) -> Option<bool> =
                    |values| Some(values[1]? != values[4]?);
                spec.condition = Some(Box::new(IntCondition(condition)));
                Box::new(IntervalJoin::new(spec).unwrap())
            };
            check_restore(make, &[TYPES, TYPES], &steps);
        }
    }
}
