//! Opening a dataflow: sinks, recovery, sources, lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use millrace_checkpoint::protocol::{EpochCommit, NamedGroup, Recovered, commit_genesis, recover};
use millrace_checkpoint::{Identity, Store, owner};
use millrace_connector::source::{Source, SplitStart};
use millrace_connector::{
    Cancel, ConnectorError, LaneId, OpenContext, Position, Positions, SinkSpec, SplitId,
};

use crate::lane::{Command, Event, Lane, LaneBranch};
use crate::replay::{bound_sources, has_lost};
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
    pub(crate) lanes: Vec<LaneHandle>,
    pub(crate) events: Receiver<(u32, Event)>,
    pub(crate) cancel: Cancel,
}

pub(crate) struct OpenSource {
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
        let ctx = open_context(around.dataflow, around.options, &cancel);
        let (mut groups, members) = open_sinks(around.dataflow, &ctx)?;
        let mut identity = Identity {
            pipeline: around.options.pipeline.clone(),
            dataflow: around.dataflow.name.clone(),
            generation: 0,
            slot: around.options.slot,
            slots: around.options.slots,
        };
        let mut recovered = recover(around.store, &mut identity, &mut groups)?;
        let (mut sources, positions) = open_sources(around, &ctx, &recovered)?;
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
                now_ms: around.clock.now_ms(),
            };
            let genesis = commit_genesis(around.store, &groups, &genesis)?;
            recovered.next_epoch = genesis.epoch.next();
            recovered.checkpoint = Some(genesis);
        }
        for named in &mut groups {
            named
                .group
                .begin(recovered.next_epoch)
                .map_err(at(&named.key))?;
        }
        let (event_sender, events) = unbounded();
        let mut attempt = Self {
            identity,
            groups,
            sources,
            recovered,
            positions,
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
            let splits = starts
                .remove(&self.sources[index].table)
                .unwrap_or_default();
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

pub(crate) fn open_context(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    cancel: &Cancel,
) -> OpenContext {
    let sources = dataflow.sources.len();
    let lanes = options.parallelism * u32::try_from(sources).expect("sources are few");
    let queues = sources * options.parallelism as usize + 1;
    OpenContext {
        pipeline: options.pipeline.clone(),
        dataflow: dataflow.name.clone(),
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
        let known = recovered.positions.get(&input.name).cloned();
        if known.is_some() {
            source.resume();
        }
        let mut known = known.unwrap_or_default();
        let mut found = source.discover(&known).map_err(at(&input.name))?;
        keep_own(&mut found, &input.name, around.options);
        known.extend(found.into_iter().map(|start| (start.split, start.position)));
        positions.insert(input.name.clone(), known);
        sources.push(OpenSource {
            table: input.name.clone(),
            source,
        });
    }
    Ok((sources, positions))
}

/// Leaves out the splits that other slots read.
pub(crate) fn keep_own(found: &mut Vec<SplitStart>, table: &str, options: &RuntimeOptions) {
    found.retain(|start| owner(table, &start.split, options.slots) == options.slot);
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
