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

mod batch;
mod graph;
mod operator;
mod rows;

pub use batch::{Batch, Kinds};
pub use graph::{Edge, Graph, GraphBuilder, GraphError, NodeId, SinkPort};
pub use operator::{Context, Operator, OperatorError, Output, Watermark};
pub use rows::{EncodedRows, ROW_FORMAT_VERSION, RowCodec};
