//! Opening a dataflow: sinks, recovery, sources, lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use millrace_checkpoint::decision::Contradiction;
use millrace_checkpoint::protocol::{
    EpochCommit, NamedGroup, ProtocolError, Recovered, commit_epoch, commit_genesis, commit_rest,
    recover_accepting, renew_mark,
};
use millrace_checkpoint::{Identity, Store, generation_in_force, owner};
use millrace_connector::sink::CommitRole;
use millrace_connector::source::{Source, SplitStart};
use millrace_connector::{
    Cancel, ConnectorError, LaneId, Names, OpenContext, Origin, Position, Positions, SinkSpec,
    SplitId,
};

use crate::lane::{Command, Event, Lane, LaneBranch};
use crate::replay::{bound_sources, has_lost};
use crate::rescale::as_deciders;
use crate::stages::StopWatch;
use crate::{Clock, Dataflow, DataflowStatus, RunError, RuntimeOptions};

/// An open dataflow with its lanes running.
pub(crate) struct Attempt {
    /// Who it is, in the generation that was in force when it recovered.
    pub(crate) identity: Identity,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) sources: Vec<OpenSource>,
    pub(crate) recovered: Recovered,
    pub(crate) positions: BTreeMap<String, Positions>,
    /// What the positions count.
    pub(crate) origins: BTreeMap<String, Origin>,
    pub(crate) lanes: Vec<LaneHandle>,
    pub(crate) events: Receiver<(u32, Event)>,
    pub(crate) cancel: Cancel,
}

pub(crate) struct OpenSource {
    /// What checkpoints know it by.
    pub(crate) key: String,
    /// Its name in the file.
    pub(crate) table: String,
    pub(crate) source: Box<dyn Source>,
}

pub(crate) struct LaneHandle {
    pub(crate) source: usize,
    pub(crate) commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
    pub(crate) finished: bool,
    pub(crate) splits: usize,
}

/// What an attempt needs from outside.
pub(crate) struct Surroundings<'a> {
    pub(crate) dataflow: &'a Dataflow,
    pub(crate) options: &'a RuntimeOptions,
    pub(crate) store: &'a dyn Store,
    pub(crate) status: &'a Arc<DataflowStatus>,
    pub(crate) clock: &'a Arc<dyn Clock>,
}

fn at(table: &str) -> impl FnOnce(ConnectorError) -> RunError + '_ {
    move |source| RunError::Connector {
        table: table.to_owned(),
        source,
    }
}

impl Attempt {
    pub(crate) fn open(around: &Surroundings<'_>) -> Result<Self, RunError> {
        let cancel = Cancel::default();
        let names = recorded_names(around.dataflow, around.options, around.store)?;
        let ctx = open_context(around.dataflow, around.options, names, &cancel);
        let (mut groups, members) = open_sinks(around.dataflow, &ctx)?;
        let mut identity = Identity {
            pipeline: around.options.pipeline.clone(),
            dataflow: around.dataflow.id.clone(),
            generation: 0,
            slot: around.options.slot,
            slots: around.options.slots,
        };
        let accepted = around.options.accepted_mark;
        let recovery = recover_accepting(around.store, &mut identity, &mut groups, accepted);
        let mut recovered = match recovery {
            // The sink that decided decides no more.
            Err(ProtocolError::Contradiction(Contradiction::NoDecider { .. }))
                if ctx.names.is_some() =>
            {
                settle_as_before(around, &ctx, &mut identity)?;
                recover_accepting(around.store, &mut identity, &mut groups, None)?
            }
            other => other?,
        };
        let (mut sources, positions) = open_sources(around, &ctx, &recovered)?;
        let origins = origins_of(&sources);
        let starts = match &recovered.replay {
            None => starts_of(&positions),
            Some(replay) => bound_sources(&mut sources, replay)?,
        };
        if recovered.checkpoint.is_none() {
            let genesis = EpochCommit {
                identity: &identity,
                epoch: recovered.next_epoch,
                parent: None,
                from: &positions,
                to: &positions,
                replay: None,
                closes: false,
                origins: &origins,
                now_ms: around.clock.now_ms(),
            };
            let genesis = commit_genesis(around.store, &groups, &genesis)?;
            recovered.next_epoch = genesis.epoch.next();
            recovered.checkpoint = Some(genesis);
            recovered.is_settled = true;
        }
        for named in &mut groups {
            named
                .group
                .begin(recovered.next_epoch)
                .map_err(at(&named.key))?;
        }
        if let Some(checkpoint) = &recovered.checkpoint
            && !recovered.is_marked
        {
            renew_mark(&mut groups, &identity, checkpoint, recovered.next_epoch)?;
        }
        let (event_sender, events) = unbounded();
        let mut attempt = Self {
            identity,
            groups,
            sources,
            recovered,
            positions,
            origins,
            lanes: Vec::new(),
            events,
            cancel,
        };
        attempt.start_lanes(around, &members, starts, &event_sender)?;
        Ok(attempt)
    }

