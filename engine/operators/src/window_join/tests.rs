use super::*;
use crate::testing::{
    Dice, Harness, INT, IntCondition, STRING, Step, TIMESTAMP, TimedSteps, check_restore, row,
};

const TYPES: &[DataType] = &[STRING, INT, TIMESTAMP];

fn side() -> WindowSideSpec {
    WindowSideSpec {
        columns: TYPES.to_vec(),
        key: vec![0],
        window_end: 2,
    }
}

fn operator(kind: JoinKind) -> WindowJoin {
    WindowJoin::new(WindowJoinSpec {
        kind,
        left: side(),
        right: side(),
        filter_nulls: vec![true],
        condition: Some(Box::new(IntCondition(|values| {
            Some(values[1]? != values[4]?)
        }))),
        zone: None,
    })
    .unwrap()
}

/// Rows of a window that ends at 5: x has pairs, y only a left row, z only a right one, w a pair against the condition.
fn joined(kind: JoinKind, expected: &[&str]) {
    let mut test = Harness::new(operator(kind), &[TYPES, TYPES]);
    let left = [
        "+I x|1|5",
        "+I y|2|5",
        "+I x|3|5",
        "+I w|9|5",
        "+I NULL|1|5",
        "+I x|1|10",
    ];
    let right = [
        "+I x|3|5",
        "+I z|6|5",
        "+I x|7|5",
        "+I w|9|5",
        "+I NULL|2|5",
    ];
    test.check_batch(0, &left, &[]);
    test.check_batch(1, &right, &[]);
    let mut found = test.step(&Step::Watermark(5)).unwrap();
    assert_eq!(found.pop().unwrap(), "W 5");
    // The order of keys is chance.
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{kind:?}");
    test.check(0, "+I x|1|5", &[]);
    assert_eq!(test.operator().late_rows(), 1);
    assert_eq!(test.operator().size().0, 1);
}

const PAIRS: [&str; 3] = ["+I x|1|5|x|3|5", "+I x|1|5|x|7|5", "+I x|3|5|x|7|5"];
const LEFT_ONLY: [&str; 3] = [
    "+I y|2|5|NULL|NULL|NULL",
    "+I w|9|5|NULL|NULL|NULL",
    "+I NULL|1|5|NULL|NULL|NULL",
];
const RIGHT_ONLY: [&str; 3] = [
    "+I NULL|NULL|NULL|z|6|5",
    "+I NULL|NULL|NULL|w|9|5",
    "+I NULL|NULL|NULL|NULL|2|5",
];

#[test]
fn gives_each_kind_its_rows() {
    joined(JoinKind::Inner, &PAIRS);
    joined(JoinKind::Left, &[PAIRS, LEFT_ONLY].concat());
    joined(JoinKind::Right, &[PAIRS, RIGHT_ONLY].concat());
    joined(JoinKind::Full, &[PAIRS, LEFT_ONLY, RIGHT_ONLY].concat());
    joined(JoinKind::Semi, &["+I x|1|5", "+I x|3|5"]);
    joined(JoinKind::Anti, &["+I y|2|5", "+I w|9|5", "+I NULL|1|5"]);
}

/// Window join left: rows, the watermark in seconds behind them, and what it sets free.
const LEFT: TimedSteps = &[
    (0, "+I a|1|1010", None, &[]),
    (1, "+I a|x|1010", Some(1000), &[]),
    (0, "+I b|2|1010", Some(1002), &[]),
    (1, "+I c|y|1010", Some(1004), &[]),
    (0, "+I a|3|1010", Some(1008), &[]),
    (1, "+I a|z|1020", None, &[]),
    (0, "+I NULL|4|1010", None, &[]),
    (1, "+I NULL|n|1020", None, &[]),
    (
        0,
        "+I a|5|1020",
        Some(1012),
        &[
            "+I a|1|1010|a|x|1010",
            "+I a|3|1010|a|x|1010",
            "+I b|2|1010|NULL|NULL|NULL",
            "+I NULL|4|1010|NULL|NULL|NULL",
        ],
    ),
    (0, "+I NULL|6|1020", None, &[]),
    (1, "+I a|late|1010", None, &[]),
    (0, "+I d|7|1030", None, &[]),
    (
        1,
        "+I d|q|1030",
        Some(1020),
        &["+I a|5|1020|a|z|1020", "+I NULL|6|1020|NULL|NULL|NULL"],
    ),
    (0, "+I d|8|1040", Some(1021), &[]),
    (1, "+I d|r|1050", Some(1032), &["+I d|7|1030|d|q|1030"]),
];
const LEFT_END: &[&str] = &["+I d|8|1040|NULL|NULL|NULL"];

#[test]
fn left_as_the_reference() {
    let texts: &[DataType] = &[STRING, STRING, TIMESTAMP];
    let mut right = side();
    right.columns = texts.to_vec();
    let spec = WindowJoinSpec {
        kind: JoinKind::Left,
        left: side(),
        right,
        filter_nulls: vec![true],
        condition: None,
        zone: None,
    };
    let mut test = Harness::new(WindowJoin::new(spec).unwrap(), &[TYPES, texts]);
    test.check_timed(LEFT, LEFT_END, &[0, 1, 2, 3, 4, 5]);
}

#[test]
fn retractions_are_refused() {
    let mut test = Harness::new(operator(JoinKind::Inner), &[TYPES, TYPES]);
    let error = test.step(&row(0, "-D x|1|5")).unwrap_err();
    assert!(matches!(
        error,
        OperatorError::UnexpectedKind(RowKind::Delete)
    ));
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(19);
    let mut steps = Vec::new();
    for at in 0..50_u64 {
        let key = ["x", "y", "NULL"][dice.roll(3) as usize];
        let window = (at / 9 + dice.roll(2)) * 5;
        let input = dice.roll(2) as usize;
        steps.push(row(input, &format!("+I {key}|{}|{window}", dice.roll(3))));
        if at % 7 == 6 {
            steps.push(Step::Watermark(at as i64 / 2));
        }
    }
    steps.push(Step::Watermark(i64::MAX));
    for kind in [
        JoinKind::Inner,
        JoinKind::Right,
        JoinKind::Full,
        JoinKind::Anti,
    ] {
        check_restore(|| Box::new(operator(kind)), &[TYPES, TYPES], &steps);
    }
}
