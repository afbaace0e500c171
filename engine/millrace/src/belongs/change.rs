//! Carrying an edit of the file out: ids stay where one dataflow became one, others are closed and gone on from, and the next
//! record of the pipeline says so.

use std::collections::{BTreeMap, BTreeSet};

use millrace_checkpoint::matching::{Flow, Known, Matching, match_up};
use millrace_checkpoint::{
    DataflowRecord, Generation, PipelineRecord, Redirected, Store, TableRecord, certain_positions,
    generation_in_force, share_of,
};
use millrace_connector::{FNV_BASIS, Place, fnv1a};
use millrace_runtime::{Dataflow, RunError, end, has_other_names, rescale, wanted_names};

use super::{Today, args, refusal};
use crate::failure::Failure;
use crate::run;

/// What a file may go on from.
pub(super) struct Base {
    pub(super) record: PipelineRecord,
    /// Folders of earlier builds by dataflow, with the folders that they are carried over to.
    pub(super) folders: BTreeMap<String, (String, String)>,
    /// Whether it is another pipeline's, which ends with that.
    pub(super) moves: bool,
}

impl Base {
    pub(super) fn of(record: PipelineRecord) -> Self {
        Self {
            record,
            folders: BTreeMap::new(),
            moves: false,
        }
    }

    pub(super) fn is_known(&self) -> bool {
        !self.record.dataflows.is_empty()
    }
}

/// What becomes of a flow of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes on as the dataflow of this id.
    Keeps(String),
    /// It begins with what these have left, or from nothing.
    Follows(BTreeSet<String>),
}

/// A flow with its place in the record.
struct Placed {
    id: String,
    entry: DataflowRecord,
    keys: Vec<String>,
    follows: BTreeSet<String>,
}

/// Makes the record say what the file says. Returns what is to be run; `None` when another process was first.
pub(super) fn carry_out(
    today: &Today<'_>,
    base: &Base,
    matching: &Matching,
    gives_up: bool,
) -> Result<Option<Vec<Dataflow>>, Failure> {
    let here = args::plain(&today.store.location());
    let is_copy = today.args.copy && base.is_known() && base.record.location != here;
    let fates = fates(today, base, matching, is_copy)?;
    let changes = fates
        .iter()
        .any(|fate| matches!(fate, Fate::Follows(ids) if !ids.is_empty()));
    let slots = today.options.slots;
    if changes && slots > 1 && !today.may_change && !is_copy {
        let what = "the file's dataflows are not those of the checkpoints";
        return Err(refusal::needs_command(
            what,
            &today.pipeline.text.name,
            slots,
        ));
    }
    let mut next = next_record(today, base, &here);
    let mut placed = Vec::new();
    for (index, fate) in fates.iter().enumerate() {
        let mut one = place(today, base, matching, &next, (index, fate), is_copy);
        if one.entry.names.is_none() {
            let dataflow = dataflow(today, index, &one);
            one.entry.names = wanted_names(&dataflow, &today.options, None);
        }
        next.dataflows.insert(one.id.clone(), one.entry.clone());
        placed.push(one);
    }
    let ended = end_all(today, base, &placed, (is_copy, gives_up))?;
    for (index, one) in placed.iter_mut().enumerate() {
        begin(today, one, &ended, &matching.sources[index]);
        next.dataflows.insert(one.id.clone(), one.entry.clone());
    }
    retire(&mut next, &placed);
    if !put(today, base, &next)? {
        return Ok(None);
    }
    let mut flows = Vec::new();
    for (index, one) in placed.iter().enumerate() {
        if let Some(begins) = &one.entry.begins {
            begins
                .clone()
                .put(&**today.store)
                .map_err(anyhow::Error::new)?;
        }
        let dataflow = dataflow(today, index, one);
        rename(today, &dataflow)?;
        flows.push(dataflow);
    }
    Ok(Some(flows))
}