    fn start_lanes(
        &mut self,
        around: &Surroundings<'_>,
        members: &Members,
        mut starts: BTreeMap<String, Vec<SplitStart>>,
        events: &Sender<(u32, Event)>,
    ) -> Result<(), RunError> {
        for index in 0..self.sources.len() {
            let splits = starts.remove(&self.sources[index].key).unwrap_or_default();
            let replay = self.recovered.replay.as_ref();
            let is_wanted = |sink: usize| {
                let (group, member) = members[sink];
                replay.is_none_or(|replay| has_lost(replay, &self.groups[group].key, member))
            };
            let branches: Vec<usize> = around.dataflow.sources[index]
                .branches
                .iter()
                .enumerate()
                .filter(|(_, branch)| is_wanted(branch.sink))
                .map(|(branch, _)| branch)
                .collect();
            // A lane that reads for nobody, or nothing, would only delay the end of a replay.
            if replay.is_some() && (branches.is_empty() || splits.is_empty()) {
                continue;
            }
            for _ in 0..around.options.parallelism {
                let id = u32::try_from(self.lanes.len()).expect("lanes are few");
                let lane = build_lane(
                    around,
                    (index, &branches),
                    LaneId(id),
                    &mut self.sources[index],
                    (&mut self.groups, members),
                    events,
                )?;
                self.lanes.push(lane);
            }
            self.assign(index, splits);
        }
        Ok(())
    }

    /// Gives each split to the lane of its source that has the fewest, in order of the splits' names.
    pub(crate) fn assign(&mut self, source: usize, splits: Vec<SplitStart>) {
        let mut shares: BTreeMap<usize, Vec<SplitStart>> = BTreeMap::new();
        for split in splits {
            let (index, lane) = self
                .lanes
                .iter_mut()
                .enumerate()
                .filter(|(_, lane)| lane.source == source)
                .min_by_key(|(index, lane)| (lane.splits, *index))
                .expect("each source has at least one lane");
            lane.splits += 1;
            shares.entry(index).or_default().push(split);
        }
        // Also to lanes without a split: a bounded reader can only then say that it is at its end.
        for (index, lane) in self
            .lanes
            .iter_mut()
            .enumerate()
            .filter(|(_, lane)| lane.source == source)
        {
            lane.finished = false;
            drop(
                lane.commands
                    .send(Command::Assign(shares.remove(&index).unwrap_or_default())),
            );
        }
    }

    /// Tells whether anything beyond the checkpoint itself depends on an epoch: a mark, or prepared output.
    pub(crate) fn has_commits(&self) -> bool {
        let mut roles = self.groups.iter().map(|named| named.group.role());
        roles.any(|role| role != CommitRole::Flushes)
    }

    pub(crate) fn tell_all(&self, command: impl Fn() -> Command) {
        for lane in &self.lanes {
            // A lane that is gone has said why in its last event.
            drop(lane.commands.send(command()));
        }
    }

