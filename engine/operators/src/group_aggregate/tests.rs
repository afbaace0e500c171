//! Cases of Flink for aggregates without a window, and how batches and mini-batches differ from them.

use super::*;
use crate::cases::{Case, read};

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
