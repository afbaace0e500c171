//! Operators: what happens to rows between a source and a sink, with state or without, one folder each.
//!
//! An operator is synchronous and knows no thread, no clock and no I/O, so a test of one is a list of steps.
//! Start from [`Operator`] (what one is), [`Batch`] (what goes in and comes out) and [`Graph`] (how several are joined).
//!
//! ```text
//!  lane:   batch ──► Graph ──► operator ──► operator ──► sink
//!          watermark ──►  (minimum over an operator's inputs)  ──► operator ──► …
//!          barrier: nothing is in flight between two calls, so a snapshot of every operator is a consistent one
//! ```

mod aggregates;
mod batch;
#[cfg(test)]
mod cases;
mod changelog_normalize;
mod columns;
mod condition;
mod deduplicate;
mod drop_update_before;
mod emit;
mod expand;
mod graph;
mod group_aggregate;
mod group_window;
mod groups;
mod index;
mod interval_join;
mod join;
mod keyed_map;
mod keyed_sorted;
mod keyed_value;
mod lookup_join;
mod operator;
mod over_aggregate;
mod over_all;
mod pair_output;
mod progress;
mod rank;
mod replicate;
mod rows;
mod sink_materialize;
mod sort_all;
mod stored;
mod temporal_join;
mod temporal_sort;
#[cfg(test)]
mod testing;
mod timed_rows;
mod timers;
mod ttl;
mod watermark;
mod window_aggregate;
mod window_join;
mod window_rank;
mod window_table;
mod window_time;
mod windows;

pub use aggregates::AggregateSpec;
pub use batch::{Batch, Kinds};
pub use changelog_normalize::{ChangelogNormalize, ChangelogNormalizeSpec};
pub use condition::JoinCondition;
pub use deduplicate::{Deduplicate, DeduplicateSpec};
pub use drop_update_before::DropUpdateBefore;
pub use expand::{Expand, ExpandColumn, ExpandSpec};
pub use graph::{Edge, Graph, GraphBuilder, GraphError, NodeId, SinkPort};
pub use group_aggregate::{Emit, GroupAggregate, GroupAggregateSpec};
pub use group_window::{Firing, GroupWindow, GroupWindowSpec, GroupWindows, WindowEmit};
pub use interval_join::{IntervalJoin, IntervalJoinSpec, IntervalSideSpec};
pub use join::{Join, JoinKind, JoinSideSpec, JoinSpec, UniqueKey};
pub use lookup_join::{LookedUp, LookupCacheSpec, LookupJoin, LookupJoinSpec, LookupTable};
pub use operator::{Context, Operator, OperatorError, Output, Watermark};
pub use over_aggregate::{OverAggregate, OverAggregateSpec, OverFrame};
pub use over_all::{FrameEdge, OverAll, OverAllCall, OverAllFrame, OverAllSpec};
pub use rank::{Rank, RankEnd, RankSpec, RankStrategy, SortColumn};
pub use replicate::Replicate;
pub use rows::{EncodedRows, ROW_FORMAT_VERSION, RowCodec};
pub use sink_materialize::{SinkMaterialize, SinkMaterializeSpec};
pub use sort_all::{SortAll, SortAllSpec};
pub use temporal_join::{TemporalJoin, TemporalJoinSpec, TemporalSideSpec};
pub use temporal_sort::{TemporalSort, TemporalSortSpec};
pub use ttl::Ttl;
pub use watermark::{WatermarkAssigner, WatermarkSpec};
pub use window_aggregate::{WindowAggregate, WindowAggregateSpec, WindowTime};
pub use window_join::{WindowJoin, WindowJoinSpec, WindowSideSpec};
pub use window_rank::{WindowRank, WindowRankSpec};
pub use window_table::{WindowTable, WindowTableSpec};
pub use window_time::WindowProperty;
pub use windows::{
    Window, WindowAssigner, instant_ms, is_window_over, timer_ms, wall_ms, window_start,
};
