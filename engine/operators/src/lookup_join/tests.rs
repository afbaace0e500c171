use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{Array, Int32Array, StringViewArray};

use super::*;
use crate::testing::{Harness, INT, IntCondition, STRING, Steps};

const TYPES: &[DataType] = &[INT, STRING];

/// USD once, EUR twice; it notes what it is asked for.
#[derive(Clone, Debug, Default)]
struct Rates {
    asked: Arc<Mutex<Vec<String>>>,
}

impl LookupTable for Rates {
    fn lookup(&mut self, keys: &[ArrayRef], count: usize) -> Result<LookedUp, OperatorError> {
        let rates = [("USD", 100), ("EUR", 120), ("EUR", 121)];
        let names = keys[0].as_string_view();
        assert_eq!(names.len(), count);
        let mut answer = (Vec::new(), Vec::new(), Vec::new());
        for (at, name) in names.iter().enumerate() {
            let name = name.expect("NULL is never looked up");
            self.asked.lock().unwrap().push(name.to_owned());
            for (currency, rate) in rates.iter().filter(|(currency, _)| *currency == name) {
                answer.0.push(*currency);
                answer.1.push(*rate);
                answer.2.push(at as u32);
            }
        }
        Ok(LookedUp {
            columns: vec![
                Arc::new(StringViewArray::from(answer.0)),
                Arc::new(Int32Array::from(answer.1)),
            ],
            keys: answer.2,
        })
    }
}

fn spec(is_left_outer: bool) -> (LookupJoinSpec, Rates) {
    let rates = Rates::default();
    let spec = LookupJoinSpec {
        is_left_outer,
        columns: TYPES.to_vec(),
        key: vec![1],
        table_columns: vec![STRING, INT],
        table: Box::new(rates.clone()),
        condition: None,
        cache: None,
    };
    (spec, rates)
}

/// Lookup LEFT.
const LEFT: Steps = &[
    (0, "+I 1|USD", &["+I 1|USD|USD|100"]),
    (0, "+I 2|EUR", &["+I 2|EUR|EUR|120", "+I 2|EUR|EUR|121"]),
    (0, "+I 3|GBP", &["+I 3|GBP|NULL|NULL"]),
    (0, "+I 4|NULL", &["+I 4|NULL|NULL|NULL"]),
];

#[test]
fn left() {
    Harness::new(LookupJoin::new(spec(true).0).unwrap(), &[TYPES]).check_all(LEFT);
    Harness::new(LookupJoin::new(spec(true).0).unwrap(), &[TYPES]).check_all_at_once(LEFT);
}

#[test]
fn with_a_filter_on_the_table() {
    let (mut spec, rates) = spec(false);
    spec.condition = Some(Box::new(IntCondition(|values| Some(values[3]? < 121))));
    let mut test = Harness::new(LookupJoin::new(spec).unwrap(), &[TYPES]);
    test.check_batch(
        0,
        &["+I 1|USD", "-U 2|EUR", "+U 5|EUR", "+I 3|GBP", "+I 4|NULL"],
        &["+I 1|USD|USD|100", "-U 2|EUR|EUR|120", "+U 5|EUR|EUR|120"],
    );
    assert_eq!(*rates.asked.lock().unwrap(), ["USD", "EUR", "GBP"]);
}

#[test]
fn a_cache_answers_until_it_is_too_old_or_full() {
    let (mut spec, rates) = spec(true);
    spec.cache = Some(LookupCacheSpec {
        keys_max: Some(2),
        expire_after_write_ms: Some(5_000),
        expire_after_access_ms: Some(2_000),
        keeps_missing: true,
    });
    let mut test = Harness::new(LookupJoin::new(spec).unwrap(), &[TYPES]);
    let asked = |test: &mut Harness, row: &str, expected: &[&str]| {
        let step = crate::testing::row(0, row);
        test.step(&step).unwrap();
        let mut asked = rates.asked.lock().unwrap();
        assert_eq!(*asked, expected, "behind {row}");
        asked.clear();
    };
    asked(&mut test, "+I 1|GBP", &["GBP"]);
    asked(&mut test, "+I 1|GBP", &[]);
    asked(&mut test, "+I 1|USD", &["USD"]);
    asked(&mut test, "+I 1|GBP", &[]);
    asked(&mut test, "+I 1|EUR", &["EUR"]);
    // USD was asked for the longest time ago.
    asked(&mut test, "+I 1|GBP", &[]);
    asked(&mut test, "+I 1|USD", &["USD"]);
    for seconds in 1..5 {
        test.check_time(1_000_000 + seconds * 1_000, &[]);
        asked(&mut test, "+I 1|USD", &[]);
    }
    test.check_time(1_005_000, &[]);
    asked(&mut test, "+I 1|USD", &["USD"]);
    test.check_time(1_007_000, &[]);
    asked(&mut test, "+I 1|USD", &["USD"]);
}
