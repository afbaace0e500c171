//! Which pipeline is shown, and what its text names.

use clap::ValueEnum;

use super::generator::FilebeatEvents;

/// A pipeline of `sql-examples` that runs without any service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// Game logs from one topic to another
    Filebeat,
    /// A money log cut into 44 columns, into Doris
    Moneyflow,
}

impl Scene {
    /// Returns the pipeline's text.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Filebeat => {
                include_str!("../../../../sql-examples/filebeat_sync/pipeline.sql")
            }
            Self::Moneyflow => {
                include_str!("../../../../sql-examples/dwd_moneyflow/pipeline.sql")
            }
        }
    }

    /// Returns where the text stands.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Filebeat => "sql-examples/filebeat_sync/pipeline.sql",
            Self::Moneyflow => "sql-examples/dwd_moneyflow/pipeline.sql",
        }
    }

    /// Returns the topic that the text reads.
    pub(crate) fn topic(self) -> &'static str {
        match self {
            Self::Filebeat => "ro_sea_tlog",
            Self::Moneyflow => "ro_sea_tlog_split_moneyflow",
        }
    }

    /// Returns the consumer group that the text names.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Filebeat => "streamx-ro-sea-total",
            Self::Moneyflow => "flinksql_kafka_in_moneyflow_v2",
        }
    }

    /// Returns what it does with columns.
    pub(crate) fn columns(self) -> &'static str {
        match self {
            Self::Filebeat => "11 columns decoded, 13 written",
            Self::Moneyflow => "5 columns decoded, 44 written",
        }
    }

    /// Writes the next event over `event`; returns its time.
    pub(crate) fn next(self, events: &mut FilebeatEvents, event: &mut String) -> i64 {
        match self {
            Self::Filebeat => events.next(event),
            Self::Moneyflow => events.next_moneyflow(event),
        }
    }
}
