//! Flink's aggregate functions: typing rules, and states of many groups that are folded batch by batch.
//!
//! Start from [`bind`] (a call becomes a [`BoundAggregate`]), then [`Aggregate::state`] and [`AggregateState`].
//! It knows no operator and no key: a group is a dense number that an operator gives to its keys.

mod average;
mod call;
mod chosen;
mod codec;
mod collect;
mod count;
mod counted;
mod dense;
mod distinct;
mod edge;
mod json_agg;
mod kept;
mod lag;
mod list_agg;
mod ranked;
mod ranking;
mod single;
mod state;
mod sum;
mod variance;

pub use call::{AggregateCall, BoundAggregate, bind, is_aggregate};
pub use ranking::{Partitions, Ranking, shifted};
pub use state::{Aggregate, AggregateState, EntryVisitor, Rows, Trace};
