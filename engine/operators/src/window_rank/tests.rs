use arrow_schema::SortOptions;

use super::*;
use crate::testing::{Dice, Harness, INT, STRING, Step, TIMESTAMP, check_restore, row};

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
