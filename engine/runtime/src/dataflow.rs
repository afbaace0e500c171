//! What to run.

use std::sync::Arc;

use millrace_connector::{Names, Projection, SinkSpec, SourceSpec};

use crate::{ChangeForm, TransformFactory};

/// The part of a pipeline that hangs together: it fails, checkpoints and restarts as one.
pub struct Dataflow {
    /// Its name within the file, for people.
    pub name: String,
    /// Its id within the pipeline, given at its first start: part of paths and transactional ids.
    pub id: String,
    /// The names of its deciding group where the record of the generation does not tell them.
    pub names: Option<Names>,
    /// What it reads.
    pub sources: Vec<SourceInput>,
    /// What it writes.
    pub sinks: Vec<SinkInput>,
}

/// A source with what happens to its rows.
pub struct SourceInput {
    /// The table's name, for people.
    pub name: String,
    /// What checkpoints know it by, unique within the dataflow.
    pub key: String,
    /// The source.
    pub spec: Arc<dyn SourceSpec>,
    /// The columns that the branches use.
    pub projection: Projection,
    /// Where its rows go.
    pub branches: Vec<Branch>,
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
