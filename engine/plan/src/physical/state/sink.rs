//! The way into a sink: which changes it takes, and whether they must be put in order by its key.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_physical_plan::ExecutionPlan;
use millrace_operators::{DropUpdateBefore, Operator, SinkMaterialize, SinkMaterializeSpec};

use super::options::Materialize;
use super::structure::Structure;
use super::{Given, StateInput, boxed, column_refs};
use crate::logical::{Changes, SinkNode};
use crate::physical::{Chain, Input, Need, Walk};

impl Walk<'_> {
    pub(in crate::physical) fn sink_input(
        &mut self,
        sink: &SinkNode,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let outputs = &sink.target.outputs;
        let definition = &sink.target.table.definition;
        let takes = self.tables.sink(definition);
        let need = Need::rows(takes.update_before);
        let mut chains = self.chains(&sink.input, &need)?;
        let has_state = |chain: &Chain| matches!(chain.input, Input::Stage(..));
        if !chains.iter().any(has_state) && !self.tables.plans_all_nodes() {
            return self.fused(chains, outputs);
        }
        let key: Option<Vec<usize>> = definition
            .primary_key
            .iter()
            .map(|name| outputs.iter().position(|output| output.name == name.value))
            .collect();
        let key = key.filter(|key| !key.is_empty());
        let materialize = self.is_materialized(&chains, key.as_deref(), takes);
        if materialize {
            chains = self.chains(&sink.input, &Need::rows(true))?;
        }
        let changes = chains.iter().map(|chain| chain.changes);
        let changes = changes.reduce(Changes::or).unwrap_or(Changes::INSERT);
        self.check_sink(sink, changes, takes)?;
        if !materialize && (takes.update_before || !changes.update_before) {
            return self.fused(chains, outputs);
        }
        let keys = match chains.as_slice() {
            [only] => only.upserts.clone(),
            _ => Vec::new(),
        };
        let plan = self.fused(chains, outputs)?;
        let input = StateInput {
            plan,
            types: outputs.iter().map(|output| output.ty.clone()).collect(),
            changes,
            upserts: keys.clone(),
            keys,
        };
        let mut after = match key.filter(|_| materialize) {
            Some(key) => self.materialized(sink, input, key)?,
            None => {
                let given = Given {
                    changes: Changes {
                        update_before: false,
                        ..changes
                    },
                    keys: Vec::new(),
                    upserts: Vec::new(),
                };
                let make = || Ok(Box::new(DropUpdateBefore) as Box<dyn Operator>);
                let columns = outputs.clone();
                self.operator(
                    "DropUpdateBefore",
                    Structure::default(),
                    columns,
                    vec![input],
                    given,
                    Box::new(make),
                )?
            }
        };
        let types: Vec<_> = outputs.iter().map(|output| output.ty.clone()).collect();
        for chain in &mut after {
            chain.columns = column_refs(&types);
        }
        self.fused(after, outputs)
    }

    fn materialized(
        &mut self,
        sink: &SinkNode,
        input: StateInput,
        key: Vec<usize>,
    ) -> Result<Vec<Chain>> {
        let spec = SinkMaterializeSpec {
            columns: input.arrow(),
            key: key.clone(),
            input_key: input.keys.iter().min_by_key(|key| key.len()).cloned(),
            ttl: self.options.ttl,
        };
        let given = Given {
            changes: Changes::UPSERT,
            keys: vec![key.clone()],
            upserts: vec![key],
        };
        let columns = sink.target.outputs.clone();
        let structure = Structure {
            keys: spec.key.iter().map(|column| format!("#{column}")).collect(),
            computed: Vec::new(),
        };
        let make = move || boxed(SinkMaterialize::new(spec.clone()));
        self.operator(
            "SinkMaterialize",
            structure,
            columns,
            vec![input],
            given,
            Box::new(make),
        )
    }

    /// # Flink
    /// `FlinkChangelogModeInferenceProgram.analyzeUpsertMaterializeStrategy`.
    fn is_materialized(&self, chains: &[Chain], key: Option<&[usize]>, takes: Changes) -> bool {
        let Some(key) = key else {
            return false;
        };
        let is_insert_only = chains.iter().all(|chain| chain.changes.is_insert_only());
        match self.options.materialize {
            Materialize::None => false,
            Materialize::Force => true,
            Materialize::Auto => {
                if takes.is_insert_only() || is_insert_only {
                    return false;
                }
                let same = |known: &Vec<usize>| {
                    known.len() == key.len() && known.iter().all(|column| key.contains(column))
                };
                let [only] = chains else {
                    return true;
                };
                !only.upserts.iter().any(same)
            }
        }
    }

    fn check_sink(&mut self, sink: &SinkNode, changes: Changes, takes: Changes) -> Result<()> {
        let updates = changes.update_after && !takes.update_after;
        let deletes = changes.delete && !takes.delete;
        let what = match (updates, deletes) {
            (false, false) => return Ok(()),
            (true, false) => "update changes",
            (false, true) => "delete changes",
            (true, true) => "update and delete changes",
        };
        let message = format!(
            "Table sink '{}' doesn't support consuming {what}",
            sink.target.table.definition.name.value
        );
        self.refuse(&message, sink.target.table_span)
    }
}
