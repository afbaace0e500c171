//! What the checkpoints belong to: today's file is matched to the record of its pipeline before anything is read, each source
//! is told where it goes on and why, and whatever is not clear stops the run with a way out.

mod args;
mod change;
mod others;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_checkpoint::matching::{Flow, Matching, Table, Word, digest_of, match_up};
use millrace_checkpoint::{DataflowRecord, PipelineRecord, Store, TableRecord, survey_pipeline};
use millrace_connector::Epoch;
use millrace_runtime::{Clock, Dataflow, RuntimeOptions};

use crate::failure::Failure;
use crate::pipeline::Pipeline;

pub(crate) use args::BelongArgs;
use args::From;
use change::Base;

/// How often the record is looked at anew when another process was first.
const TRIES_MAX: u32 = 5;

/// What there is to run, and how.
pub(crate) struct Settled {
    pub(crate) flows: Vec<Dataflow>,
    pub(crate) options: RuntimeOptions,
}

/// The file's side, and what the user says.
struct Today<'a> {
    pipeline: &'a Pipeline,
    store: &'a Arc<dyn Store>,
    clock: &'a dyn Clock,
    args: &'a BelongArgs,
    /// Whether this is the command that may change what several slots share.
    may_change: bool,
    flows: Vec<Flow>,
    digest: String,
    options: RuntimeOptions,
}

/// Finds out which checkpoints the file goes on from, and makes the record of it.
pub(crate) fn settle(
    pipeline: &Pipeline,
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    args: &BelongArgs,
    may_change: bool,
) -> Result<Settled, Failure> {
    let flows: Vec<Flow> = pipeline.flows.iter().map(described).collect();
    let mut options = pipeline.run.runtime.clone();
    options.accepted_mark = args.accept_lost_mark.map(Epoch);
    options.forgotten = args.forget.iter().cloned().collect();
    let today = Today {
        digest: digest_of(&flows),
        pipeline,
        store,
        clock,
        args,
        may_change,
        flows,
        options,
    };
    for _ in 0..TRIES_MAX {
        if let Some(flows) = today.settle()? {
            return Ok(Settled {
                flows,
                options: today.options,
            });
        }
    }
    Err(anyhow::anyhow!("other processes of this pipeline change its record all the time").into())
}

fn described(flow: &crate::pipeline::Flow) -> Flow {
    let sources = flow.plan.sources.iter().zip(&flow.sources);
    let sinks = flow.plan.sinks.iter().zip(&flow.sinks);
    Flow {
        name: flow.plan.name.clone(),
        sources: sources
            .enumerate()
            .map(|(index, (source, spec))| Table {
                name: source.name.clone(),
                place: spec.place(),
                feeds: flow.plan.reached_sinks(index),
            })
            .collect(),
        sinks: sinks
            .map(|(sink, spec)| Table {
                name: sink.table.name.value.clone(),
                place: spec.place(),
                feeds: BTreeSet::new(),
            })
            .collect(),
    }
}

