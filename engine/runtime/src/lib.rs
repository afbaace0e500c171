//! Runs dataflows: lanes that read, transform and write; a coordinator that ends epochs and commits them; restarts.
//!
//! It knows connectors only by their traits, programs only as [`Transform`], operators only as a
//! [`Graph`](millrace_operators::Graph), and time only as [`Clock`]. Start from [`Dataflow`] (what to run) and [`run`].
//!
//! ```text
//!  coordinator (one thread a dataflow)          lanes (one thread for each source and degree of parallelism)
//!  ─ Assign(splits) ───────────────────────────►  poll ─► transform ─► write, batch after batch
//!  ─ Barrier ──────────────────────────────────►  stops between two batches
//!  ◄─────────────────────── AtBarrier(positions)
//!    commit_epoch, begin(next)
//!  ─ Resume ───────────────────────────────────►  goes on
//! ```

mod attempt;
mod changelog;
mod clock;
mod coordinator;
mod dataflow;
mod error;
mod lane;
mod options;
mod replay;
mod rescale;
mod restart;
mod snapshot;
mod stages;
mod state;
mod status;
mod transform;
mod watermark;

pub use changelog::ChangeForm;
pub use clock::{Clock, SystemClock};
pub use coordinator::{End, run};
pub use dataflow::{
    Branch, Dataflow, GraphFactory, NodeInput, NodeState, Operators, SinkInput, SourceInput,
};
pub use error::RunError;
pub use options::{OperatorOptions, RestartStrategy, RuntimeOptions};
pub use rescale::{Rescaled, rescale};
pub use stages::{Stage, StageTime, StageTimes};
pub use status::{DataflowStatus, OperatorStatus, Phase, StateFigures, StatusSnapshot};
pub use transform::{Transform, TransformFactory, Transformed};
