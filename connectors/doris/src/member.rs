//! One open sink table: its cluster, what is known of the table, and its loads.

use std::sync::Arc;

use millrace_connector::{ConnectorError, ErrorKind, OpenContext, Retry};
use millrace_formats::EncodedBatch;
use parking_lot::Mutex;

use crate::bad_rows::{Checker, DEAD_LETTER_COLUMNS, create_dead_letter_table};
use crate::body::{BodyEncoder, JsonBody};
use crate::changes::Changes;
use crate::client::Client;
use crate::figures::LoadFigures;
use crate::http::Patience;
use crate::load::{TableLoad, Target};
use crate::recovery::{LabelStem, Prepared};
use crate::settings::{BadRows, BodyFormat, Compression};
use crate::sink::{DorisSinkSpec, letter_headers};
use crate::table::{self, TableFacts, Written};
use crate::tls::Trust;
use crate::writer::{DorisWriter, Letters, Misfits};

const CHECKED: &str = "the columns were checked with the table";

pub(crate) struct Member {
    pub(crate) spec: DorisSinkSpec,
    pub(crate) client: Client,
    changes: Changes,
    pub(crate) load: Arc<Mutex<TableLoad>>,
    checker: Checker,
    pub(crate) letters: Option<Arc<Mutex<TableLoad>>>,
    pub(crate) figures: Arc<LoadFigures>,
    pipeline: String,
}

impl Member {
    pub(crate) fn open(
        spec: &DorisSinkSpec,
        index: usize,
        trust: &Arc<Trust>,
        ctx: &OpenContext,
    ) -> Result<Self, ConnectorError> {
        let settings = &spec.settings;
        let patience = Patience {
            connect: settings.connect_timeout,
            answer: settings.request_timeout,
            cancel: ctx.cancel.clone(),
            trust: Arc::clone(trust),
        };
        let client = Client::new(settings, patience);
        let facts = table::look_up(&client, &settings.db, &settings.table)?;
        check(spec, facts.as_ref())?;
        let facts = facts.unwrap_or_default();
        client.learn_hosts();
        // Without a look at the table, what the file says of a key must do.
        let is_unique = facts.is_unique().unwrap_or(!spec.primary_key.is_empty());
        let changes = Changes {
            has_sign: settings.deletes && is_unique,
            ignores_before: settings.ignores_before,
            is_unique,
        };
        let figures = Arc::new(LoadFigures::default());
        let new_load = |target| {
            let load = TableLoad::new(client.clone(), settings, target, Arc::clone(&figures));
            Arc::new(Mutex::new(load))
        };
        let stem =
            |db: &str, table: &str| LabelStem::new(&settings.prefix, (db, table), ctx, index);
        let load = new_load(Target {
            sink: spec.name.clone(),
            db: settings.db.clone(),
            table: settings.table.clone(),
            stem: stem(&settings.db, &settings.table),
            headers: spec.headers(changes.has_sign, ctx),
            format: settings.format.clone(),
            compression: settings.compression,
        });
        let letters = match &settings.bad_rows {
            BadRows::DeadLetter { db, table } => {
                check_letters(&client, db, table)?;
                Some(new_load(Target {
                    sink: spec.name.clone(),
                    db: db.clone(),
                    table: table.clone(),
                    stem: stem(db, table),
                    headers: letter_headers(settings, ctx),
                    format: BodyFormat::Json,
                    compression: Compression::None,
                }))
            }
            BadRows::Fail | BadRows::Skip => None,
        };
        Ok(Self {
            checker: Checker::new(spec.form.declared(), &facts),
            spec: spec.clone(),
            client,
            changes,
            load,
            letters,
            figures,
            pipeline: ctx.pipeline.clone(),
        })
    }

    /// Returns the loads of all tables that it writes.
    pub(crate) fn loads(&self) -> impl Iterator<Item = &Arc<Mutex<TableLoad>>> {
        std::iter::once(&self.load).chain(&self.letters)
    }

    /// Tells whether a load of a checkpoint is one of this table's.
    pub(crate) fn is_of(&self, prepared: &Prepared) -> bool {
        let is_sink = prepared.sink.is_empty() || prepared.sink == self.spec.name;
        is_sink
            && self.loads().any(|load| {
                let load = load.lock();
                load.target().db == prepared.db && load.target().table == prepared.table
            })
    }

    /// Tells whether rows may be written to that table again though they are there.
    pub(crate) fn is_repeatable(&self, prepared: &Prepared) -> bool {
        let settings = &self.spec.settings;
        self.changes.is_unique && settings.db == prepared.db && settings.table == prepared.table
    }

    pub(crate) fn writer(&self) -> DorisWriter {
        let settings = &self.spec.settings;
        let letters = self.letters.as_ref().map(|load| Letters {
            load: Arc::clone(load),
            body: JsonBody::new(&self.spec.form, false).expect(CHECKED),
            pipeline: self.pipeline.clone(),
            target: format!("{}.{}", settings.db, settings.table),
        });
        let misfits = (settings.bad_rows != BadRows::Fail).then(|| Misfits {
            checker: self.checker.clone(),
            letters,
        });
        let has_sign = self.changes.has_sign;
        DorisWriter {
            table: self.spec.name.clone(),
            changes: self.changes,
            encoder: BodyEncoder::new(&settings.format, &self.spec.form, has_sign).expect(CHECKED),
            load: Arc::clone(&self.load),
            misfits,
            figures: Arc::clone(&self.figures),
            rows: EncodedBatch::default(),
        }
    }
}

fn check(spec: &DorisSinkSpec, facts: Option<&TableFacts>) -> Result<(), ConnectorError> {
    let settings = &spec.settings;
    let written = Written {
        name: format!("{}.{}", settings.db, settings.table),
        columns: spec.form.declared(),
        primary_key: &spec.primary_key,
        is_mapped: settings.columns.is_some(),
        is_partial: settings.is_partial,
        sequence: settings.sequence.as_deref(),
        is_arrow: settings.format == BodyFormat::Arrow,
        is_strict: settings.checks_schema,
    };
    table::check(&written, facts)?;
    let is_unknown = facts.is_some_and(|facts| facts.columns.is_empty());
    if written.is_arrow && is_unknown {
        let text = format!(
            "the columns of {} are not for this user to see, so an Arrow body cannot be proven to fit",
            written.name
        );
        return Err(ConnectorError::new(ErrorKind::Config, Retry::Never, text)
            .help("use 'sink.properties.format' = 'json', or give the user the SELECT privilege"));
    }
    Ok(())
}

fn check_letters(client: &Client, db: &str, table: &str) -> Result<(), ConnectorError> {
    let name = format!("{db}.{table}");
    let wrong = |what: String| {
        let text = format!("the dead-letter table {name} {what}");
        ConnectorError::new(ErrorKind::Config, Retry::Never, text)
            .help(format!("create it: {}", create_dead_letter_table(&name)))
    };
    let Some(facts) = table::look_up(client, db, table)? else {
        return Err(wrong("is not there, or not for this user".into()));
    };
    let missing: Vec<&str> = DEAD_LETTER_COLUMNS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !facts.columns.is_empty() && facts.column(name).is_none())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(wrong(format!("has no column {}", missing.join(", "))))
    }
}
