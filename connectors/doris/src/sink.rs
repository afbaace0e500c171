//! The sink: what it promises, and the group that prepares and commits its loads.

use std::any::Any;
use std::sync::Arc;

use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{
    ChangelogMode, ConnectorError, DeliveryGuarantee, Epoch, ErrorKind, LaneId, MetadataKey,
    OpenContext, Retry, SinkSpec,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::catalog::{self, TableFacts};
use crate::client::{Client, Headers};
use crate::http::Patience;
use crate::load::TableLoad;
use crate::recovery::{self, Committed, LabelStem, Prepared};
use crate::rows::{DELETE_SIGN, RowEncoder, RowForm};
use crate::settings::Settings;
use crate::writer::DorisWriter;

/// Doris's bounds on the header `timeout`.
const TIMEOUT_SECONDS_MIN: u64 = 3600;
const TIMEOUT_SECONDS_MAX: u64 = 259_200;

/// A validated sink table.
#[derive(Clone, Debug)]
pub(crate) struct DorisSinkSpec {
    pub(crate) name: String,
    pub(crate) has_primary_key: bool,
    pub(crate) settings: Settings,
    pub(crate) form: RowForm,
}

impl DorisSinkSpec {
    /// Returns whether rows carry a delete sign.
    fn has_sign(&self, facts: TableFacts) -> bool {
        self.settings.deletes && facts.is_unique.unwrap_or(self.has_primary_key)
    }

    fn headers(&self, has_sign: bool, ctx: &OpenContext) -> Headers {
        let settings = &self.settings;
        let mut columns = settings.columns.clone().unwrap_or_else(|| {
            let names = self.form.names().iter();
            names
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(",")
        });
        if has_sign && !columns.contains(DELETE_SIGN) {
            columns = format!("{columns},`{DELETE_SIGN}`");
        }
        let mut headers = vec![
            ("format".to_owned(), "json".to_owned()),
            ("read_json_by_line".to_owned(), "true".to_owned()),
            ("columns".to_owned(), columns),
        ];
        if settings.is_two_phase {
            headers.push(("two_phase_commit".to_owned(), "true".to_owned()));
        }
        let is_set = |name: &str| settings.headers.iter().any(|(set, _)| set == name);
        if !is_set("strict_mode") {
            // Else a value that does not fit becomes NULL without a word.
            headers.push(("strict_mode".to_owned(), "true".to_owned()));
        }
        if !is_set("timeout") {
            // A load is open for a whole epoch.
            let seconds = (ctx.checkpoint_interval.as_secs() * 10)
                .clamp(TIMEOUT_SECONDS_MIN, TIMEOUT_SECONDS_MAX);
            headers.push(("timeout".to_owned(), seconds.to_string()));
        }
        headers.extend(settings.headers.iter().cloned());
        headers
    }
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

    fn changelog_mode(&self) -> ChangelogMode {
        if self.settings.deletes {
            ChangelogMode::Upsert
        } else {
            ChangelogMode::InsertOnly
        }
    }

    fn describe(&self) -> Vec<(String, String)> {
        let list = |nodes: &[crate::node::Node]| {
            nodes
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
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
        lines.push(("load".into(), format!("JSON, {commit}")));
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
        let members = members
            .enumerate()
            .map(|(index, spec)| Member::open(spec, index, ctx))
            .collect::<Result<_, _>>()?;
        Ok(Box::new(DorisSinkGroup {
            role: self.role(),
            members,
            prepared_epoch: None,
        }))
    }
}

struct Member {
    spec: DorisSinkSpec,
    client: Client,
    has_sign: bool,
    load: Arc<Mutex<TableLoad>>,
}

impl Member {
    fn open(spec: &DorisSinkSpec, index: usize, ctx: &OpenContext) -> Result<Self, ConnectorError> {
        let settings = &spec.settings;
        let patience = Patience {
            connect: settings.connect_timeout,
            answer: settings.request_timeout,
            cancel: ctx.cancel.clone(),
        };
        let client = Client::new(settings, patience);
        let facts = catalog::check(&client, settings, spec.form.names())?;
        client.learn_hosts();
        let has_sign = spec.has_sign(facts);
        let names = (settings.db.as_str(), settings.table.as_str());
        let stem = LabelStem::new(&settings.prefix, names, ctx, index);
        let headers = spec.headers(has_sign, ctx);
        let load = TableLoad::new(client.clone(), settings, stem, headers);
        Ok(Self {
            spec: spec.clone(),
            client,
            has_sign,
            load: Arc::new(Mutex::new(load)),
        })
    }
}

/// What a checkpoint keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Handles {
    loads: Vec<Prepared>,
}

impl Handles {
    fn of(committable: &Committable) -> Result<Self, ConnectorError> {
        if committable.0.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(committable.0.clone()).map_err(|error| {
            let text = "the checkpoint's handles of Doris loads cannot be read";
            ConnectorError::new(ErrorKind::Internal, Retry::Never, text).caused_by(error)
        })
    }
}

struct DorisSinkGroup {
    role: CommitRole,
    members: Vec<Member>,
    /// The epoch that this process has prepared last.
    prepared_epoch: Option<Epoch>,
}

impl DorisSinkGroup {
    /// Returns a client for a table; the login is the same for a table's whole life.
    fn client(&self, prepared: &Prepared) -> &Client {
        let is_of = |member: &&Member| {
            let settings = &member.spec.settings;
            settings.db == prepared.db && settings.table == prepared.table
        };
        let member = self.members.iter().find(is_of).unwrap_or(&self.members[0]);
        &member.client
    }

    /// Frees what others left under this group's labels: nobody can commit it any more.
    fn abort_strangers(&self) {
        for member in &self.members {
            let mut load = member.load.lock();
            for transaction in load.take_strangers() {
                if let Err(error) = recovery::abort(&member.client, load.db(), transaction) {
                    tracing::warn!(%error, "a transaction is left to Doris's time-out");
                }
            }
        }
    }
}

impl SinkGroup for DorisSinkGroup {
    fn role(&self) -> CommitRole {
        self.role
    }

    /// Does nothing: a predecessor's loads are invisible until somebody commits them, and only the manifest that was
    /// written first lets anybody do so. See `recovery` for what happens to its labels.
    fn fence(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(None)
    }

    fn writer(&mut self, member: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        let member = &self.members[member];
        let encoder = RowEncoder::new(&member.spec.form, member.has_sign, member.spec.name.clone());
        Ok(Box::new(DorisWriter::new(
            encoder,
            Arc::clone(&member.load),
        )))
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), ConnectorError> {
        for member in &self.members {
            member.load.lock().begin(epoch);
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        let mut handles = Handles::default();
        for member in &self.members {
            let prepared = member.load.lock().prepare(epoch);
            match prepared {
                Ok(loads) => handles.loads.extend(loads),
                Err(error) => {
                    // No manifest has them, and none will: this epoch has failed.
                    for prepared in &handles.loads {
                        let client = self.client(prepared);
                        if let Err(error) = recovery::abort(client, &prepared.db, prepared.txn) {
                            tracing::debug!(%error, "a transaction is left to Doris's time-out");
                        }
                    }
                    return Err(error);
                }
            }
        }
        self.prepared_epoch = Some(epoch);
        if self.role == CommitRole::Flushes {
            return Ok(Committable::default());
        }
        let value = serde_json::to_value(&handles).expect("handles are JSON");
        Ok(Committable(value))
    }

    fn commit(
        &mut self,
        epoch: Epoch,
        committable: &Committable,
        _: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        if self.role == CommitRole::Flushes {
            return Ok(CommitOutcome::Committed);
        }
        // In the order of preparation: of two loads with one key, the later one must win.
        for prepared in &Handles::of(committable)?.loads {
            let outcome = recovery::commit(self.client(prepared), prepared)?;
            if outcome == Committed::Unknown {
                return Ok(CommitOutcome::Unknown);
            }
        }
        if self.prepared_epoch == Some(epoch) {
            self.abort_strangers();
        }
        Ok(CommitOutcome::Committed)
    }

    fn discard(
        &mut self,
        _: Epoch,
        committable: Option<&Committable>,
    ) -> Result<(), ConnectorError> {
        let Some(committable) = committable else {
            // What is prepared stays: whether its manifest was written may be unknown.
            for member in &self.members {
                member.load.lock().drop_open();
            }
            return Ok(());
        };
        for prepared in &Handles::of(committable)?.loads {
            recovery::abort(self.client(prepared), &prepared.db, prepared.txn)?;
        }
        Ok(())
    }
}
