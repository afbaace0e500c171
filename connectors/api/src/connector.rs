//! What a connector offers: named options, and table definitions turned into sources and sinks.

use std::any::Any;
use std::fmt::Debug;
use std::time::Duration;

use crate::sink::{CommitRole, SinkGroup, SinkWriter};
use crate::source::Source;
use crate::{
    Cancel, ConnectorError, Diagnostic, FlinkType, Names, OptionDef, Place, TableDefinition,
};

/// A system that tables can be in. Registered once, by the binary.
///
/// Three steps that are never mixed: *parse and validate* ([`Connector::source`], [`Connector::sink`]: no I/O, this
/// is all that `check` runs) and *open* ([`SourceSpec::open`], [`SinkSpec::open_group`]: I/O).
pub trait Connector: Send + Sync + Debug {
    /// Returns the word after `'connector' =`.
    fn identifier(&self) -> &'static str;

    /// Returns one sentence about it for lists.
    fn summary(&self) -> &'static str;

    /// Returns its options, without those of formats.
    fn options(&self) -> &'static [OptionDef];

    /// Returns `table` as something to read.
    ///
    /// # Errors
    /// Everything that is wrong with the definition.
    fn source(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>>;

    /// Returns `table` as something to write.
    ///
    /// # Errors
    /// Everything that is wrong with the definition.
    fn sink(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>>;
}

/// What validation may depend on besides the table.
#[derive(Clone, Debug)]
pub struct ValidateContext {
    /// `table.local-time-zone`, a name that [`crate::parse_time_zone`] takes.
    pub session_time_zone: String,
}

/// A metadata column that a connector or format has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataKey {
    /// Its key, such as `timestamp`.
    pub key: &'static str,
    /// Its type, as Flink documents it.
    pub ty: FlinkType,
    /// Whether rows written may set it.
    pub writable: bool,
}

/// Which kinds of change a source gives or a sink takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangelogMode {
    /// Only `+I`.
    InsertOnly,
    /// `+I`, `+U`, `-D` by key, without `-U`.
    Upsert,
    /// All four.
    All,
}

/// How often a row reaches the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// Perhaps never, perhaps twice.
    None,
    /// Once or more.
    AtLeastOnce,
    /// Once.
    ExactlyOnce,
}

/// What opening may use.
#[derive(Clone, Debug)]
pub struct OpenContext {
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataflow's id within it.
    pub dataflow: String,
    /// The names that the deciding group had when the generation began; `None` = those of the file hold.
    pub names: Option<Names>,
    /// The slot's number.
    pub slot: u32,
    /// How many lanes there are.
    pub lanes: u32,
    /// Bound on the memory of this connector's queues, in bytes.
    pub buffer_bytes_max: u64,
    /// Whether positions and output are committed by checkpoints (false: `check`-like dry runs and benches).
    pub checkpointing: bool,
    /// The interval between checkpoints.
    pub checkpoint_interval: Duration,
    /// Set when this attempt is over: blocking calls must then return within a second, with any error.
    pub cancel: Cancel,
}

/// Which columns of a source are wanted, as indexes into [`TableDefinition::columns`], in the order in which a
/// batch has them. Physical and metadata columns may mix. A metadata column comes in the type of its [`MetadataKey`],
/// not in the type that the table declares: the program casts. A sink takes its writable metadata in the key's type too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Indexes of wanted columns.
    pub columns: Vec<usize>,
}

/// A validated source: options parsed, nothing opened.
pub trait SourceSpec: Send + Sync + Debug {
    /// Returns the metadata keys that the table may name.
    fn metadata(&self) -> Vec<MetadataKey>;

    /// Returns whether reading ends by itself.
    fn is_bounded(&self) -> bool;

    /// Returns which changes it gives.
    fn changelog_mode(&self) -> ChangelogMode;

    /// Returns what `explain` shows, as name and text.
    fn describe(&self) -> Vec<(String, String)>;

    /// Returns what the user should be told though nothing is wrong, such as options without meaning here.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns where the table is; `None` where a checkpoint could belong to nothing but its name in the file.
    fn place(&self) -> Option<Place> {
        None
    }

    /// Connects. Blocks, with a bounded time.
    ///
    /// # Errors
    /// What the other side or the network said.
    fn open(
        &self,
        projection: &Projection,
        ctx: &OpenContext,
    ) -> Result<Box<dyn Source>, ConnectorError>;
}

/// A validated sink: options parsed, nothing opened.
pub trait SinkSpec: Send + Sync + Debug {
    /// Returns the metadata keys that the table may name.
    fn metadata(&self) -> Vec<MetadataKey>;

    /// Returns what it promises.
    fn guarantee(&self) -> DeliveryGuarantee;

    /// Returns how its group takes part in the decision about an epoch.
    fn role(&self) -> CommitRole;

    /// Returns which changes it takes.
    fn changelog_mode(&self) -> ChangelogMode;

    /// Returns what `explain` shows, as name and text.
    fn describe(&self) -> Vec<(String, String)>;

    /// Returns what the user should be told though nothing is wrong.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns a name that is equal for sinks of a dataflow that commit in one act: they are opened together.
    fn group_key(&self) -> String;

    /// Returns where the table is; `None` where a checkpoint could belong to nothing but its name in the file.
    fn place(&self) -> Option<Place> {
        None
    }

    /// Returns the names that this group should have at the other side, given those that it has: what is not a matter of
    /// the file stays. Only for [`CommitRole::Decides`].
    fn names(
        &self,
        _members: &[&dyn SinkSpec],
        _ctx: &OpenContext,
        _recorded: Option<&Names>,
    ) -> Option<Names> {
        None
    }

    /// Returns itself as a sink that decides, to settle under recorded names what it decided before the file was changed.
    fn as_decider(&self) -> Option<Box<dyn SinkSpec>> {
        None
    }

    /// Returns itself for [`SinkSpec::open_group`] of a sibling.
    fn as_any(&self) -> &dyn Any;

    /// Returns a writer that does the work of a lane up to the network and throws the result away, to be measured;
    /// `None` where there is nothing to measure.
    ///
    /// # Errors
    /// A writer that cannot be made.
    fn rehearsal(&self) -> Result<Option<Box<dyn SinkWriter>>, ConnectorError> {
        Ok(None)
    }

    /// Connects all sinks of one group, this one first among them. Blocks, with a bounded time.
    ///
    /// # Errors
    /// What the other side or the network said.
    fn open_group(
        &self,
        members: &[&dyn SinkSpec],
        ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError>;
}