fn fates(
    today: &Today<'_>,
    base: &Base,
    matching: &Matching,
    is_copy: bool,
) -> Result<Vec<Fate>, Failure> {
    let ids = |partners: &[Option<(Known, _)>]| -> BTreeSet<String> {
        let known = partners.iter().flatten();
        known
            .map(|(known, _): &(Known, _)| known.dataflow.clone())
            .collect()
    };
    let by_sources: Vec<_> = matching.sources.iter().map(|flow| ids(flow)).collect();
    let claims = |id: &String| by_sources.iter().filter(|ids| ids.contains(id)).count();
    let mut taken = BTreeSet::new();
    let mut fates = Vec::new();
    for (index, olds) in by_sources.iter().enumerate() {
        let mut olds = olds.clone();
        if olds.is_empty() {
            // Only sinks tell: the first dataflow that nobody else goes on from.
            let by_sinks = ids(&matching.sinks[index]);
            let free = |id: &&String| claims(id) == 0 && !taken.contains(*id);
            olds = by_sinks.iter().find(free).cloned().into_iter().collect();
        }
        let only = olds
            .first()
            .filter(|id| olds.len() == 1 && claims(id) <= 1)
            .cloned();
        taken.extend(olds.clone());
        let keeps = match only {
            Some(id) if !base.moves && !is_copy && !base.folders.contains_key(&id) => {
                let record = generation_in_force(&**today.store, today.name(), &id);
                let record = record.map_err(anyhow::Error::new)?;
                (!record.is_some_and(|record| record.has_ended())).then_some(id)
            }
            _ => None,
        };
        fates.push(keeps.map_or(Fate::Follows(olds), Fate::Keeps));
    }
    Ok(fates)
}

fn next_record(today: &Today<'_>, base: &Base, here: &str) -> PipelineRecord {
    if base.moves {
        return PipelineRecord {
            pipeline: today.name().to_owned(),
            number: 1,
            location: here.to_owned(),
            digest: today.digest.clone(),
            carried_out: today.args.words(),
            ..PipelineRecord::default()
        };
    }
    let mut next = base.record.next(&today.digest);
    next.earlier.retain(|digest| !digest.is_empty());
    next.location = here.to_owned();
    next.carried_out = today.args.words();
    next
}

/// Finds the id of a flow and the keys of its tables.
fn place(
    today: &Today<'_>,
    base: &Base,
    matching: &Matching,
    next: &PipelineRecord,
    (index, fate): (usize, &Fate),
    is_copy: bool,
) -> Placed {
    let flow = &today.flows[index];
    let (id, old, follows) = match fate {
        Fate::Keeps(id) => (
            id.clone(),
            base.record.dataflows.get(id).cloned(),
            BTreeSet::new(),
        ),
        Fate::Follows(olds) => (
            fresh_id(today, base, next, flow, olds, is_copy),
            None,
            olds.clone(),
        ),
    };
    let mut entry = old.clone().unwrap_or_default();
    entry.sinks.clear();
    entry.begins = entry.begins.filter(|_| matches!(fate, Fate::Keeps(_)));
    let mut sinks = Vec::new();
    for (sink, partner) in flow.sinks.iter().zip(&matching.sinks[index]) {
        let kept = partner.as_ref().filter(|(known, _)| known.dataflow == id);
        let key = kept.map_or_else(
            || entry.free_sink(&sink.name),
            |(known, _)| known.key.clone(),
        );
        entry.sinks.insert(
            key.clone(),
            table(&sink.name, sink.place.as_ref(), BTreeSet::new()),
        );
        sinks.push(key);
    }
    let before: BTreeSet<String> = entry.sources.keys().cloned().collect();
    let mut keys = Vec::new();
    for (source, partner) in flow.sources.iter().zip(&matching.sources[index]) {
        let kept = partner.as_ref().filter(|(known, _)| {
            old.is_some()
                || follows.len() == 1
                    && known.dataflow == follows.first().cloned().unwrap_or_default()
        });
        let key = kept.map_or_else(
            || entry.free_source(&source.name),
            |(known, _)| known.key.clone(),
        );
        let feeds = source
            .feeds
            .iter()
            .map(|sink| sinks[*sink].clone())
            .collect();
        entry.sources.insert(
            key.clone(),
            table(&source.name, source.place.as_ref(), feeds),
        );
        keys.push(key);
    }
    for key in before.iter().filter(|key| !keys.contains(key)) {
        entry.sources.remove(key);
        entry.forgotten.insert(key.clone());
    }
    Placed {
        id,
        entry,
        keys,
        follows,
    }
}

