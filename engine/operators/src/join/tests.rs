use super::*;
use crate::testing::{Dice, Harness, INT, IntCondition, STRING, Step, Steps, check_restore, row};

const TYPES: &[DataType] = &[STRING, INT];

fn side(unique: UniqueKey) -> JoinSideSpec {
    JoinSideSpec {
        columns: TYPES.to_vec(),
        key: vec![0],
        unique,
        ttl: None,
    }
}

fn spec(kind: JoinKind) -> JoinSpec {
    JoinSpec {
        kind,
        left: side(UniqueKey::None),
        right: side(UniqueKey::None),
        filter_nulls: vec![true],
        condition: None,
    }
}

/// A join with a condition over k, a, k, b.
fn spec_if(kind: JoinKind, condition: fn(&[Option<i32>]) -> Option<bool>) -> JoinSpec {
    JoinSpec {
        condition: Some(Box::new(IntCondition(condition))),
        ..spec(kind)
    }
}

fn test(spec: JoinSpec) -> Harness {
    Harness::new(Join::new(spec).unwrap(), &[TYPES, TYPES])
}

fn a_times_5_less_than_b(values: &[Option<i32>]) -> Option<bool> {
    Some(values[1]? * 5 < values[3]?)
}

/// INNER, append, with a < b.
const INNER_IF: Steps = &[
    (0, "+I x|1", &[]),
    (1, "+I x|10", &["+I x|1|x|10"]),
    (1, "+I x|11", &["+I x|1|x|11"]),
    (0, "+I y|2", &[]),
    (0, "+I NULL|3", &[]),
    (1, "+I NULL|30", &[]),
    (1, "+I z|40", &[]),
    (0, "+I x|4", &[]),
    (0, "+I z|5", &["+I z|5|z|40"]),
    (1, "+I y|20", &["+I y|2|y|20"]),
    (1, "+I y|NULL", &[]),
    (0, "+I y|NULL", &[]),
    (1, "+I x|10", &["+I x|1|x|10"]),
    (0, "+I w|6", &[]),
];

#[test]
fn inner_with_a_condition() {
    test(spec_if(JoinKind::Inner, a_times_5_less_than_b)).check_all(INNER_IF);
}

/// LEFT, append.
const LEFT_APPEND: Steps = &[
    (0, "+I x|1", &["+I x|1|NULL|NULL"]),
    (1, "+I x|10", &["-D x|1|NULL|NULL", "+I x|1|x|10"]),
    (1, "+I x|11", &["+I x|1|x|11"]),
    (0, "+I y|2", &["+I y|2|NULL|NULL"]),
    (0, "+I NULL|3", &["+I NULL|3|NULL|NULL"]),
    (1, "+I NULL|30", &[]),
    (1, "+I z|40", &[]),
    (0, "+I x|4", &["+I x|4|x|11", "+I x|4|x|10"]),
    (0, "+I z|5", &["+I z|5|z|40"]),
    (1, "+I y|20", &["-D y|2|NULL|NULL", "+I y|2|y|20"]),
    (1, "+I y|NULL", &["+I y|2|y|NULL"]),
    (0, "+I y|NULL", &["+I y|NULL|y|20", "+I y|NULL|y|NULL"]),
    (1, "+I x|10", &["+I x|4|x|10", "+I x|1|x|10"]),
    (0, "+I w|6", &["+I w|6|NULL|NULL"]),
];

#[test]
fn left_of_insertions() {
    test(spec(JoinKind::Left)).check_bags(LEFT_APPEND);
}

/// LEFT, IS NOT DISTINCT FROM.
const NULLS_EQUAL: Steps = &[
    (0, "+I x|1", &["+I x|1|NULL|NULL"]),
    (1, "+I x|10", &["-D x|1|NULL|NULL", "+I x|1|x|10"]),
    (1, "+I x|11", &["+I x|1|x|11"]),
    (0, "+I y|2", &["+I y|2|NULL|NULL"]),
    (0, "+I NULL|3", &["+I NULL|3|NULL|NULL"]),
    (
        1,
        "+I NULL|30",
        &["-D NULL|3|NULL|NULL", "+I NULL|3|NULL|30"],
    ),
    (1, "+I z|40", &[]),
    (0, "+I x|4", &["+I x|4|x|11", "+I x|4|x|10"]),
    (0, "+I z|5", &["+I z|5|z|40"]),
    (1, "+I y|20", &["-D y|2|NULL|NULL", "+I y|2|y|20"]),
    (1, "+I y|NULL", &["+I y|2|y|NULL"]),
    (0, "+I y|NULL", &["+I y|NULL|y|20", "+I y|NULL|y|NULL"]),
    (1, "+I x|10", &["+I x|4|x|10", "+I x|1|x|10"]),
    (0, "+I w|6", &["+I w|6|NULL|NULL"]),
];

