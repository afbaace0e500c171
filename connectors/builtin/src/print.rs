//! `print`: writes each row as a line to standard output or standard error.

use std::any::Any;
use std::io::Write;

use millrace_connector::sink::{CommitRole, SinkBatch, SinkGroup, SinkWriter, Written};
use millrace_connector::{
    ChangelogMode, ColumnKind, Connector, ConnectorError, DeliveryGuarantee, Diagnostic, ErrorKind,
    FlinkType, LaneId, MetadataKey, OpenContext, OptionDef, OptionKind, Retry, RowKind, SinkSpec,
    SourceSpec, TableDefinition, ValidateContext, check_options,
};

use crate::flush::{FlushGroup, only_sink};
use crate::row_text::write_row;

static OPTIONS: &[OptionDef] = &[
    OptionDef {
        required: true,
        ..OptionDef::text("connector", "which connector: 'print'")
    },
    OptionDef::text(
        "print-identifier",
        "what each line begins with, before '> '",
    ),
    OptionDef {
        kind: OptionKind::Boolean,
        default: Some("false"),
        ..OptionDef::text("standard-error", "whether lines go to standard error")
    },
    OptionDef {
        kind: OptionKind::Positive,
        ..OptionDef::text(
            "sink.parallelism",
            "accepted; lanes follow 'parallelism.default'",
        )
    },
];

/// The `print` connector.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrintConnector;

impl Connector for PrintConnector {
    fn identifier(&self) -> &'static str {
        "print"
    }

    fn summary(&self) -> &'static str {
        "writes each row as a line to standard output"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn source(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        Err(only_sink(table, "print"))
    }

    fn sink(
        &self,
        table: &TableDefinition,
        _ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        let definitions: Vec<_> = OPTIONS
            .iter()
            .map(|def| (def.key.to_owned(), *def))
            .collect();
        let options = check_options(table, &definitions, "print")?;
        let columns = table.columns.iter().filter(|column| match &column.kind {
            ColumnKind::Physical => true,
            ColumnKind::Metadata { is_virtual, .. } => !is_virtual,
            ColumnKind::Computed => false,
        });
        Ok(Box::new(PrintSpec {
            table: table.name.value.clone(),
            identifier: options
                .text("print-identifier")
                .unwrap_or_default()
                .to_owned(),
            to_error: options.boolean("standard-error"),
            types: columns.map(|column| column.ty.clone()).collect(),
        }))
    }
}

#[derive(Clone, Debug)]
struct PrintSpec {
    table: String,
    identifier: String,
    to_error: bool,
    types: Vec<FlinkType>,
}

impl SinkSpec for PrintSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }

    fn role(&self) -> CommitRole {
        CommitRole::Flushes
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::All
    }

    fn describe(&self) -> Vec<(String, String)> {
        let to = if self.to_error {
            "standard error"
        } else {
            "standard output"
        };
        vec![("to".into(), to.into())]
    }

    fn group_key(&self) -> String {
        format!("print table {}", self.table)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open_group(
        &self,
        _members: &[&dyn SinkSpec],
        ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        let (spec, lanes) = (self.clone(), ctx.lanes);
        Ok(Box::new(FlushGroup::new(move |lane| {
            Ok(Box::new(Printer {
                spec: spec.clone(),
                prefix: spec.prefix(lane, lanes),
                lines: Vec::new(),
            }))
        })))
    }
}

impl PrintSpec {
    /// # Flink
    /// `PrintSinkOutputWriter`: `identifier:lane> `, without what is not there; lanes count from 1.
    fn prefix(&self, lane: LaneId, lanes: u32) -> String {
        match (self.identifier.is_empty(), lanes > 1) {
            (true, false) => String::new(),
            (true, true) => format!("{}> ", lane.0 + 1),
            (false, false) => format!("{}> ", self.identifier),
            (false, true) => format!("{}:{}> ", self.identifier, lane.0 + 1),
        }
    }
}

struct Printer {
    spec: PrintSpec,
    prefix: String,
    lines: Vec<u8>,
}

impl SinkWriter for Printer {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        self.lines.clear();
        for row in 0..rows.rows {
            self.lines.extend_from_slice(self.prefix.as_bytes());
            let kind = rows.kinds.map_or(RowKind::Insert, |kinds| kinds[row]);
            write_row(kind, &self.spec.types, rows.columns, row, &mut self.lines);
            self.lines.push(b'\n');
        }
        let written = if self.spec.to_error {
            std::io::stderr().lock().write_all(&self.lines)
        } else {
            let mut out = std::io::stdout().lock();
            out.write_all(&self.lines).and_then(|()| out.flush())
        };
        written.map_err(|error| {
            ConnectorError::new(ErrorKind::Rejected, Retry::Never, "cannot print").caused_by(error)
        })?;
        Ok(Written {
            records: rows.rows as u64,
            bytes: self.lines.len() as u64,
            ..Written::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_connector::TypeKind;

    #[test]
    fn lines_begin_as_flinks_do() {
        let mut spec = PrintSpec {
            table: "t".into(),
            identifier: String::new(),
            to_error: false,
            types: vec![TypeKind::Int.nullable()],
        };
        assert_eq!(spec.prefix(LaneId(0), 1), "");
        assert_eq!(spec.prefix(LaneId(0), 2), "1> ");
        spec.identifier = "x".into();
        assert_eq!(spec.prefix(LaneId(1), 1), "x> ");
        assert_eq!(spec.prefix(LaneId(1), 2), "x:2> ");
    }
}