fn table(name: &str, place: Option<&Place>, feeds: BTreeSet<String>) -> TableRecord {
    TableRecord {
        name: name.to_owned(),
        place: place.cloned(),
        feeds,
    }
}

/// Returns an id that nobody has had. One that only gets another folder, or another pipeline's name, stays.
fn fresh_id(
    today: &Today<'_>,
    base: &Base,
    next: &PipelineRecord,
    flow: &Flow,
    olds: &BTreeSet<String>,
    is_copy: bool,
) -> String {
    if is_copy {
        let here = fnv1a(FNV_BASIS, args::plain(&today.store.location()).bytes());
        return next.free_id(&format!("{}-{:08x}", flow.name, here & 0xffff_ffff));
    }
    match olds.first() {
        Some(old) if olds.len() == 1 && base.moves => next.free_id(old),
        Some(old) if olds.len() == 1 && base.folders.contains_key(old) => old.clone(),
        _ => next.free_id(&flow.name),
    }
}

/// Ends every dataflow that is gone on from elsewhere, and returns where each stands.
fn end_all(
    today: &Today<'_>,
    base: &Base,
    placed: &[Placed],
    (is_copy, gives_up): (bool, bool),
) -> Result<BTreeMap<String, Generation>, Failure> {
    let mut ended = BTreeMap::new();
    let all: BTreeSet<String> = if gives_up {
        base.record.running().map(|(id, _)| id.clone()).collect()
    } else {
        placed
            .iter()
            .flat_map(|one| one.follows.iter().cloned())
            .collect()
    };
    for id in all {
        if is_copy {
            let found = certain_positions(&**today.store, &base.record.pipeline, &id);
            ended.extend(
                found
                    .map_err(anyhow::Error::new)?
                    .map(|found| (id.clone(), found)),
            );
            continue;
        }
        match end_one(today, base, &id) {
            Ok(Some(record)) => drop(ended.insert(id, record)),
            Ok(None) => {}
            Err(error) if gives_up => tracing::warn!(
                dataflow = id,
                error = %error,
                "could not be closed: a process that still runs it may go on writing"
            ),
            Err(error) => return Err(run::failed(&id, error, &today.pipeline.text.name)),
        }
    }
    Ok(ended)
}

fn end_one(today: &Today<'_>, base: &Base, id: &str) -> Result<Option<Generation>, RunError> {
    let mut options = today.options.clone();
    options.pipeline.clone_from(&base.record.pipeline);
    let old = base.record.dataflows.get(id);
    let sinks = match_up(&base.record, &today.flows, &today.word(base)).sinks;
    let mut closing = Dataflow {
        name: id.to_owned(),
        id: id.to_owned(),
        names: old.and_then(|old| old.names.clone()),
        sources: Vec::new(),
        sinks: Vec::new(),
        operators: None,
    };
    for (flow, partners) in today.pipeline.flows.iter().zip(&sinks) {
        let all = flow.dataflow().sinks.into_iter().zip(partners);
        let own = all.filter(|(_, partner)| {
            partner
                .as_ref()
                .is_some_and(|(known, _)| known.dataflow == id)
        });
        closing.sinks.extend(own.map(|(sink, _)| sink));
    }
    tracing::info!(
        dataflow = id,
        pipeline = options.pipeline,
        "closing: another goes on from it"
    );
    let store = &**today.store;
    match base.folders.get(id) {
        Some((folder, stands_for)) => {
            let redirected = Redirected::new(store, folder, stands_for);
            end(&closing, &options, &redirected, today.clock)
        }
        None => end(&closing, &options, store, today.clock),
    }
}