#[test]
fn left_where_nulls_are_equal() {
    let mut spec = spec(JoinKind::Left);
    spec.filter_nulls = vec![false];
    test(spec).check_bags(NULLS_EQUAL);
}

/// FULL, append, with a < b.
const FULL_IF: Steps = &[
    (0, "+I x|1", &["+I x|1|NULL|NULL"]),
    (1, "+I x|10", &["-D x|1|NULL|NULL", "+I x|1|x|10"]),
    (1, "+I x|11", &["+I x|1|x|11"]),
    (0, "+I y|2", &["+I y|2|NULL|NULL"]),
    (0, "+I NULL|3", &["+I NULL|3|NULL|NULL"]),
    (1, "+I NULL|30", &["+I NULL|NULL|NULL|30"]),
    (1, "+I z|40", &["+I NULL|NULL|z|40"]),
    (0, "+I x|4", &["+I x|4|NULL|NULL"]),
    (0, "+I z|5", &["-D NULL|NULL|z|40", "+I z|5|z|40"]),
    (1, "+I y|20", &["-D y|2|NULL|NULL", "+I y|2|y|20"]),
    (1, "+I y|NULL", &["+I NULL|NULL|y|NULL"]),
    (0, "+I y|NULL", &["+I y|NULL|NULL|NULL"]),
    (1, "+I x|10", &["+I x|1|x|10"]),
    (0, "+I w|6", &["+I w|6|NULL|NULL"]),
];

#[test]
fn full_with_a_condition() {
    test(spec_if(JoinKind::Full, a_times_5_less_than_b)).check_all(FULL_IF);
}

/// LEFT, changelogs without keys.
const LEFT_CHANGES: Steps = &[
    (0, "+I x|1", &["+I x|1|NULL|NULL"]),
    (1, "+I x|10", &["-D x|1|NULL|NULL", "+I x|1|x|10"]),
    (0, "+I x|1", &["+I x|1|x|10"]),
    (
        1,
        "-U x|10",
        &[
            "-U x|1|x|10",
            "-U x|1|x|10",
            "+I x|1|NULL|NULL",
            "+I x|1|NULL|NULL",
        ],
    ),
    (
        1,
        "+U x|12",
        &[
            "-D x|1|NULL|NULL",
            "-D x|1|NULL|NULL",
            "+I x|1|x|12",
            "+I x|1|x|12",
        ],
    ),
    (0, "-D x|1", &["-D x|1|x|12"]),
    (0, "+I y|2", &["+I y|2|NULL|NULL"]),
    (1, "-D x|12", &["-D x|1|x|12", "+I x|1|NULL|NULL"]),
    (1, "+I y|20", &["-D y|2|NULL|NULL", "+I y|2|y|20"]),
    (0, "-U y|2", &["-D y|2|y|20"]),
    (0, "+U z|2", &["+I z|2|NULL|NULL"]),
    (1, "+I z|30", &["-D z|2|NULL|NULL", "+I z|2|z|30"]),
    (1, "+I z|30", &["+I z|2|z|30"]),
    (1, "-D z|30", &["-D z|2|z|30"]),
    (0, "-D z|2", &["-D z|2|z|30"]),
    (0, "-D x|1", &["-D x|1|NULL|NULL"]),
    (1, "-D z|30", &[]),
    (0, "+I NULL|7", &["+I NULL|7|NULL|NULL"]),
    (1, "+I NULL|7", &[]),
    (0, "-D NULL|7", &["-D NULL|7|NULL|NULL"]),
    (1, "-D y|20", &[]),
];

#[test]
fn left_of_changes() {
    test(spec(JoinKind::Left)).check_bags(LEFT_CHANGES);
}

