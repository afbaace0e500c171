use arrow_schema::SortOptions;

use super::*;
use crate::testing::{Dice, Harness, INT, STRING, Step, TIMESTAMP, TimedSteps, check_restore, row};

const TYPES: &[DataType] = &[STRING, INT, TIMESTAMP];

fn spec(end: i64) -> WindowRankSpec {
    WindowRankSpec {
        columns: TYPES.to_vec(),
        partition: vec![0],
        window_end: 2,
        zone: None,
        sort: vec![SortColumn {
            column: 1,
            options: SortOptions {
                descending: true,
                nulls_first: false,
            },
        }],
        later_wins: false,
        start: 1,
        end,
        with_number: true,
    }
}

fn test(spec: WindowRankSpec) -> Harness {
    Harness::new(WindowRank::new(spec).unwrap(), &[TYPES])
}

#[test]
fn the_first_rows_of_a_window_come_at_its_end() {
    let mut test = test(spec(2));
    for row in [
        "+I a|1|5",
        "+I a|3|5",
        "+I b|7|5",
        "+I a|2|5",
        "+I a|3|10",
        "+I a|NULL|5",
    ] {
        test.check(0, row, &[]);
    }
    test.check_watermark(4, &[]);
    test.check_watermark(5, &["+I a|3|5|1", "+I a|2|5|2", "+I b|7|5|1"]);
    test.check(0, "+I a|9|5", &[]);
    assert_eq!(test.operator().late_rows(), 1);
    test.check_watermark(i64::MAX, &["+I a|3|10|1"]);
    assert_eq!(test.operator().size().0, 0);
}

#[test]
fn ranks_may_begin_later() {
    let mut ranks = spec(2);
    ranks.start = 2;
    ranks.with_number = false;
    let mut test = test(ranks);
    test.check_batch(0, &["+I a|1|5", "+I a|3|5", "+I b|1|5"], &[]);
    test.check_watermark(5, &["+I a|1|5"]);
}

#[test]
fn the_later_of_equal_rows_wins_where_the_last_is_kept() {
    for (later_wins, expected) in [(false, "+I a|1|5"), (true, "+I b|1|5")] {
        let mut last = spec(1);
        last.partition = vec![];
        last.later_wins = later_wins;
        last.with_number = false;
        let mut test = test(last);
        test.check_batch(0, &["+I a|1|5", "+I b|1|5", "+I c|0|5"], &[]);
        test.check_watermark(5, &[expected]);
    }
}

/// Window top-2 with partition key on hop: rows, the watermark in seconds behind them, and what it sets free.
const TOP_2: TimedSteps = &[
    (0, "+I a|1|1010", None, &[]),
    (0, "+I a|1|1005", Some(999), &[]),
    (0, "+I a|2|1010", None, &[]),
    (0, "+I a|2|1005", Some(1002), &[]),
    (0, "+I b|3|1015", None, &[]),
    (
        0,
        "+I b|3|1010",
        Some(1008),
        &["+I a|1|1005|1", "+I a|2|1005|2"],
    ),
    (0, "+I a|4|1020", None, &[]),
    (0, "+I a|4|1015", Some(1009), &[]),
    (0, "+I a|5|1015", None, &[]),
    (0, "+I a|5|1010", None, &[]),
    (0, "+I a|6|1020", None, &[]),
    (
        0,
        "+I a|6|1015",
        Some(1010),
        &["+I a|1|1010|1", "+I a|2|1010|2", "+I b|3|1010|1"],
    ),
    (0, "+I b|7|1015", None, &[]),
    (0, "+I b|7|1010", None, &[]),
    (0, "+I b|NULL|1020", None, &[]),
    (0, "+I b|NULL|1015", Some(1011), &[]),
    (0, "+I NULL|8|1025", None, &[]),
    (0, "+I NULL|8|1020", Some(1014), &[]),
    (0, "+I b|9|1020", None, &[]),
    (0, "+I b|9|1015", None, &[]),
    (0, "+I a|10|1035", None, &[]),
    (
        0,
        "+I a|10|1030",
        Some(1024),
        &[
            "+I b|NULL|1015|1",
            "+I b|3|1015|2",
            "+I a|4|1015|1",
            "+I a|5|1015|2",
            "+I a|4|1020|1",
            "+I a|6|1020|2",
            "+I b|NULL|1020|1",
            "+I b|9|1020|2",
            "+I NULL|8|1020|1",
        ],
    ),
    (0, "+I a|11|1020", None, &[]),
    (0, "+I a|11|1015", None, &[]),
    (0, "+I c|12|1055", None, &[]),
    (
        0,
        "+I c|12|1050",
        Some(1046),
        &["+I NULL|8|1025|1", "+I a|10|1030|1", "+I a|10|1035|1"],
    ),
    (0, "+I a|13|1035", None, &[]),
    (0, "+I a|13|1030", None, &[]),
];
const TOP_2_END: &[&str] = &["+I c|12|1050|1", "+I c|12|1055|1"];