    /// Ends all lanes and waits for their threads.
    pub(crate) fn close(&mut self) {
        self.tell_all(|| Command::Stop);
        for lane in &mut self.lanes {
            if let Some(thread) = lane.thread.take() {
                // A panic was told by the lane's alarm.
                drop(thread.join());
            }
        }
    }
}

fn starts_of(positions: &BTreeMap<String, Positions>) -> BTreeMap<String, Vec<SplitStart>> {
    let start = |(split, position): (&SplitId, &Position)| SplitStart {
        split: split.clone(),
        position: position.clone(),
    };
    positions
        .iter()
        .map(|(table, splits)| (table.clone(), splits.iter().map(start).collect()))
        .collect()
}

/// Finds out with a sink that has decided before what counts, and puts a checkpoint behind it that needs no sink's word.
fn settle_as_before(
    around: &Surroundings<'_>,
    ctx: &OpenContext,
    identity: &mut Identity,
) -> Result<(), RunError> {
    let (mut groups, _) = open_sinks(&as_deciders(around.dataflow), ctx)?;
    let accepted = around.options.accepted_mark;
    let recovered = recover_accepting(around.store, identity, &mut groups, accepted)?;
    let commit = EpochCommit {
        identity,
        epoch: recovered.next_epoch,
        parent: recovered.checkpoint.as_ref(),
        from: &recovered.positions,
        to: &recovered.positions,
        replay: None,
        closes: false,
        origins: &recovered.origins,
        now_ms: around.clock.now_ms(),
    };
    if recovered.void.is_empty() {
        commit_rest(around.store, &groups, &commit)?;
        return Ok(());
    }
    for named in &mut groups {
        named.group.begin(commit.epoch).map_err(at(&named.key))?;
    }
    let done = commit_epoch(around.store, &mut groups, &commit)?;
    let rest = EpochCommit {
        epoch: done.epoch.next(),
        parent: Some(&done),
        ..commit
    };
    commit_rest(around.store, &groups, &rest)?;
    Ok(())
}

/// Returns the names of the deciding group that hold in the generation in force.
pub(crate) fn recorded_names(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
) -> Result<Option<Names>, RunError> {
    let record = generation_in_force(store, &options.pipeline, &dataflow.id)?;
    let recorded = record.and_then(|record| record.names);
    Ok(recorded.or_else(|| dataflow.names.clone()))
}

pub(crate) fn open_context(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    names: Option<Names>,
    cancel: &Cancel,
) -> OpenContext {
    let sources = dataflow.sources.len();
    let lanes = options.parallelism * u32::try_from(sources).expect("sources are few");
    let queues = sources * options.parallelism as usize + 1;
    OpenContext {
        pipeline: options.pipeline.clone(),
        dataflow: dataflow.id.clone(),
        names,
        slot: options.slot,
        lanes,
        buffer_bytes_max: options.buffer_bytes_max / queues as u64,
        checkpointing: true,
        checkpoint_interval: options.checkpoint_interval,
        cancel: cancel.clone(),
    }
}

/// For each sink of the dataflow, its group and its number within it.
pub(crate) type Members = Vec<(usize, usize)>;

pub(crate) fn open_sinks(
    dataflow: &Dataflow,
    ctx: &OpenContext,
) -> Result<(Vec<NamedGroup>, Members), RunError> {
    let mut keys: Vec<(String, Vec<usize>)> = Vec::new();
    let mut members = Vec::new();
    for (index, sink) in dataflow.sinks.iter().enumerate() {
        let key = sink.spec.group_key();
        let group = keys
            .iter()
            .position(|(known, _)| *known == key)
            .unwrap_or_else(|| {
                keys.push((key, Vec::new()));
                keys.len() - 1
            });
        members.push((group, keys[group].1.len()));
        keys[group].1.push(index);
    }
    let mut groups = Vec::new();
    for (key, sinks) in keys {
        let specs: Vec<&dyn SinkSpec> = sinks
            .iter()
            .map(|index| &*dataflow.sinks[*index].spec)
            .collect();
        let group = specs[0]
            .open_group(&specs, ctx)
            .map_err(at(&dataflow.sinks[sinks[0]].name))?;
        groups.push(NamedGroup { key, group });
    }
    Ok((groups, members))
}

