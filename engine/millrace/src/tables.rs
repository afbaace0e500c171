//! What the connectors of a pipeline say of its tables, as plans need it.

use std::sync::Arc;

use millrace_connector::{ChangelogMode, Diagnostic, Spanned, TableDefinition, ValidateContext};
use millrace_plan::{Changes, Pipeline, Settings, TableChanges};
use millrace_sql::ast::Statement;

use crate::connectors::Connectors;
use crate::settings::Outside;

/// The tables of a pipeline by their connectors. One with faults is taken for whatever refuses least: they are told elsewhere.
struct RealTables {
    connectors: Connectors,
    context: ValidateContext,
}

impl TableChanges for RealTables {
    fn source(&self, table: &TableDefinition) -> Changes {
        let spec = self.connectors.source(table, &self.context);
        spec.map_or(Changes::INSERT, |spec| changes(spec.changelog_mode()))
    }

    fn sink(&self, table: &TableDefinition) -> Changes {
        let spec = self.connectors.sink(table, &self.context);
        spec.map_or(Changes::ALL, |spec| changes(spec.changelog_mode()))
    }

    fn can_look_up(&self, _table: &TableDefinition) -> bool {
        false
    }
}

fn changes(mode: ChangelogMode) -> Changes {
    match mode {
        ChangelogMode::InsertOnly => Changes::INSERT,
        ChangelogMode::Upsert => Changes::UPSERT,
        ChangelogMode::All => Changes::ALL,
    }
}

/// Plans a file with its tables' changes.
///
/// Dataflows without state are planned without them: changes pass through as they come, and the sinks' keys are checked instead of keeping rows.
///
/// # Errors
/// Everything that is wrong.
pub(crate) fn plan(
    statements: &[Spanned<Statement>],
    outside: &Outside,
    context: &ValidateContext,
) -> Result<Pipeline, Vec<Diagnostic>> {
    let settings: &Settings = &outside.settings;
    let plain = if outside.shows_changes {
        millrace_plan::plan_shown(statements, settings)?
    } else {
        millrace_plan::plan_with(statements, settings, &outside.functions)?
    };
    if plain.flows.iter().all(|flow| flow.stages.is_empty()) {
        return Ok(plain);
    }
    let tables: Arc<dyn TableChanges> = Arc::new(RealTables {
        connectors: outside.connectors.clone(),
        context: context.clone(),
    });
    let mut full = if outside.shows_changes {
        millrace_plan::plan_shown_tables(statements, settings, &tables)?
    } else {
        millrace_plan::plan_tables(statements, settings, &outside.functions, &tables)?
    };
    for flow in &mut full.flows {
        let known = plain.flows.iter().find(|plain| plain.name == flow.name);
        if let Some(known) = known.filter(|known| known.stages.is_empty()) {
            *flow = known.clone();
        }
    }
    Ok(full)
}
