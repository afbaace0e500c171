use super::*;
use crate::testing::{
    Dice, Harness, INT, IntCondition, STRING, Step, TIMESTAMP, TimedSteps, check_restore, row,
};

const ROWS: &[DataType] = &[INT, STRING, TIMESTAMP];
const VERSIONS: &[DataType] = &[STRING, INT, TIMESTAMP];

fn spec(is_left_outer: bool) -> TemporalJoinSpec {
    TemporalJoinSpec {
        is_left_outer,
        left: TemporalSideSpec {
            columns: ROWS.to_vec(),
            key: vec![1],
            rowtime: 2,
        },
        right: TemporalSideSpec {
            columns: VERSIONS.to_vec(),
            key: vec![0],
            rowtime: 2,
        },
        filter_nulls: vec![true],
        condition: None,
        ttl: None,
    }
}

fn test(spec: TemporalJoinSpec) -> Harness {
    Harness::new(TemporalJoin::new(spec).unwrap(), &[ROWS, VERSIONS])
}

/// Temporal inner join on a versioned upsert table.
const UPSERTS: TimedSteps = &[
    (1, "+I USD|100|1001", None, &[]),
    (0, "+I 1|USD|1002", Some(1001), &[]),
    (0, "+I 2|EUR|1002", None, &[]),
    (1, "+I EUR|120|1003", None, &[]),
    (0, "+I 3|EUR|1004", Some(1003), &["+I 1|USD|100"]),
    (1, "+U USD|101|1006", None, &[]),
    (0, "+I 4|USD|1005", Some(1004), &["+I 3|EUR|120"]),
    (0, "+I 5|USD|1006", Some(1005), &["+I 4|USD|100"]),
    (0, "+I 6|NULL|1006", None, &[]),
    (1, "-D EUR|120|1008", None, &[]),
    (0, "+I 7|EUR|1007.999", Some(1006), &["+I 5|USD|101"]),
    (0, "+I 8|EUR|1008", Some(1007), &[]),
    (0, "+I 9|USD|1004", None, &[]),
    (1, "+U EUR|130|1012", None, &[]),
    (0, "+I 10|EUR|1012", Some(1011), &["+I 7|EUR|120"]),
    (0, "+I 11|USD|1011", None, &[]),
    (1, "+U USD|99|1011", None, &[]),
    (1, "+U USD|98|1020", None, &[]),
    (
        0,
        "+I 12|USD|1030",
        Some(1020),
        &["+I 11|USD|99", "+I 10|EUR|130"],
    ),
];
const UPSERTS_END: &[&str] = &["+I 12|USD|98"];

#[test]
fn inner_with_upserted_versions() {
    test(spec(false)).check_timed(UPSERTS, UPSERTS_END, &[0, 1, 4]);
}

/// Temporal join with a versioned view by row_number.
const LEFT: TimedSteps = &[
    (1, "+I USD|100|1001", None, &[]),
    (0, "+I 1|USD|1002", Some(1001), &[]),
    (0, "+I 2|EUR|1002", None, &[]),
    (1, "+I EUR|120|1003", None, &[]),
    (
        0,
        "+I 3|EUR|1004",
        Some(1003),
        &["+I 1|USD|100", "+I 2|EUR|NULL"],
    ),
    (1, "+I USD|101|1006", None, &[]),
    (0, "+I 4|USD|1005", Some(1004), &["+I 3|EUR|120"]),
    (0, "+I 5|USD|1006", Some(1005), &["+I 4|USD|100"]),
    (0, "+I 6|NULL|1006", None, &[]),
    (
        0,
        "+I 7|EUR|1007.999",
        Some(1006),
        &["+I 5|USD|101", "+I 6|NULL|NULL"],
    ),
    (0, "+I 8|EUR|1008", None, &[]),
    (0, "+I 9|USD|1004", None, &[]),
    (1, "+I EUR|130|1012", Some(1007), &["+I 9|USD|NULL"]),
    (
        0,
        "+I 10|EUR|1012",
        Some(1011),
        &["+I 7|EUR|120", "+I 8|EUR|120"],
    ),
    (0, "+I 11|USD|1011", None, &[]),
    (1, "+I USD|99|1011", None, &[]),
    (1, "+I USD|98|1020", None, &[]),
    (
        0,
        "+I 12|USD|1030",
        Some(1020),
        &["+I 11|USD|99", "+I 10|EUR|130"],
    ),
];
const LEFT_END: &[&str] = &["+I 12|USD|98"];

