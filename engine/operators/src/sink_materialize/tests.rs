use super::*;
use crate::testing::{Dice, Harness, INT, STRING, check_restore, row};

const TYPES: &[DataType] = &[INT, STRING, INT];

fn operator(key: usize, input_key: Option<Vec<usize>>) -> SinkMaterialize {
    SinkMaterialize::new(SinkMaterializeSpec {
        columns: TYPES.to_vec(),
        key: vec![key],
        input_key,
        ttl: None,
    })
    .unwrap()
}

/// The reference: a changelog without a key into a sink keyed by the second column.
#[test]
fn the_last_row_that_stands_is_shown() {
    let mut test = Harness::new(operator(1, None), &[TYPES]);
    let steps: &[(&str, &[&str])] = &[
        ("+I 1|a|10", &["+I 1|a|10"]),
        ("+I 2|a|20", &["+U 2|a|20"]),
        ("-U 1|a|10", &[]),
        ("+U 1|b|10", &["+I 1|b|10"]),
        ("-D 2|a|20", &["-D 2|a|20"]),
        ("+I 3|a|30", &["+I 3|a|30"]),
        ("+I 4|a|40", &["+U 4|a|40"]),
        ("-D 4|a|40", &["+U 3|a|30"]),
        ("-U 3|a|30", &["-D 3|a|30"]),
        ("+U 3|b|31", &["+U 3|b|31"]),
        ("-D 1|b|10", &[]),
        ("-D 3|b|31", &["-D 3|b|31"]),
        ("-D 3|b|31", &[]),
    ];
    for (given, expected) in steps {
        test.check(0, given, expected);
    }
    assert_eq!(test.operator().size().0, 0);
}

/// The reference: a changelog keyed by id, its old rows dropped, into a sink of the same key.
#[test]
fn a_row_of_the_same_input_key_takes_the_place() {
    let mut test = Harness::new(operator(0, Some(vec![0])), &[TYPES]);
    test.check(0, "+I 1|a|10", &["+I 1|a|10"]);
    test.check(0, "+U 1|b|10", &["+U 1|b|10"]);
    test.check(0, "-D 1|b|10", &["-D 1|b|10"]);
    test.check(0, "+I 5|NULL|1", &["+I 5|NULL|1"]);
    test.check(0, "+U 5|NULL|2", &["+U 5|NULL|2"]);
}

#[test]
fn goes_on_from_a_snapshot() {
    let mut dice = Dice::new(3);
    let mut steps = Vec::new();
    for _ in 0..70 {
        let kind = ["+I", "+U", "-U", "-D"][dice.roll(4) as usize];
        let (id, key, value) = (dice.roll(4), dice.roll(3), dice.roll(2));
        steps.push(row(0, &format!("{kind} {id}|{key}|{value}")));
    }
    for input_key in [None, Some(vec![0])] {
        let make = || Box::new(operator(1, input_key.clone())) as Box<dyn Operator>;
        check_restore(make, &[TYPES], &steps);
    }
}