/// Gives a flow what others have left, under the keys that its sources have.
fn begin(
    today: &Today<'_>,
    one: &mut Placed,
    ended: &BTreeMap<String, Generation>,
    partners: &[Option<(Known, millrace_checkpoint::matching::Reason)>],
) {
    let left: Vec<&Generation> = one.follows.iter().filter_map(|id| ended.get(id)).collect();
    if left.is_empty() {
        return;
    }
    let latest = left
        .iter()
        .map(|left| left.generation)
        .max()
        .unwrap_or_default();
    let last = left
        .iter()
        .flat_map(|left| left.last.values().copied())
        .max();
    let slots = today.options.slots;
    let mut begins = Generation {
        pipeline: today.name().to_owned(),
        dataflow: one.id.clone(),
        generation: latest + 1,
        slots,
        positions: BTreeMap::new(),
        last: last
            .map(|last| (0..slots).map(|slot| (slot, last)).collect())
            .unwrap_or_default(),
        origins: BTreeMap::new(),
        names: None,
    };
    for (key, partner) in one.keys.iter().zip(partners) {
        let Some((known, _)) = partner else { continue };
        let Some(left) = ended.get(&known.dataflow) else {
            continue;
        };
        let (positions, origin) = share_of(left, &known.key);
        begins.positions.insert(key.clone(), positions);
        begins
            .origins
            .extend(origin.map(|origin| (key.clone(), origin)));
    }
    one.entry.begins = Some(begins);
}

/// Ends what the file has no flow for.
fn retire(next: &mut PipelineRecord, placed: &[Placed]) {
    for (id, flow) in &mut next.dataflows {
        flow.has_ended |= !placed.iter().any(|one| one.id == *id);
    }
}

/// Puts the record where it says anything new. Returns whether it is the one in force now.
fn put(today: &Today<'_>, base: &Base, next: &PipelineRecord) -> Result<bool, Failure> {
    let store: &dyn Store = &**today.store;
    let is_same = base.record.dataflows == next.dataflows
        && base.record.digest == next.digest
        && base.record.location == next.location
        && base.record.carried_out == next.carried_out;
    if is_same && !base.moves {
        return Ok(true);
    }
    let there = next.clone().put(store).map_err(anyhow::Error::new)?;
    if there != *next {
        return Ok(false);
    }
    if base.moves {
        let mut old = base.record.next(&base.record.digest);
        old.successor = Some(today.name().to_owned());
        for flow in old.dataflows.values_mut() {
            flow.has_ended = true;
        }
        old.put(store).map_err(anyhow::Error::new)?;
    }
    Ok(true)
}

fn dataflow(today: &Today<'_>, index: usize, one: &Placed) -> Dataflow {
    let mut dataflow = today.pipeline.flows[index].dataflow();
    dataflow.id.clone_from(&one.id);
    dataflow.names.clone_from(&one.entry.names);
    for (source, key) in dataflow.sources.iter_mut().zip(&one.keys) {
        source.key.clone_from(key);
    }
    dataflow
}

/// Changes names at the other side that the file spells otherwise, by a generation.
fn rename(today: &Today<'_>, dataflow: &Dataflow) -> Result<(), Failure> {
    let file = &today.pipeline.text.name;
    let failed = |error| run::failed(&dataflow.name, error, file);
    let store = &**today.store;
    if today.may_change || !has_other_names(dataflow, &today.options, store).map_err(failed)? {
        return Ok(());
    }
    if today.options.slots > 1 {
        let what = "the file asks for other transactional ids, or another place of the mark";
        return Err(refusal::needs_command(what, file, today.options.slots));
    }
    tracing::info!(
        dataflow = dataflow.name,
        "transactional ids or the place of the mark change: closing under the old ones"
    );
    rescale(dataflow, &today.options, store, today.clock).map_err(failed)?;
    Ok(())
}
