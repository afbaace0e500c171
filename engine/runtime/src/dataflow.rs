//! What to run.

use std::sync::Arc;

use millrace_connector::{Projection, SinkSpec, SourceSpec};
use millrace_operators::Graph;
use millrace_state::Fingerprint;

use crate::{ChangeForm, TransformFactory};

/// The part of a pipeline that hangs together: it fails, checkpoints and restarts as one.
pub struct Dataflow {
    /// Its name within the pipeline; part of paths and transactional ids, so it must not change from run to run.
    pub name: String,
    /// What it reads.
    pub sources: Vec<SourceInput>,
    /// What it writes.
    pub sinks: Vec<SinkInput>,
    /// What lies between them where rows meet: joins, aggregates, windows. `None` = each row goes its own way, by the
    /// branches of its source.
    pub operators: Option<Operators>,
}

/// The operators of a dataflow. One lane reads all of its sources and drives one graph.
pub struct Operators {
    /// Makes the graph. Its sources and sinks are those of the dataflow, by number; each source gives the columns of its
    /// projection, each sink takes its persisted columns.
    pub graph: GraphFactory,
    /// What each node of the graph is, by its number.
    pub nodes: Vec<NodeInput>,
    /// Which changes each sink of the dataflow gets, by its number.
    pub changes: Vec<ChangeForm>,
}

/// Makes the operators of a lane.
pub type GraphFactory = Arc<dyn Fn() -> Graph + Send + Sync>;

/// What a node of the graph is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInput {
    /// Its name for people, such as `GroupAggregate[3]`: a label of metrics.
    pub name: String,
    /// What its state is; `None` = it keeps none.
    pub state: Option<NodeState>,
}

/// What the state of a node is, so that a checkpoint can tell whether it is this node's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its id: unique within the dataflow, and the same each time the same file is planned.
    pub id: String,
    /// Its structure. Another one cannot use the state.
    pub fingerprint: Fingerprint,
    /// How long an entry lives after its last change, in milliseconds; 0 = for ever.
    pub ttl_ms: u64,
}

/// A source with what happens to its rows.
pub struct SourceInput {
    /// The table's name, unique within the dataflow.
    pub name: String,
    /// The source.
    pub spec: Arc<dyn SourceSpec>,
    /// The columns that are used.
    pub projection: Projection,
    /// Where its rows go. Empty where the dataflow has operators: then the graph says it.
    pub branches: Vec<Branch>,
    /// Gives the watermark that each row stands for: one column, a TIMESTAMP or TIMESTAMP_LTZ. `None` = the table has no
    /// watermark. Only where the dataflow has operators.
    pub watermark: Option<TransformFactory>,
}

/// One way from a source to a sink.
pub struct Branch {
    /// The program.
    pub transform: TransformFactory,
    /// Index into [`Dataflow::sinks`].
    pub sink: usize,
    /// Which changes the sink gets.
    pub changes: ChangeForm,
}

/// A sink.
pub struct SinkInput {
    /// The table's name.
    pub name: String,
    /// The sink.
    pub spec: Arc<dyn SinkSpec>,
}

impl std::fmt::Debug for Dataflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataflow")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
