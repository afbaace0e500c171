use super::*;
use crate::testing::{Harness, INT, Step, TIMESTAMP, check_restore, row};

fn spec(interval_ms: i64) -> WatermarkSpec {
    WatermarkSpec {
        rowtime: 1,
        watermark: 2,
        columns: 2,
        interval_ms,
    }
}

const TYPES: &[arrow_schema::DataType] = &[INT, TIMESTAMP, TIMESTAMP];

#[test]
fn goes_behind_each_row_that_raises_it() {
    let mut test = Harness::new(WatermarkAssigner::new(spec(0)), &[TYPES]);
    test.check(0, "+I 1|10|9", &["+I 1|10", "W 9"]);
    test.check(0, "+I 2|5|4", &["+I 2|5"]);
    test.check(0, "+I 3|11|NULL", &["+I 3|11"]);
    test.check_batch(
        0,
        &["+I 4|11|10", "+I 5|3|2", "-D 6|21|20", "+I 7|1|0"],
        &["+I 4|11", "W 10", "+I 5|3", "-D 6|21", "W 20", "+I 7|1"],
    );
    test.check_watermark(i64::MAX, &[]);
}

#[test]
fn times_before_1970_give_none() {
    let mut test = Harness::new(WatermarkAssigner::new(spec(0)), &[TYPES]);
    test.check(0, "+I 1|-10|-10", &["+I 1|-10"]);
    test.check(0, "+I 1|0|0", &["+I 1|0"]);
}

#[test]
fn a_null_rowtime_is_an_error_with_its_row() {
    let mut test = Harness::new(WatermarkAssigner::new(spec(0)), &[TYPES]);
    let rows = Step::Rows(0, vec!["+I 1|1|1".into(), "+I 2|NULL|1".into()]);
    let error = test.step(&rows).unwrap_err();
    assert!(matches!(error, OperatorError::Row { row: 1, .. }));
}

#[test]
fn with_an_interval_it_goes_by_the_clock_or_by_a_long_step() {
    let mut test = Harness::new(WatermarkAssigner::new(spec(5_000)), &[TYPES]);
    test.check(0, "+I 1|3|3", &["+I 1|3"]);
    test.check_time(1_004_999, &[]);
    test.check_time(1_005_000, &["W 3"]);
    test.check(0, "+I 1|8|8", &["+I 1|8"]);
    test.check(0, "+I 1|9|9", &["+I 1|9", "W 9"]);
    test.check_time(1_010_000, &[]);
}

#[test]
fn keeps_the_greatest_over_a_restart() {
    let steps = ["+I 1|10|9", "+I 2|5|4", "+I 3|8|7", "+I 4|12|11"];
    let steps: Vec<_> = steps.iter().map(|step| row(0, step)).collect();
    check_restore(
        || Box::new(WatermarkAssigner::new(spec(0))),
        &[TYPES],
        &steps,
    );
}
