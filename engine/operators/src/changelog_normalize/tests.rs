use super::*;
use crate::testing::{Dice, Harness, INT, STRING, Step, check_restore, row};

const TYPES: &[DataType] = &[INT, STRING, INT];

fn operator(update_before: bool, ttl: Option<Ttl>) -> ChangelogNormalize {
    ChangelogNormalize::new(ChangelogNormalizeSpec {
        columns: TYPES.to_vec(),
        key: vec![0],
        update_before,
        ttl,
    })
    .unwrap()
}

/// Steps of the reference: an upsert source, all columns.
const UPSERTS: &[(&str, &[&str])] = &[
    ("+I 1|a|10", &["+I 1|a|10"]),
    ("+U 1|a|11", &["-U 1|a|10", "+U 1|a|11"]),
    ("+U 1|a|11", &["-U 1|a|11", "+U 1|a|11"]),
    ("+U 2|b|20", &["+I 2|b|20"]),
    ("-D 3|NULL|NULL", &[]),
    ("+I 1|c|11", &["-U 1|a|11", "+U 1|c|11"]),
    ("+I 1|c|11", &[]),
    ("-D 2|NULL|NULL", &["-D 2|b|20"]),
    ("-D 2|NULL|NULL", &[]),
    ("+U 2|b|21", &["+I 2|b|21"]),
    ("-D 1|z|99", &["-D 1|c|11"]),
    ("+I 3|NULL|NULL", &["+I 3|NULL|NULL"]),
    ("+U 3|NULL|NULL", &["-U 3|NULL|NULL", "+U 3|NULL|NULL"]),
];

#[test]
fn upserts_become_a_changelog() {
    let mut test = Harness::new(operator(true, None), &[TYPES]);
    for (given, expected) in UPSERTS {
        test.check(0, given, expected);
    }
}

#[test]
fn a_batch_gives_what_its_rows_give() {
    let mut test = Harness::new(operator(true, None), &[TYPES]);
    let given: Vec<_> = UPSERTS.iter().map(|(given, _)| *given).collect();
    let expected: Vec<_> = UPSERTS.iter().flat_map(|(_, expected)| *expected).collect();
    let expected: Vec<&str> = expected.into_iter().copied().collect();
    test.check_batch(0, &given, &expected);
}

#[test]
fn old_rows_stay_away_where_nobody_needs_them() {
    let mut test = Harness::new(operator(false, None), &[TYPES]);
    test.check_batch(
        0,
        &["+U 1|a|1", "+U 1|a|2", "-D 1|NULL|NULL"],
        &["+I 1|a|1", "+U 1|a|2", "-D 1|a|2"],
    );
}

#[test]
fn rows_that_are_too_old_are_forgotten() {
    let mut test = Harness::new(operator(true, Some(Ttl { ms: 3_000 })), &[TYPES]);
    test.check(0, "+I 1|a|1", &["+I 1|a|1"]);
    test.check_time(1_002_000, &[]);
    test.check(0, "+I 1|a|1", &["-U 1|a|1", "+U 1|a|1"]);
    test.check_time(1_004_999, &[]);
    test.check(0, "+I 1|a|2", &["-U 1|a|1", "+U 1|a|2"]);
    test.check_time(1_007_999, &[]);
    test.check(0, "+I 1|a|3", &["+I 1|a|3"]);
    test.check_time(1_020_000, &[]);
    test.check(0, "+I 2|a|3", &["+I 2|a|3"]);
    assert_eq!(test.operator().size().0, 1);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(7);
    let mut steps = Vec::new();
    for _ in 0..60 {
        let kind = ["+I", "+U", "-D"][dice.roll(3) as usize];
        let (id, value) = (dice.roll(5), dice.roll(3));
        steps.push(row(0, &format!("{kind} {id}|a|{value}")));
    }
    check_restore(|| Box::new(operator(true, None)), &[TYPES], &steps);
    for at in (0..steps.len()).step_by(4) {
        steps.insert(at, Step::Time(1_000_000 + at as i64 * 500));
    }
    let ttl = Some(Ttl { ms: 3_000 });
    check_restore(|| Box::new(operator(true, ttl)), &[TYPES], &steps);
}
