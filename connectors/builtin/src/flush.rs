//! The group of a sink that has nothing to commit.

use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{ConnectorError, Diagnostic, Epoch, LaneId, TableDefinition};

/// Makes writers; epochs come and go without a trace.
#[derive(Debug)]
pub struct FlushGroup<F> {
    make: F,
}

impl<F> FlushGroup<F>
where
    F: Fn(LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> + Send,
{
    /// Returns the group whose writers `make` makes.
    pub fn new(make: F) -> Self {
        Self { make }
    }
}

impl<F> SinkGroup for FlushGroup<F>
where
    F: Fn(LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> + Send,
{
    fn role(&self) -> CommitRole {
        CommitRole::Flushes
    }

    fn fence(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(None)
    }

    fn writer(
        &mut self,
        _member: usize,
        lane: LaneId,
    ) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        (self.make)(lane)
    }

    fn begin(&mut self, _epoch: Epoch) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Committable, ConnectorError> {
        Ok(Committable::default())
    }

    fn commit(
        &mut self,
        _epoch: Epoch,
        _committable: &Committable,
        _mark: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        Ok(CommitOutcome::Committed)
    }

    fn discard(
        &mut self,
        _epoch: Epoch,
        _committable: Option<&Committable>,
    ) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// Says that a connector can only be used the other way round.
pub(crate) fn only_sink(table: &TableDefinition, connector: &str) -> Vec<Diagnostic> {
    vec![
        Diagnostic::error(
            "MR0106",
            format!("connector '{connector}' can only be written to"),
            table
                .option("connector")
                .map_or(table.options_span, |option| option.span),
        )
        .label("read by a query"),
    ]
}

/// Says that a connector can only be read.
pub(crate) fn only_source(table: &TableDefinition, connector: &str) -> Vec<Diagnostic> {
    vec![
        Diagnostic::error(
            "MR0106",
            format!("connector '{connector}' can only be read"),
            table
                .option("connector")
                .map_or(table.options_span, |option| option.span),
        )
        .label("written by an INSERT"),
    ]
}
