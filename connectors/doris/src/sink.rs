//! A validated sink table: what it promises and how it is opened.

use std::any::Any;
use std::sync::Arc;

use millrace_connector::sink::{CommitRole, SinkGroup};
use millrace_connector::{
    ChangelogMode, ConnectorError, DeliveryGuarantee, MetadataKey, OpenContext, Place, SinkSpec,
};

use crate::body::{BodyEncoder, DELETE_SIGN};
use crate::client::Headers;
use crate::form::RowForm;
use crate::group::DorisSinkGroup;
use crate::member::Member;
use crate::settings::{BadRows, BodyFormat, Compression, Settings};
use crate::tls::Trust;

/// Doris's bounds on the header `timeout`.
const TIMEOUT_SECONDS_MIN: u64 = 3600;
const TIMEOUT_SECONDS_MAX: u64 = 259_200;

/// A validated sink table.
#[derive(Clone, Debug)]
pub(crate) struct DorisSinkSpec {
    pub(crate) name: String,
    pub(crate) primary_key: Vec<String>,
    pub(crate) settings: Settings,
    pub(crate) form: RowForm,
}

impl DorisSinkSpec {
    /// Returns the headers of loads into the table, without their label.
    pub(crate) fn headers(&self, has_sign: bool, ctx: &OpenContext) -> Headers {
        let settings = &self.settings;
        let names = self.form.declared().iter().map(|(name, _)| name.as_str());
        let mut columns = settings.columns.clone().unwrap_or_else(|| quoted(names));
        if has_sign && !columns.contains(DELETE_SIGN) {
            columns = format!("{columns},`{DELETE_SIGN}`");
        }
        let mut headers = form_headers(&settings.format, settings.compression);
        headers.push(("columns".to_owned(), columns));
        headers.extend(common_headers(settings, ctx));
        let is_there = |name: &str, headers: &Headers| headers.iter().any(|(set, _)| set == name);
        for (name, value) in &settings.headers {
            if is_there(name, &headers) {
                headers.retain(|(set, _)| set != name);
            }
            headers.push((name.clone(), value.clone()));
        }
        headers
    }
}

/// Returns the headers of loads into a dead-letter table.
pub(crate) fn letter_headers(settings: &Settings, ctx: &OpenContext) -> Headers {
    let mut headers = form_headers(&BodyFormat::Json, Compression::None);
    let names = crate::bad_rows::DEAD_LETTER_COLUMNS.iter();
    headers.push(("columns".to_owned(), quoted(names.map(|(name, _)| *name))));
    headers.extend(common_headers(settings, ctx));
    headers
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(",")
}

/// What says how rows stand in a body.
fn form_headers(format: &BodyFormat, compression: Compression) -> Headers {
    let mut headers = vec![("format".to_owned(), format.word().to_owned())];
    match format {
        BodyFormat::Json => headers.push(("read_json_by_line".to_owned(), "true".to_owned())),
        BodyFormat::Csv { column, line } => {
            headers.push(("column_separator".to_owned(), column.written.clone()));
            headers.push(("line_delimiter".to_owned(), line.written.clone()));
        }
        BodyFormat::Arrow => {}
    }
    let packed = compression.word();
    headers.extend(packed.map(|word| ("compress_type".to_owned(), word.to_owned())));
    headers
}

fn common_headers(settings: &Settings, ctx: &OpenContext) -> Headers {
    // A load is open for a whole epoch.
    let seconds =
        (ctx.checkpoint_interval.as_secs() * 10).clamp(TIMEOUT_SECONDS_MIN, TIMEOUT_SECONDS_MAX);
    let mut headers = vec![
        // Else a value that does not fit becomes NULL without a word.
        ("strict_mode".to_owned(), "true".to_owned()),
        ("timeout".to_owned(), seconds.to_string()),
    ];
    if settings.is_two_phase {
        headers.push(("two_phase_commit".to_owned(), "true".to_owned()));
    }
    headers
}

impl SinkSpec for DorisSinkSpec {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.settings.guarantee
    }

    fn role(&self) -> CommitRole {
        if self.settings.is_two_phase {
            CommitRole::Follows
        } else {
            CommitRole::Flushes
        }
    }

    /// Whether the table in Doris really takes changes is found out when it is opened.
    fn changelog_mode(&self) -> ChangelogMode {
        if self.settings.ignores_before {
            ChangelogMode::Upsert
        } else {
            ChangelogMode::All
        }
    }

    fn describe(&self) -> Vec<(String, String)> {
        let list = |nodes: &[crate::node::Node]| {
            let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            nodes.join(", ")
        };
        let settings = &self.settings;
        let mut lines = vec![
            (
                "table".into(),
                format!("{}.{}", settings.db, settings.table),
            ),
            ("frontends".into(), list(&settings.fes)),
        ];
        if !settings.bes.is_empty() {
            lines.push(("backends".into(), list(&settings.bes)));
        }
        let commit = if settings.is_two_phase {
            "two-phase commit"
        } else {
            "at once"
        };
        let form = match &settings.format {
            BodyFormat::Json => "JSON",
            BodyFormat::Csv { .. } => "CSV",
            BodyFormat::Arrow => "Arrow",
        };
        let packed = settings.compression.word();
        let packed = packed.map_or_else(String::new, |word| format!(" packed by {word}"));
        lines.push(("load".into(), format!("{form}{packed}, {commit}")));
        match &settings.bad_rows {
            BadRows::Fail => {}
            BadRows::Skip => lines.push(("bad rows".into(), "left out".into())),
            BadRows::DeadLetter { db, table } => {
                lines.push(("bad rows".into(), format!("into {db}.{table}")));
            }
        }
        lines
    }

    fn notes(&self) -> Vec<String> {
        self.settings.notes.clone()
    }

    fn group_key(&self) -> String {
        let mut nodes: Vec<String> = self.settings.fes.iter().map(ToString::to_string).collect();
        nodes.sort_unstable();
        let how = if self.settings.is_two_phase {
            "transactions"
        } else {
            "loads"
        };
        format!("doris {how} on {}", nodes.join(","))
    }

    fn place(&self) -> Option<Place> {
        let settings = &self.settings;
        let mut nodes: Vec<String> = settings.fes.iter().map(ToString::to_string).collect();
        nodes.sort_unstable();
        Some(Place {
            system: "doris".to_owned(),
            address: nodes.join(","),
            objects: vec![format!("{}.{}", settings.db, settings.table)],
            is_pattern: false,
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open_group(
        &self,
        members: &[&dyn SinkSpec],
        ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        let members = members.iter().map(|member| {
            let member = member.as_any().downcast_ref::<Self>();
            member.expect("a group has sinks of one connector")
        });
        let trust = Arc::new(Trust::new(self.settings.ca_file.clone()));
        let members = members
            .enumerate()
            .map(|(index, spec)| Member::open(spec, index, &trust, ctx))
            .collect::<Result<_, _>>()?;
        Ok(Box::new(DorisSinkGroup::new(self.role(), members)))
    }
}

/// Checks that a body can hold the columns.
pub(crate) fn check_body(settings: &Settings, form: &RowForm) -> Result<(), (usize, String)> {
    BodyEncoder::new(&settings.format, form, false).map(drop)
}