/// RIGHT, changelogs without keys.
const RIGHT_CHANGES: Steps = &[
    (0, "+I x|1", &[]),
    (1, "+I x|10", &["+I x|1|x|10"]),
    (0, "+I x|1", &["+I x|1|x|10"]),
    (1, "-U x|10", &["-D x|1|x|10", "-D x|1|x|10"]),
    (1, "+U x|12", &["+I x|1|x|12", "+I x|1|x|12"]),
    (0, "-D x|1", &["-D x|1|x|12"]),
    (0, "+I y|2", &[]),
    (1, "-D x|12", &["-D x|1|x|12"]),
    (1, "+I y|20", &["+I y|2|y|20"]),
    (0, "-U y|2", &["-U y|2|y|20", "+I NULL|NULL|y|20"]),
    (0, "+U z|2", &[]),
    (1, "+I z|30", &["+I z|2|z|30"]),
    (1, "+I z|30", &["+I z|2|z|30"]),
    (1, "-D z|30", &["-D z|2|z|30"]),
    (0, "-D z|2", &["-D z|2|z|30", "+I NULL|NULL|z|30"]),
    (0, "-D x|1", &[]),
    (1, "-D z|30", &["-D NULL|NULL|z|30"]),
    (0, "+I NULL|7", &[]),
    (1, "+I NULL|7", &["+I NULL|NULL|NULL|7"]),
    (0, "-D NULL|7", &[]),
    (1, "-D y|20", &["-D NULL|NULL|y|20"]),
];

#[test]
fn right_of_changes() {
    test(spec(JoinKind::Right)).check_bags(RIGHT_CHANGES);
}

/// INNER, changelogs, join on primary keys.
const INNER_BY_KEY: Steps = &[
    (0, "+I x|1", &[]),
    (1, "+I x|10", &["+I x|1|x|10"]),
    (1, "-U x|10", &["-U x|1|x|10"]),
    (1, "+U x|12", &["+U x|1|x|12"]),
    (0, "-U x|1", &["-U x|1|x|12"]),
    (0, "+U x|2", &["+U x|2|x|12"]),
    (0, "+I y|2", &[]),
    (1, "-D x|12", &["-D x|2|x|12"]),
    (1, "+I y|20", &["+I y|2|y|20"]),
    (1, "+I z|30", &[]),
    (0, "-D y|2", &["-D y|2|y|20"]),
    (1, "+I x|13", &["+I x|2|x|13"]),
    (0, "-D x|2", &["-D x|2|x|13"]),
    (1, "-D z|30", &[]),
    (0, "+I y|5", &["+I y|5|y|20"]),
    (1, "-U y|20", &["-U y|5|y|20"]),
    (1, "+U y|20", &["+U y|5|y|20"]),
];

#[test]
fn inner_on_primary_keys() {
    let mut spec = spec(JoinKind::Inner);
    spec.left.unique = UniqueKey::JoinKey;
    spec.right.unique = UniqueKey::JoinKey;
    test(spec).check_all(INNER_BY_KEY);
}

/// RIGHT, changelogs, join on primary keys.
const RIGHT_BY_KEY: Steps = &[
    (0, "+I x|1", &[]),
    (1, "+I x|10", &["+I x|1|x|10"]),
    (1, "-U x|10", &["-D x|1|x|10"]),
    (1, "+U x|12", &["+I x|1|x|12"]),
    (0, "-U x|1", &["-U x|1|x|12", "+I NULL|NULL|x|12"]),
    (0, "+U x|2", &["-D NULL|NULL|x|12", "+I x|2|x|12"]),
    (0, "+I y|2", &[]),
    (1, "-D x|12", &["-D x|2|x|12"]),
    (1, "+I y|20", &["+I y|2|y|20"]),
    (1, "+I z|30", &["+I NULL|NULL|z|30"]),
    (0, "-D y|2", &["-D y|2|y|20", "+I NULL|NULL|y|20"]),
    (1, "+I x|13", &["+I x|2|x|13"]),
    (0, "-D x|2", &["-D x|2|x|13", "+I NULL|NULL|x|13"]),
    (1, "-D z|30", &["-D NULL|NULL|z|30"]),
    (0, "+I y|5", &["-D NULL|NULL|y|20", "+I y|5|y|20"]),
    (1, "-U y|20", &["-D y|5|y|20"]),
    (1, "+U y|20", &["+I y|5|y|20"]),
];

#[test]
fn right_on_primary_keys() {
    let mut spec = spec(JoinKind::Right);
    spec.left.unique = UniqueKey::JoinKey;
    spec.right.unique = UniqueKey::JoinKey;
    test(spec).check_all(RIGHT_BY_KEY);
}