#[test]
fn left_with_versions_of_a_view() {
    test(spec(true)).check_timed(LEFT, LEFT_END, &[0, 1, 4]);
}

/// Temporal join, version rowtime out of order.
const OUT_OF_ORDER: TimedSteps = &[
    (1, "+I A|1|1001", None, &[]),
    (1, "+U A|3|1005", None, &[]),
    (1, "+U A|2|1003", None, &[]),
    (0, "+I 1|A|1002", Some(1000), &[]),
    (0, "+I 2|A|1004", None, &[]),
    (0, "+I 3|A|1006", None, &[]),
    (1, "+U B|9|1030", Some(1005), &["+I 1|1", "+I 2|2"]),
    (0, "+I 4|B|1030", Some(1025), &["+I 3|3"]),
];
const OUT_OF_ORDER_END: &[&str] = &["+I 4|9"];

#[test]
fn versions_out_of_order() {
    test(spec(true)).check_timed(OUT_OF_ORDER, OUT_OF_ORDER_END, &[0, 4]);
}

#[test]
fn a_condition_beside() {
    for (is_left_outer, expected) in [
        (true, &["+I 1|a|5|NULL|NULL|NULL", "+I 9|a|5|a|7|1"][..]),
        (false, &["+I 9|a|5|a|7|1"]),
    ] {
        let mut spec = spec(is_left_outer);
        spec.condition = Some(Box::new(IntCondition(|values| {
            Some(values[0]? > values[4]?)
        })));
        let mut test = test(spec);
        test.check(1, "+I a|7|1", &[]);
        test.check_batch(0, &["+I 1|a|5", "+I 9|a|5"], &[]);
        test.check_watermark(5, expected);
    }
}

#[test]
fn rows_keep_their_kind() {
    let mut test = test(spec(true));
    test.check_batch(0, &["+I 1|a|5", "-U 1|a|5", "+U 2|a|5", "-D 2|a|5"], &[]);
    let padded = ["+I 1", "-U 1", "+U 2", "-D 2"].map(|row| format!("{row}|a|5|NULL|NULL|NULL"));
    let padded: Vec<_> = padded.iter().map(String::as_str).collect();
    test.check_watermark(5, &padded);
}

#[test]
fn keys_without_rows_are_forgotten() {
    let mut spec = spec(true);
    spec.ttl = Some(Ttl { ms: 2_000 });
    let mut test = test(spec);
    test.check(1, "+I a|7|1", &[]);
    test.check_time(1_002_000, &[]);
    test.check(0, "+I 1|a|5", &[]);
    test.check_watermark(5, &["+I 1|a|5|a|7|1"]);
    test.check_time(1_004_999, &[]);
    assert_eq!(test.operator().size().0, 1);
    test.check_time(1_005_000, &[]);
    assert_eq!(test.operator().size().0, 0);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(37);
    let mut steps = Vec::new();
    for at in 0..60_u64 {
        let key = ["x", "y", "NULL"][dice.roll(3) as usize];
        let time = 1_000 + at + dice.roll(8);
        steps.push(if dice.roll(2) == 0 {
            row(0, &format!("+I {at}|{key}|{time}"))
        } else {
            let kind = ["+I", "+U", "-D"][dice.roll(3) as usize];
            row(1, &format!("{kind} {key}|{at}|{time}"))
        });
        if at % 4 == 3 {
            steps.push(Step::Watermark(998 + at as i64));
        }
        if at % 9 == 8 {
            steps.push(Step::Time(1_000_000 + at as i64 * 300));
        }
    }
    steps.push(Step::Watermark(i64::MAX));
    for ttl in [None, Some(Ttl { ms: 3_000 })] {
        let make = || -> Box<dyn Operator> {
            let mut spec = spec(true);
            spec.ttl = ttl;
            Box::new(TemporalJoin::new(spec).unwrap())
        };
        check_restore(make, &[ROWS, VERSIONS], &steps);
    }
}