impl Today<'_> {
    fn name(&self) -> &str {
        &self.options.pipeline
    }

    /// Returns what the user says that is not carried out yet.
    fn word(&self, base: &Base) -> Word {
        let is_new = |word: &String| !base.record.carried_out.contains(word);
        Word {
            matches: self
                .args
                .matches
                .iter()
                .filter(|pair| is_new(&args::matching(pair)))
                .cloned()
                .collect(),
            forgets: self
                .args
                .forget
                .iter()
                .filter(|name| is_new(&args::forgetting(name)))
                .cloned()
                .collect(),
        }
    }

    /// Tells whether all is to begin anew, and has not done so already.
    fn begins_anew(&self, base: &Base) -> bool {
        let says = self.args.from == Some(From::Nothing);
        let is_done = base.record.carried_out.contains(args::ANEW);
        if says && is_done {
            tracing::info!(
                "--from none is carried out already: goes on; start once without it before all is to begin anew once more"
            );
        }
        says && !is_done
    }

    /// Returns what is to be run; `None` when another process has changed the record meanwhile.
    fn settle(&self) -> Result<Option<Vec<Dataflow>>, Failure> {
        let base = self.base()?;
        self.check_base(&base)?;
        let from_none = self.begins_anew(&base);
        let empty = PipelineRecord::default();
        let known = if from_none { &empty } else { &base.record };
        let matching = match_up(known, &self.flows, &self.word(&base));
        refusal::check(&matching, &self.pipeline.text.name)?;
        self.tell(&matching);
        change::carry_out(self, &base, &matching, from_none)
    }

    /// Returns what the file may go on from.
    fn base(&self) -> Result<Base, Failure> {
        let own = self.read(self.name())?;
        match &self.args.from {
            Some(From::Pipeline(old)) if !own.is_known() => {
                let mut base = self.read(old)?;
                if !base.is_known() {
                    return Err(refusal::nothing_there(old, &self.store.location()));
                }
                base.moves = true;
                Ok(base)
            }
            _ => Ok(own),
        }
    }

    /// Reads a pipeline's record, or what its checkpoints tell where an earlier build wrote them.
    fn read(&self, name: &str) -> Result<Base, Failure> {
        let store = &**self.store;
        let failed = |error: millrace_checkpoint::PipelineRecordError| anyhow::Error::new(error);
        if let Some(record) = PipelineRecord::newest(store, name).map_err(failed)? {
            return Ok(Base::of(record));
        }
        let found = survey_pipeline(store, name).map_err(anyhow::Error::new)?;
        let mut base = Base::of(PipelineRecord {
            pipeline: name.to_owned(),
            location: args::plain(&store.location()),
            ..PipelineRecord::default()
        });
        for one in found {
            if one.pipeline != name {
                continue;
            }
            if one.is_shared && self.args.from == Some(From::Nothing) {
                continue;
            }
            if one.is_shared {
                return Err(refusal::shared_folder(&one, &store.location()));
            }
            if !one.is_in_place() {
                base.folders
                    .insert(one.dataflow.clone(), (one.folder.clone(), one.own_folder()));
            }
            base.record
                .dataflows
                .insert(one.dataflow.clone(), one.assumed());
        }
        Ok(base)
    }

    /// Checks that the checkpoints are this pipeline's before anything is matched.
    fn check_base(&self, base: &Base) -> Result<(), Failure> {
        let record = &base.record;
        if let Some(successor) = &record.successor
            && !base.moves
        {
            return Err(refusal::renamed(self.name(), successor));
        }
        if !base.is_known() {
            return others::check_first_start(self);
        }
        let here = args::plain(&self.store.location());
        if record.location != here && !self.args.moved && !self.args.copy {
            return Err(refusal::elsewhere(&record.location, &here));
        }
        let may_be_mistaken = record.pipeline == self.name() && self.keeps_something(record);
        if !self.pipeline.run.is_named && may_be_mistaken && !self.shares(record) {
            return Err(refusal::needs_name(self.name(), &self.store.location()));
        }
        let is_earlier = record.digest != self.digest && record.earlier.contains(&self.digest);
        if is_earlier && !self.args.roll_back && !base.moves {
            return Err(refusal::earlier(&self.pipeline.text.name));
        }
        Ok(())
    }

    /// Tells whether anything that lasts is written: not by what prints or throws away.
    fn keeps_something(&self, record: &PipelineRecord) -> bool {
        let mut known = record.running().flat_map(|(_, flow)| flow.sinks.values());
        let mut today = self.flows.iter().flat_map(|flow| &flow.sinks);
        // Of checkpoints of an earlier build nobody knows.
        record.number == 0
            || known.any(|sink| sink.place.is_some())
            || today.any(|sink| sink.place.is_some())
    }

    /// Tells whether the file has a source and a sink of the record.
    fn shares(&self, record: &PipelineRecord) -> bool {
        let known = |tables: fn(&DataflowRecord) -> &BTreeMap<String, TableRecord>| {
            record
                .running()
                .flat_map(move |(_, flow)| tables(flow).values())
        };
        let is_same = |was: &TableRecord, is: &Table| match (&was.place, &is.place) {
            (Some(was), Some(is)) if was.meets(is) => true,
            (Some(was_at), Some(_)) if !was_at.system.is_empty() => false,
            _ => was.name == is.name,
        };
        let has = |tables: fn(&DataflowRecord) -> &BTreeMap<String, TableRecord>,
                   today: fn(&Flow) -> &Vec<Table>| {
            let mut today = self.flows.iter().flat_map(today);
            today.any(|is| known(tables).any(|was| is_same(was, is)))
        };
        has(|flow| &flow.sources, |flow| &flow.sources)
            && has(|flow| &flow.sinks, |flow| &flow.sinks)
    }

    /// Says where each source goes on, and why.
    fn tell(&self, matching: &Matching) {
        for (index, flow) in self.flows.iter().enumerate() {
            let sources = flow.sources.iter().zip(&matching.sources[index]);
            for (source, partner) in sources {
                let place = source.place.as_ref().map(ToString::to_string);
                match partner {
                    Some((known, reason)) => tracing::info!(
                        source = source.name,
                        place,
                        recorded_as = known.key,
                        "goes on from its checkpoint: {}",
                        args::reason(*reason)
                    ),
                    None => tracing::info!(
                        source = source.name,
                        place,
                        "is new: begins where its startup mode says"
                    ),
                }
            }
            let has_partners = matching.sources[index].iter().any(Option::is_some);
            for (sink, partner) in flow.sinks.iter().zip(&matching.sinks[index]) {
                if partner.is_none() && has_partners {
                    let place = sink.place.as_ref().map(ToString::to_string);
                    tracing::info!(
                        sink = sink.name,
                        place,
                        "is new: gets the rows that are read from now on"
                    );
                }
            }
        }
        for orphan in &matching.orphans {
            tracing::info!(
                table = orphan.name,
                "of the checkpoint is not in the file any more"
            );
        }
    }
}