/// semi/anti over changelogs: NOT EXISTS.
const NOT_EXISTS: Steps = &[
    (0, "+I x|1", &["+I x|1"]),
    (1, "+I x|10", &["-D x|1"]),
    (1, "+I x|11", &[]),
    (1, "-D x|10", &[]),
    (0, "+I y|2", &["+I y|2"]),
    (1, "-D x|11", &["+I x|1"]),
    (1, "+I y|5", &["-D y|2"]),
    (0, "-D y|2", &[]),
    (1, "-D y|5", &[]),
    (0, "+I z|3", &["+I z|3"]),
    (1, "+I z|1", &["-D z|3"]),
    (1, "-D z|1", &["+I z|3"]),
    (1, "+I x|3", &["-D x|1"]),
];

#[test]
fn not_exists_over_changes() {
    test(spec(JoinKind::Anti)).check_all(NOT_EXISTS);
}

/// semi/anti over changelogs: EXISTS with another condition.
const EXISTS_IF: Steps = &[
    (0, "+I x|1", &[]),
    (1, "+I x|10", &["+I x|1"]),
    (1, "+I x|11", &[]),
    (1, "-D x|10", &[]),
    (0, "+I y|2", &[]),
    (1, "-D x|11", &["-D x|1"]),
    (1, "+I y|5", &[]),
    (0, "-D y|2", &[]),
    (1, "-D y|5", &[]),
    (0, "+I z|3", &[]),
    (1, "+I z|1", &[]),
    (1, "-D z|1", &[]),
    (1, "+I x|3", &[]),
];

#[test]
fn exists_with_a_condition_over_changes() {
    test(spec_if(JoinKind::Semi, |values| {
        Some(values[3]? > values[1]? * 4)
    }))
    .check_all(EXISTS_IF);
}

/// semi/anti: NOT IN.
const NOT_IN: Steps = &[
    (0, "+I x|1", &["+I x|1"]),
    (1, "+I y|20", &[]),
    (1, "+I x|10", &["-D x|1"]),
    (0, "+I x|2", &[]),
    (0, "+I y|3", &[]),
    (0, "+I NULL|4", &[]),
    (0, "+I z|5", &["+I z|5"]),
    (1, "+I x|10", &[]),
    (1, "+I z|NULL", &["-D z|5"]),
    (0, "+I NULL|6", &[]),
    (1, "+I NULL|1", &[]),
    (0, "+I q|7", &[]),
    (1, "+I q|8", &[]),
];

/// `NOT IN` has no key; its condition knows NULLs. Texts are numbered, as the condition looks at INT.
#[test]
fn not_in_with_nulls() {
    let number = |row: &str| {
        let (kind, values) = row.split_once(' ').unwrap();
        let (key, rest) = values.split_once('|').unwrap();
        match key {
            "NULL" => row.to_owned(),
            key => format!("{kind} {}|{rest}", key.as_bytes()[0]),
        }
    };
    let types: &[DataType] = &[INT, INT];
    let mut spec = spec_if(JoinKind::Anti, |values| match (values[0], values[2]) {
        (Some(left), Some(right)) => Some(left == right),
        _ => Some(true),
    });
    for side in [&mut spec.left, &mut spec.right] {
        side.columns = types.to_vec();
        side.key = vec![];
    }
    spec.filter_nulls = vec![];
    let mut test = Harness::new(Join::new(spec).unwrap(), &[types, types]);
    for (input, given, expected) in NOT_IN {
        let expected: Vec<_> = expected.iter().map(|row| number(row)).collect();
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        test.check(*input, &number(given), &expected);
    }
}

#[test]
fn rows_by_a_unique_key_beside_the_join_key() {
    let mut spec = spec(JoinKind::Left);
    spec.right.unique = UniqueKey::Columns(vec![1]);
    let mut test = test(spec);
    test.check(0, "+I x|1", &["+I x|1|NULL|NULL"]);
    test.check(1, "+I x|7", &["-D x|1|NULL|NULL", "+I x|1|x|7"]);
    // The same key again takes the row's place, so one retraction is enough.
    test.check(1, "+U x|7", &["+I x|1|x|7"]);
    test.check(1, "+I x|8", &["+I x|1|x|8"]);
    test.check(1, "-D x|7", &["-D x|1|x|7"]);
    test.check(0, "+I x|2", &["+I x|2|x|8"]);
    assert_eq!(test.operator().size().0, 3);
}