fn open_sources(
    around: &Surroundings<'_>,
    ctx: &OpenContext,
    recovered: &Recovered,
) -> Result<(Vec<OpenSource>, BTreeMap<String, Positions>), RunError> {
    let mut sources = Vec::new();
    let mut positions = BTreeMap::new();
    for input in &around.dataflow.sources {
        let mut source = input
            .spec
            .open(&input.projection, ctx)
            .map_err(at(&input.name))?;
        let known = recovered.positions.get(&input.key).cloned();
        let forgotten = &around.options.forgotten;
        if known.is_some() {
            source.resume(recovered.origins.get(&input.key));
        }
        let mut known = known.unwrap_or_default();
        for split in source.lapsed(&known, forgotten).map_err(at(&input.name))? {
            tracing::warn!(table = input.name, %split, "its position is dropped, as --forget says");
            known.remove(&split);
        }
        if let Some(checkpoint) = recovered.checkpoint.as_ref().filter(|_| !known.is_empty()) {
            let (epoch, splits) = (checkpoint.epoch.0, known.len());
            tracing::info!(table = input.name, splits, epoch, "positions carried over");
        }
        let mut found = source.discover(&known).map_err(at(&input.name))?;
        keep_own(&mut found, &input.key, around.options);
        known.extend(found.into_iter().map(|start| (start.split, start.position)));
        positions.insert(input.key.clone(), known);
        sources.push(OpenSource {
            key: input.key.clone(),
            table: input.name.clone(),
            source,
        });
    }
    Ok((sources, positions))
}

/// Returns what the positions of the sources count.
pub(crate) fn origins_of(sources: &[OpenSource]) -> BTreeMap<String, Origin> {
    let origin = |open: &OpenSource| Some((open.key.clone(), open.source.origin()?));
    sources.iter().filter_map(origin).collect()
}

/// Leaves out the splits that other slots read.
pub(crate) fn keep_own(found: &mut Vec<SplitStart>, key: &str, options: &RuntimeOptions) {
    found.retain(|start| owner(key, &start.split, options.slots) == options.slot);
}

fn build_lane(
    around: &Surroundings<'_>,
    (index, wanted): (usize, &[usize]),
    id: LaneId,
    open: &mut OpenSource,
    (groups, members): (&mut [NamedGroup], &Members),
    events: &Sender<(u32, Event)>,
) -> Result<LaneHandle, RunError> {
    let input = &around.dataflow.sources[index];
    let mut branches = Vec::new();
    for branch in wanted.iter().map(|branch| &input.branches[*branch]) {
        let sink_table = around.dataflow.sinks[branch.sink].name.clone();
        let (group, member) = members[branch.sink];
        let writer = groups[group]
            .group
            .writer(member, id)
            .map_err(at(&sink_table))?;
        branches.push(LaneBranch {
            transform: (branch.transform)(),
            changes: branch.changes.clone(),
            writer,
            sink_table,
        });
    }
    let (commands, receiver) = unbounded();
    let lane = Lane {
        id: id.0,
        table: input.name.clone(),
        reader: open.source.reader(id).map_err(at(&input.name))?,
        branches,
        commands: receiver,
        events: events.clone(),
        status: Arc::clone(around.status),
        clock: Arc::clone(around.clock),
        limit: Lane::poll_limit(
            around.options.batch_rows_max,
            around.options.batch_bytes_max,
        ),
        positions: BTreeMap::new(),
        watch: StopWatch::start(&**around.clock),
    };
    let thread = std::thread::Builder::new()
        .name(format!("lane-{}", id.0))
        .spawn(move || lane.run())
        .map_err(RunError::Thread)?;
    Ok(LaneHandle {
        source: index,
        commands,
        thread: Some(thread),
        finished: false,
        splits: 0,
    })
}
