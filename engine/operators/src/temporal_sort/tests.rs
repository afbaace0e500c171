use arrow_schema::SortOptions;

use super::*;
use crate::testing::{Dice, Harness, INT, STRING, Step, TIMESTAMP, TimedSteps, check_restore, row};

const TYPES: &[DataType] = &[STRING, INT, TIMESTAMP];

fn operator() -> TemporalSort {
    TemporalSort::new(TemporalSortSpec {
        columns: TYPES.to_vec(),
        rowtime: 2,
        sort: vec![SortColumn {
            column: 1,
            options: SortOptions {
                descending: true,
                nulls_first: false,
            },
        }],
    })
    .unwrap()
}

#[test]
fn rows_come_in_order_when_their_time_has_come() {
    let mut test = Harness::new(operator(), &[TYPES]);
    test.check(0, "+I b|3|1", &[]);
    test.check(0, "+I a|1|3", &[]);
    test.check(0, "+I c|2|1", &[]);
    test.check(0, "+I d|3|1", &[]);
    test.check(0, "+I e|NULL|1", &[]);
    test.check_watermark(2, &["+I b|3|1", "+I d|3|1", "+I c|2|1", "+I e|NULL|1"]);
    // Not later than the last that came out, so it is late; a later one waits, though the watermark has passed it.
    test.check(0, "+I f|1|1", &[]);
    test.check(0, "+I g|1|2", &[]);
    test.check_watermark(3, &["+I g|1|2", "+I a|1|3"]);
    assert_eq!(test.operator().late_rows(), 1);
}

/// Order by time, then a column.
const BY_TIME: TimedSteps = &[
    (0, "+I b|3|1001", Some(999), &[]),
    (0, "+I a|1|1003", Some(1001), &["+I b|3|1001"]),
    (0, "+I NULL|2|1002", None, &[]),
    (
        0,
        "+I c|NULL|1006",
        Some(1004),
        &["+I NULL|2|1002", "+I a|1|1003"],
    ),
    (0, "+I b|2|1005", None, &[]),
    (0, "+I B|9|1001", None, &[]),
    (0, "+I a|1|1005.500", None, &[]),
    (
        0,
        "+I aa|5|1012",
        Some(1010),
        &["+I b|2|1005", "+I a|1|1005.500", "+I c|NULL|1006"],
    ),
];
const BY_TIME_END: &[&str] = &["+I aa|5|1012"];

#[test]
fn sorts_as_the_reference() {
    let mut test = Harness::new(operator(), &[TYPES]);
    test.check_timed(BY_TIME, BY_TIME_END, &[0, 1, 2]);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(13);
    let mut steps = Vec::new();
    for at in 0..40 {
        steps.push(row(
            0,
            &format!("+I a{at}|{}|{}", dice.roll(3), at / 2 + dice.roll(9) as i64),
        ));
        if at % 4 == 3 {
            steps.push(Step::Watermark(at / 2));
        }
    }
    check_restore(|| Box::new(operator()), &[TYPES], &steps);
}
