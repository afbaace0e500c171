//! Cases of Flink for aggregates without a window, and how batches and mini-batches differ from them.

use super::*;
use crate::cases::{Case, read};
use crate::testing::{Dice, Harness, INT, STRING, Step, check_restore};

fn operator(case: &Case, emit: Emit) -> Box<dyn Operator> {
    let keys = case.indexes("keys");
    let key_types = keys
        .iter()
        .map(|key| millrace_connector::physical::arrow_type(&case.input[*key].kind));
    let spec = GroupAggregateSpec {
        key_types: key_types.collect(),
        keys,
        aggregates: case.calls(),
        retract: case.flag("retract"),
        update_before: true,
        ttl: case.number("ttl_ms").map(|ms| Ttl { ms }),
        emit,
        bounded: false,
    };
    Box::new(GroupAggregate::new(spec).unwrap())
}

#[test]
fn answers_as_flink_does() {
    for case in read(include_str!("cases.jsonl")) {
        case.check(&|| operator(&case, Emit::EachRow));
    }
}

#[test]
fn a_batch_of_one_row_is_that_row() {
    for case in read(include_str!("cases.jsonl")) {
        case.check(&|| operator(&case, Emit::EachBatch));
    }
}

const CALLS: &[(&str, bool)] = &[
    ("COUNT", false),
    ("SUM", false),
    ("AVG", false),
    ("MIN", false),
    ("MAX", false),
    ("COUNT", true),
    ("SUM", true),
    ("FIRST_VALUE", false),
    ("LAST_VALUE", false),
    ("VAR_POP", false),
];

/// The functions over column 1, an INT, by column 0, a STRING.
fn by_key(retract: bool, emit: Emit) -> GroupAggregate {
    let arg = millrace_functions::Arg {
        ty: millrace_connector::TypeKind::Int.nullable(),
        literal: None,
    };
    let aggregates = CALLS.iter().map(|(name, distinct)| {
        let call = millrace_functions::aggregate::AggregateCall {
            name,
            args: std::slice::from_ref(&arg),
            distinct: *distinct,
            may_be_empty: false,
            retract,
            over: false,
            bounded: false,
            absent_on_null: None,
        };
        let bound = millrace_functions::aggregate::bind(&call).unwrap();
        AggregateSpec {
            aggregate: bound.aggregate,
            columns: vec![1],
            filter: None,
        }
    });
    let spec = GroupAggregateSpec {
        keys: vec![0],
        key_types: vec![STRING],
        aggregates: aggregates.collect(),
        retract,
        update_before: true,
        ttl: None,
        emit,
        bounded: false,
    };
    GroupAggregate::new(spec).unwrap()
}

/// Rows in batches: insertions, and rows of those taken back if `retract` says so.
fn steps(seed: u64, retract: bool) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut there: Vec<String> = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..20 {
        let rows = (0..=dice.roll(5)).map(|_| {
            if retract && !there.is_empty() && dice.roll(5) < 2 {
                let place = dice.roll(there.len() as u64);
                let row = there.remove(usize::try_from(place).unwrap());
                return format!("-D {row}");
            }
            let value = match dice.roll(6) {
                0 => "NULL".to_owned(),
                value => value.to_string(),
            };
            let row = format!("{}|{value}", ["a", "b", "NULL"][dice.roll(3) as usize]);
            there.push(row.clone());
            format!("+I {row}")
        });
        steps.push(Step::Rows(0, rows.collect()));
    }
    steps
}

/// Applies changes to a table.
fn apply(table: &mut Vec<String>, changes: &[String]) {
    for change in changes {
        let Some((kind, row)) = change.split_once(' ') else {
            continue;
        };
        match kind {
            "+I" | "+U" => table.push(row.to_owned()),
            "-U" | "-D" => {
                let place = table.iter().position(|other| other == row);
                table.remove(place.unwrap_or_else(|| panic!("{row} was never there")));
            }
            _ => {}
        }
    }
    table.sort();
}

#[test]
fn a_snapshot_at_any_point_changes_nothing() {
    for seed in 0..8 {
        let retract = seed % 2 == 0;
        let emit = if seed < 4 {
            Emit::EachRow
        } else {
            Emit::EachBatch
        };
        let make = || Box::new(by_key(retract, emit)) as Box<dyn Operator>;
        check_restore(make, &[&[STRING, INT]], &steps(seed, retract));
    }
}

#[test]
fn however_changes_go_out_the_table_is_the_same() {
    for seed in 0..30 {
        let retract = seed % 2 == 0;
        let latency = Emit::MiniBatch {
            rows_max: 7,
            latency_ms: 1_000,
        };
        let mut tables = Vec::new();
        for emit in [Emit::EachRow, Emit::EachBatch, latency] {
            let mut test = Harness::new(by_key(retract, emit), &[&[STRING, INT]]);
            let mut table = Vec::new();
            for step in steps(seed, retract) {
                apply(&mut table, &test.step(&step).unwrap());
            }
            apply(&mut table, &test.step(&Step::Watermark(i64::MAX)).unwrap());
            tables.push(table);
        }
        assert_eq!(tables[0], tables[1], "seed {seed}");
        assert_eq!(tables[0], tables[2], "seed {seed}");
    }
}

#[test]
fn a_mini_batch_goes_out_when_it_is_full_or_old() {
    let emit = Emit::MiniBatch {
        rows_max: 3,
        latency_ms: 1_000,
    };
    let case = r#"{"name":"counts","input":["VARCHAR(2147483647)"],"output":["VARCHAR(2147483647)","BIGINT NOT NULL"],
        "keys":[0],"calls":[{"name":"COUNT","args":[]}]}"#;
    let case = &read(&case.replace('\n', " "))[0];
    let operator = {
        let keys = case.indexes("keys");
        GroupAggregate::new(GroupAggregateSpec {
            key_types: case.key_types(),
            keys,
            aggregates: case.calls(),
            retract: false,
            update_before: false,
            ttl: None,
            emit,
            bounded: false,
        })
        .unwrap()
    };
    let mut test = Harness::new(operator, &[&[STRING]]);
    test.check(0, "+I a", &[]);
    test.check_time(1_000_999, &[]);
    test.check_time(1_001_000, &["+I a|1"]);
    test.check_batch(0, &["+I a", "+I b"], &[]);
    test.check(0, "+I a", &["+U a|3", "+I b|1"]);
    test.check(0, "+I b", &[]);
    test.check_watermark(1, &["+U b|2"]);
}