#[test]
fn top_2_as_the_reference() {
    let mut lowest = spec(2);
    lowest.sort[0].options = SortOptions {
        descending: false,
        nulls_first: true,
    };
    test(lowest).check_timed(TOP_2, TOP_2_END, &[0, 1, 2, 3]);
}

/// Window dedup, keep last: rows, the watermark in seconds behind them, and what it sets free.
const KEEP_LAST: TimedSteps = &[
    (0, "+I a|1|1000|1010", Some(999), &[]),
    (0, "+I a|2|1003|1010", Some(1002), &[]),
    (0, "+I b|3|1009.999|1010", Some(1008), &[]),
    (0, "+I a|4|1010|1020", Some(1009), &[]),
    (0, "+I a|5|1008|1010", None, &[]),
    (
        0,
        "+I a|6|1011|1020",
        Some(1010),
        &["+I a|5|1008|1010", "+I b|3|1009.999|1010"],
    ),
    (0, "+I b|7|1009.500|1010", None, &[]),
    (0, "+I b|NULL|1012|1020", Some(1011), &[]),
    (0, "+I NULL|8|1015|1020", Some(1014), &[]),
    (0, "+I b|9|1010.001|1020", None, &[]),
    (
        0,
        "+I a|10|1025|1030",
        Some(1024),
        &[
            "+I a|6|1011|1020",
            "+I NULL|8|1015|1020",
            "+I b|NULL|1012|1020",
        ],
    ),
    (0, "+I a|11|1014|1020", None, &[]),
    (0, "+I c|12|1047|1050", Some(1046), &["+I a|10|1025|1030"]),
    (0, "+I a|13|1026|1030", None, &[]),
];
const KEEP_LAST_END: &[&str] = &["+I c|12|1047|1050"];

#[test]
fn deduplication_as_the_reference() {
    let types: &[DataType] = &[STRING, INT, TIMESTAMP, TIMESTAMP];
    let mut last = spec(1);
    last.columns = types.to_vec();
    last.sort[0].column = 2;
    last.window_end = 3;
    last.later_wins = true;
    last.with_number = false;
    let mut test = Harness::new(WindowRank::new(last).unwrap(), &[types]);
    test.check_timed(KEEP_LAST, KEEP_LAST_END, &[0, 1, 2, 3]);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(17);
    let mut steps = Vec::new();
    for at in 0..50_u64 {
        let key = ["a", "b", "NULL"][dice.roll(3) as usize];
        let window = (at / 9 + dice.roll(3)) * 5;
        steps.push(row(0, &format!("+I {key}|{}|{window}", dice.roll(6))));
        if at % 6 == 5 {
            steps.push(Step::Watermark(at as i64 / 2));
        }
    }
    steps.push(Step::Watermark(i64::MAX));
    for later_wins in [false, true] {
        let make = || -> Box<dyn Operator> {
            let mut spec = spec(2);
            spec.later_wins = later_wins;
            Box::new(WindowRank::new(spec).unwrap())
        };
        check_restore(make, &[TYPES], &steps);
    }
}
