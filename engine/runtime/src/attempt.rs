//! Opening a dataflow: sinks, recovery, sources, lanes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{JoinHandle, Scope};

use crossbeam_channel::{Receiver, Sender, unbounded};
use millrace_checkpoint::protocol::{
    EpochCommit, NamedGroup, ProtocolError, Recovered, commit_genesis, epochs, recover,
};
use millrace_checkpoint::{Identity, StateRecord, Store, owner};
use millrace_connector::sink::CommitRole;
use millrace_connector::source::{Source, SplitStart};
use millrace_connector::{
    Cancel, ConnectorError, LaneId, OpenContext, Position, Positions, SinkSpec, SplitId,
};
use millrace_state::StateError;

use crate::dataflow::Operators;
use crate::lane::{
    Command, Event, Lane, LaneBranch, LaneInput, LaneOperators, LaneSource, LaneWork, LaneWriter,
};
use crate::replay::{bound_sources, has_lost};
use crate::stages::StopWatch;
use crate::state::{self, StateKeeper};
use crate::watermark::SourceWatermark;
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
    /// The sources of its readers.
    pub(crate) sources: Vec<usize>,
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
        check_state(around.dataflow, &recovered)?;
        let (mut sources, positions) = open_sources(around, &ctx, &recovered)?;
        let starts = match &recovered.replay {
            None => starts_of(&positions),
            Some(replay) => bound_sources(&mut sources, replay)?,
        };
        if recovered.checkpoint.is_none() {
            // An empty record says that there is state.
            let state = around.dataflow.operators.as_ref();
            let state = state.map(|_| StateRecord::default());
            let genesis = EpochCommit {
                identity: &identity,
                epoch: recovered.next_epoch,
                parent: None,
                from: &positions,
                to: &positions,
                replay: None,
                closes: false,
                state: state.as_ref(),
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

    /// Returns what keeps the operators' state, where there are operators.
    pub(crate) fn state_keeper<'scope, 'env>(
        &self,
        around: &'env Surroundings<'_>,
        scope: &'scope Scope<'scope, 'env>,
    ) -> Option<StateKeeper<'scope, 'env>> {
        let operators = around.dataflow.operators.as_ref()?;
        let is_followed = self
            .groups
            .iter()
            .any(|named| named.group.role() == CommitRole::Follows);
        Some(StateKeeper::new(
            scope,
            (around.store, around.status),
            self.identity.clone(),
            state::head(&operators.nodes, around.options.operators.key_groups),
            self.state_before().cloned().unwrap_or_default(),
            is_followed,
        ))
    }

    /// Returns the state that the lanes begin with: in a replay that before the epoch whose rows are written again.
    fn state_before(&self) -> Option<&StateRecord> {
        let record = self.recovered.state.as_ref()?;
        match (&self.recovered.replay, &record.before) {
            (Some(_), Some(before)) => Some(before),
            _ => Some(record),
        }
    }

    fn start_lanes(
        &mut self,
        around: &Surroundings<'_>,
        members: &Members,
        mut starts: BTreeMap<String, Vec<SplitStart>>,
        events: &Sender<(u32, Event)>,
    ) -> Result<(), RunError> {
        if let Some(operators) = &around.dataflow.operators {
            let lane = self.operators_lane(around, operators, members, &starts, events)?;
            self.lanes.push(lane);
            for index in 0..self.sources.len() {
                let splits = starts.remove(&self.sources[index].table);
                let splits = splits.unwrap_or_default();
                if self.recovered.replay.is_none() || !splits.is_empty() {
                    self.assign(index, splits);
                }
            }
            return Ok(());
        }
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
                let lane = branches_lane(
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
                .filter(|(_, lane)| lane.sources.contains(&source))
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
            .filter(|(_, lane)| lane.sources.contains(&source))
        {
            lane.finished = false;
            let input = lane.sources.iter().position(|of_lane| *of_lane == source);
            let input = input.expect("it was filtered by that");
            let share = shares.remove(&index).unwrap_or_default();
            drop(lane.commands.send(Command::Assign(input, share)));
        }
    }

    /// Takes a lane's word that so many splits are at their end.
    pub(crate) fn lane_finished(&mut self, lane: u32, splits: usize) {
        let lane = &mut self.lanes[lane as usize];
        lane.finished = lane.splits == splits;
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

/// Checks that a checkpoint has state where the dataflow has operators, and only there.
fn check_state(dataflow: &Dataflow, recovered: &Recovered) -> Result<(), RunError> {
    let text = match (&dataflow.operators, &recovered.state) {
        (Some(_), None) if recovered.checkpoint.is_some() => {
            "it was written by a file whose queries kept none, and its positions are behind rows that they would miss"
        }
        (None, Some(_)) => "it was written by a file whose queries kept some, and these keep none",
        _ => return Ok(()),
    };
    Err(RunError::State(StateError::Foreign(text.to_owned())))
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
    // Operators have one lane that reads everything.
    let (lanes, readers) = match dataflow.operators {
        Some(_) => (1, sources),
        None => {
            let sources = u32::try_from(sources).expect("sources are few");
            let lanes = options.parallelism * sources;
            (lanes, lanes as usize)
        }
    };
    let queues = readers + 1;
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

fn branches_lane(
    around: &Surroundings<'_>,
    (index, wanted): (usize, &[usize]),
    id: LaneId,
    open: &mut OpenSource,
    (groups, members): (&mut [NamedGroup], &Members),
    events: &Sender<(u32, Event)>,
) -> Result<LaneHandle, RunError> {
    let input = &around.dataflow.sources[index];
    let mut branches = Vec::new();
    let mut writers = Vec::new();
    for branch in wanted.iter().map(|branch| &input.branches[*branch]) {
        writers.push(writer(around.dataflow, branch.sink, id, (groups, members))?);
        branches.push(LaneBranch {
            transform: (branch.transform)(),
            changes: branch.changes.clone(),
        });
    }
    let reader = open.source.reader(id).map_err(at(&input.name))?;
    let inputs = vec![LaneInput::new(&input.name, reader)];
    let work = LaneWork::Branches(branches);
    start_lane(around, id, vec![index], (inputs, work, writers), events)
}

fn writer(
    dataflow: &Dataflow,
    sink: usize,
    id: LaneId,
    (groups, members): (&mut [NamedGroup], &Members),
) -> Result<LaneWriter, RunError> {
    let table = dataflow.sinks[sink].name.clone();
    let (group, member) = members[sink];
    let writer = groups[group].group.writer(member, id).map_err(at(&table))?;
    Ok(LaneWriter { table, writer })
}

fn start_lane(
    around: &Surroundings<'_>,
    id: LaneId,
    sources: Vec<usize>,
    (inputs, work, writers): (Vec<LaneInput>, LaneWork, Vec<LaneWriter>),
    events: &Sender<(u32, Event)>,
) -> Result<LaneHandle, RunError> {
    let (commands, receiver) = unbounded();
    let lane = Lane {
        id: id.0,
        inputs,
        work,
        writers,
        commands: receiver,
        events: events.clone(),
        status: Arc::clone(around.status),
        clock: Arc::clone(around.clock),
        limit: Lane::poll_limit(
            around.options.batch_rows_max,
            around.options.batch_bytes_max,
        ),
        watch: StopWatch::start(&**around.clock),
        turn: 0,
    };
    let thread = std::thread::Builder::new()
        .name(format!("lane-{}", id.0))
        .spawn(move || lane.run())
        .map_err(RunError::Thread)?;
    Ok(LaneHandle {
        sources,
        commands,
        thread: Some(thread),
        finished: false,
        splits: 0,
    })
}

impl Attempt {
    /// A copy that has overtaken this one may have removed state that it goes on without. That is no damage: whoever is fenced
    /// stops, and the other begins anew.
    fn if_overtaken(&self, around: &Surroundings<'_>, error: RunError) -> RunError {
        let newest = match &error {
            RunError::State(StateError::Corrupt { .. }) => epochs(around.store, &self.identity),
            _ => return error,
        };
        match newest.map(|epochs| epochs.last().copied()) {
            Ok(Some(epoch)) if epoch >= self.recovered.next_epoch => {
                let location = around.store.location();
                RunError::Protocol(ProtocolError::Raced { epoch, location })
            }
            _ => error,
        }
    }

    /// Starts the one lane of a dataflow with operators, with their state restored.
    fn operators_lane(
        &mut self,
        around: &Surroundings<'_>,
        operators: &Operators,
        members: &Members,
        starts: &BTreeMap<String, Vec<SplitStart>>,
        events: &Sender<(u32, Event)>,
    ) -> Result<LaneHandle, RunError> {
        let id = LaneId(0);
        let dataflow = around.dataflow;
        let options = &around.options.operators;
        // In a replay a source has ended only if it had in the epoch that is written again.
        let ended = match (&self.recovered.replay, &self.recovered.state) {
            (Some(_), Some(record)) => Some(state::time_of(record)?.sources),
            _ => None,
        };
        let mut inputs = Vec::new();
        let mut sources = Vec::new();
        for (input, open) in dataflow.sources.iter().zip(&mut self.sources) {
            let reader = open.source.reader(id).map_err(at(&input.name))?;
            let mut lane_input = LaneInput::new(&input.name, reader);
            if self.recovered.replay.is_some() {
                // A reader of nothing need not say that it is at its end.
                let is_empty = starts.get(&input.name).is_none_or(Vec::is_empty);
                lane_input.is_assigned = is_empty;
                lane_input.is_finished = is_empty;
            }
            inputs.push(lane_input);
            let had_ended = ended.as_ref().is_none_or(|ended| {
                let saved = ended.get(&input.name);
                saved.is_some_and(|saved| saved.has_ended)
            });
            sources.push(LaneSource {
                table: input.name.clone(),
                expression: input.watermark.as_ref().map(|factory| factory()),
                watermark: SourceWatermark::new(options.idle_timeout, options.watermark_interval),
                is_bounded: input.spec.is_bounded() && had_ended,
                has_ended: false,
            });
        }
        let replay = self.recovered.replay.as_ref();
        let is_wanted = |sink: usize| {
            let (group, member) = members[sink];
            replay.is_none_or(|replay| has_lost(replay, &self.groups[group].key, member))
        };
        let wanted = (0..dataflow.sinks.len()).map(is_wanted).collect();
        let mut writers = Vec::new();
        for sink in 0..dataflow.sinks.len() {
            writers.push(writer(dataflow, sink, id, (&mut self.groups, members))?);
        }
        let mut lane = LaneOperators::new(
            (operators.graph)(),
            operators.nodes.clone().into(),
            operators.changes.clone(),
            sources,
            wanted,
            options.clone(),
        );
        if let Some(record) = self.state_before() {
            let started = around.clock.monotonic();
            let place = (around.store, &self.identity);
            let (nodes, groups) = (&operators.nodes, options.key_groups);
            let now_ms = around.clock.now_ms();
            let restored = state::restore(place, record, nodes, groups, &mut lane, now_ms);
            restored.map_err(|error| self.if_overtaken(around, error))?;
            around.status.restored(around.clock.monotonic() - started);
        }
        let work = LaneWork::Operators(Box::new(lane));
        let all = (0..dataflow.sources.len()).collect();
        start_lane(around, id, all, (inputs, work, writers), events)
    }
}
