use super::*;
use crate::testing::{Dice, Harness, INT, STRING, Step, TIMESTAMP, check_restore, row};

const TYPES: &[DataType] = &[STRING, INT, INT, TIMESTAMP];

fn spec(rowtime: Option<usize>, keep_last: bool) -> DeduplicateSpec {
    DeduplicateSpec {
        columns: TYPES.to_vec(),
        key: vec![0],
        rowtime,
        keep_last,
        update_before: true,
        insert: true,
        ttl: None,
    }
}

fn operator(spec: DeduplicateSpec) -> Deduplicate {
    Deduplicate::new(spec).unwrap()
}

/// The reference's rows, times in tens of a second; what each operator gives for each is the place of the row that goes.
const ROWS: &[&str] = &[
    "a|1|10|10",
    "a|2|20|30",
    "b|3|5|20",
    "a|4|20|20",
    "a|5|7|30",
    "b|6|5|20",
    "NULL|7|1|40",
    "a|8|NULL|50",
    "a|9|30|5",
    "NULL|10|2|40",
    "a|11|25|90",
    "b|12|50|80",
];

/// Checks which rows come out: `Some(i)` = replaces row i (counted from 1), `Some(0)` = is the first.
fn check(spec: DeduplicateSpec, expected: [Option<usize>; 12]) {
    let mut test = Harness::new(operator(spec.clone()), &[TYPES]);
    let mut all = Vec::new();
    for (given, expected) in ROWS.iter().zip(expected) {
        let expected = match expected {
            None => vec![],
            Some(0) => vec![format!("+I {given}")],
            Some(before) => vec![format!("-U {}", ROWS[before - 1]), format!("+U {given}")],
        };
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        test.check(0, &format!("+I {given}"), &expected);
        all.extend(expected.iter().map(|row| (*row).to_owned()));
    }
    let mut test = Harness::new(operator(spec), &[TYPES]);
    let given: Vec<_> = ROWS.iter().map(|row| format!("+I {row}")).collect();
    let found = test.step(&Step::Rows(0, given)).unwrap();
    assert_eq!(found, all, "in one batch");
}

#[test]
fn first_by_processing_time() {
    let expected = [
        Some(0),
        None,
        Some(0),
        None,
        None,
        None,
        Some(0),
        None,
        None,
        None,
        None,
        None,
    ];
    check(spec(None, false), expected);
}

#[test]
fn last_by_processing_time() {
    let expected = [
        Some(0),
        Some(1),
        Some(0),
        Some(2),
        Some(4),
        Some(3),
        Some(0),
        Some(5),
        Some(8),
        Some(7),
        Some(9),
        Some(6),
    ];
    check(spec(None, true), expected);
}

#[test]
fn first_by_rowtime() {
    let expected = [
        Some(0),
        None,
        Some(0),
        None,
        None,
        None,
        Some(0),
        None,
        Some(1),
        None,
        None,
        None,
    ];
    check(spec(Some(3), false), expected);
}

#[test]
fn last_by_rowtime() {
    let expected = [
        Some(0),
        Some(1),
        Some(0),
        None,
        Some(2),
        Some(3),
        Some(0),
        Some(5),
        None,
        Some(7),
        Some(8),
        Some(6),
    ];
    check(spec(Some(3), true), expected);
}

#[test]
fn a_row_equal_to_the_first_changes_nothing() {
    let mut test = Harness::new(operator(spec(None, true)), &[TYPES]);
    test.check_batch(
        0,
        &["+I a|1|1|1", "+I a|1|1|1", "+I a|2|1|1", "+I a|2|1|1"],
        &[
            "+I a|1|1|1",
            "-U a|1|1|1",
            "+U a|2|1|1",
            "-U a|2|1|1",
            "+U a|2|1|1",
        ],
    );
}

#[test]
fn gives_only_what_is_asked_for() {
    for rowtime in [None, Some(3)] {
        let mut asked = spec(rowtime, true);
        asked.update_before = false;
        let mut test = Harness::new(operator(asked.clone()), &[TYPES]);
        test.check_batch(
            0,
            &["+I a|1|1|1", "+I a|2|1|1"],
            &["+I a|1|1|1", "+U a|2|1|1"],
        );
        asked.insert = false;
        let mut test = Harness::new(operator(asked), &[TYPES]);
        test.check_batch(
            0,
            &["+I a|1|1|1", "+I a|2|1|1"],
            &["+U a|1|1|1", "+U a|2|1|1"],
        );
    }
}

#[test]
fn changes_are_refused() {
    let mut test = Harness::new(operator(spec(None, true)), &[TYPES]);
    let error = test.step(&row(0, "-D a|1|1|1")).unwrap_err();
    assert!(matches!(
        error,
        OperatorError::UnexpectedKind(RowKind::Delete)
    ));
}

/// The reference's case of a time to live of 3 s.
#[test]
fn forgets_first_rows_that_are_too_old() {
    let mut timed = spec(None, false);
    timed.ttl = Some(Ttl { ms: 3_000 });
    let mut test = Harness::new(operator(timed), &[TYPES]);
    test.check(0, "+I a|1|1|1", &["+I a|1|1|1"]);
    test.check(0, "+I a|2|1|1", &[]);
    test.check_time(1_008_000, &[]);
    test.check(0, "+I a|3|1|1", &["+I a|3|1|1"]);
    test.check(0, "+I a|4|1|1", &[]);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(11);
    let mut steps = Vec::new();
    for id in 0..50 {
        let key = ["a", "b", "NULL"][dice.roll(3) as usize];
        let (value, time) = (dice.roll(2), dice.roll(30));
        steps.push(row(0, &format!("+I {key}|{}|{value}|{time}", id / 3)));
    }
    for rowtime in [None, Some(3)] {
        for keep_last in [false, true] {
            let make = || Box::new(operator(spec(rowtime, keep_last))) as Box<dyn Operator>;
            check_restore(make, &[TYPES], &steps);
        }
    }
}