#[test]
fn a_batch_gives_what_its_rows_give() {
    let rows = [
        "+I x|1",
        "+I NULL|2",
        "-U x|1",
        "+U y|1",
        "+I x|1",
        "+I x|1",
        "-D q|1",
    ];
    for kind in KINDS {
        for input in [0, 1] {
            let condition = |values: &[Option<i32>]| Some(values[1]? < 9 && values[3]? < 9);
            let mut single = test(spec_if(kind, condition));
            let mut batched = test(spec_if(kind, condition));
            let others = ["+I x|1", "+I x|1", "+I y|3", "+I x|9", "+I NULL|2"];
            for other in others {
                single.step(&row(1 - input, other)).unwrap();
                batched.step(&row(1 - input, other)).unwrap();
            }
            let expected: Vec<_> = rows
                .iter()
                .flat_map(|given| single.step(&row(input, given)).unwrap())
                .collect();
            let given = rows.iter().map(|row| (*row).to_owned()).collect();
            let found = batched.step(&Step::Rows(input, given)).unwrap();
            assert_eq!(found, expected, "{kind:?}, input {input}");
        }
    }
}

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

#[test]
fn a_hot_key_comes_in_batches_of_bounded_size() {
    let mut test = test(spec_if(JoinKind::Left, |values| Some(values[3]? % 2 == 0)));
    let rows = (0..20_000).map(|at| format!("+I x|{at}")).collect();
    test.step(&Step::Rows(1, rows)).unwrap();
    let found = test
        .step(&Step::Rows(0, vec!["+I x|1".into(), "+I y|2".into()]))
        .unwrap();
    assert_eq!(found.len(), 10_001);
    assert_eq!(found[0], "+I x|1|x|0");
    assert_eq!(found[9_999], "+I x|1|x|19998");
    assert_eq!(found[10_000], "+I y|2|NULL|NULL");
}

/// The harness looks at how much each call gives out.
#[test]
fn a_hot_key_on_both_sides_comes_in_several_calls() {
    let mut test = test(spec(JoinKind::Inner));
    let rows = |count| (0..count).map(|at| format!("+I x|{at}")).collect();
    test.step(&Step::Rows(0, rows(1_000))).unwrap();
    let found = test.step(&Step::Rows(1, rows(400))).unwrap();
    assert_eq!(found.len(), 400_000);
    assert_eq!(found[399_999], "+I x|999|x|399");
    test.check(
        1,
        "-D x|5",
        &found_of(&found, "x|5")
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
}

fn found_of(found: &[String], right: &str) -> Vec<String> {
    let rows = found
        .iter()
        .filter(|row| row.ends_with(&format!("|{right}")));
    rows.map(|row| row.replace("+I", "-D")).collect()
}

#[test]
fn rows_that_are_too_old_meet_nobody() {
    let mut spec = spec(JoinKind::Inner);
    spec.left.ttl = Some(Ttl { ms: 3_000 });
    let mut test = test(spec);
    test.check(0, "+I x|1", &[]);
    test.check_time(1_002_999, &[]);
    test.check(1, "+I x|2", &["+I x|1|x|2"]);
    test.check_time(1_003_000, &[]);
    test.check(1, "+I x|3", &[]);
    test.check(0, "+I x|4", &["+I x|4|x|2", "+I x|4|x|3"]);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(31);
    let mut steps = Vec::new();
    for at in 0..60 {
        let kind = ["+I", "+I", "-D", "-U", "+U"][dice.roll(5) as usize];
        let key = ["x", "y", "NULL"][dice.roll(3) as usize];
        let input = dice.roll(2) as usize;
        steps.push(row(input, &format!("{kind} {key}|{}", dice.roll(3))));
        if at % 9 == 8 {
            steps.push(Step::Time(1_000_000 + at * 400));
        }
    }
    let uniques = [
        UniqueKey::None,
        UniqueKey::JoinKey,
        UniqueKey::Columns(vec![1]),
    ];
    for kind in KINDS {
        for unique in &uniques {
            for ttl in [None, Some(Ttl { ms: 7_000 })] {
                let make = || -> Box<dyn Operator> {
                    let mut spec = spec(kind);
                    spec.left.unique = unique.clone();
                    spec.right.ttl = ttl;
                    Box::new(Join::new(spec).unwrap())
                };
                check_restore(make, &[TYPES, TYPES], &steps);
            }
        }
    }
}
