//! Sends batches to one broker, several at a time, and hears what became of them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use parking_lot::MutexGuard;

use super::batch::Batch;
use super::verdict::{Circumstances, Verdict, judge};
use super::{ProduceFailure, Shared, State};
use crate::cluster::{TopicPartition, topic_name};
use crate::codec::Packer;
use crate::connection::Connection;
use crate::error::WireError;

/// The oldest version knows transactions; from 12 on brokers add partitions to them by themselves.
const VERSIONS: (i16, i16) = (3, 9);
/// What is packed for one request, before it is sent: enough for one large batch or many small ones.
const REQUEST_BYTES: usize = 2 << 20;
/// Failures in a row after which the log says that something lasts.
const LASTING: u32 = 5;

/// Works until the producer is gone.
pub(super) fn run(shared: &Arc<Shared>, node: i32) {
    let packer = match Packer::new(shared.settings.compression) {
        Ok(packer) => packer,
        Err(error) => return shared.fail_all(error),
    };
    let mut sender = Sender {
        shared,
        node,
        packer,
        link: None,
        flights: VecDeque::new(),
        failures: 0,
        turn: 0,
    };
    loop {
        let outcome = match sender.next() {
            Next::End => return,
            Next::Send(batches) => sender.send(batches),
            Next::Hear => sender.hear(),
        };
        match outcome {
            Ok(()) => {}
            Err(WireError::Cancelled) => return,
            Err(error) => {
                if !sender.recover(error) {
                    return;
                }
            }
        }
    }
}

/// Batches by their lots.
type Batches = BTreeMap<usize, Batch>;

enum Next {
    Send(Batches),
    Hear,
    End,
}

/// A request that is not answered yet.
struct Flight {
    batches: Batches,
    version: i16,
    number: i32,
}

struct Sender<'a> {
    shared: &'a Arc<Shared>,
    node: i32,
    packer: Packer,
    link: Option<Connection>,
    flights: VecDeque<Flight>,
    /// Failures in a row.
    failures: u32,
    /// The lot that had its turn last.
    turn: usize,
}

impl Sender<'_> {
    /// Waits until there is something to do.
    fn next(&mut self) -> Next {
        let most = self.shared.settings.in_flight_max;
        let mut state = self.shared.state.lock();
        loop {
            if state.closed {
                return Next::End;
            }
            let now = Instant::now();
            if self.flights.len() < most && !state.must_renew {
                let batches = self.pick(&mut state, now);
                if !batches.is_empty() {
                    return Next::Send(batches);
                }
            }
            if !self.flights.is_empty() {
                return Next::Hear;
            }
            let paused = state.waiting.iter().filter_map(|id| {
                let line = &state.lines[*id];
                line.paused_until.filter(|_| line.leader == Some(self.node))
            });
            match paused.filter(|until| *until > now).min() {
                Some(until) => {
                    self.shared.changed.wait_until(&mut state, until);
                }
                None => self.shared.changed.wait(&mut state),
            }
        }
    }

    /// Takes a batch of each partition whose turn it is.
    fn pick(&mut self, state: &mut State, now: Instant) -> Batches {
        let most = self.shared.settings.in_flight_max;
        let behind = state.waiting.range(self.turn + 1..);
        let order: Vec<usize> = behind
            .chain(state.waiting.range(..=self.turn))
            .copied()
            .collect();
        let mut batches = Batches::new();
        let mut bytes = 0;
        for id in order {
            let line = &mut state.lines[id];
            if line.leader != Some(self.node) {
                continue;
            }
            let Some(size) = line.ready(now, most) else {
                continue;
            };
            if bytes > 0 && bytes + size > REQUEST_BYTES {
                break;
            }
            let Some(batch) = line.take() else { continue };
            bytes += size;
            batches.insert(id, batch);
            if line.is_empty() {
                state.waiting.remove(&id);
            }
            self.turn = id;
        }
        state.in_flight += batches.len();
        batches
    }

    fn send(&mut self, batches: Batches) -> Result<(), WireError> {
        // From here on whatever goes wrong puts the batches back.
        self.flights.push_back(Flight {
            batches,
            version: 0,
            number: 0,
        });
        let (low, high) = VERSIONS;
        self.pack()?;
        let version = self.link()?.newest::<ProduceRequest>(low, high)?;
        let flight = self.flights.back_mut().expect("it was just pushed");
        let shared = self.shared;
        if shared.settings.transactional_id.is_some() {
            shared.join(flight.batches.keys().copied())?;
        }
        let records = stamp(shared, &mut flight.batches);
        flight.version = version;
        let settings = &shared.settings;
        let timeout = shared.cluster.settings().request_timeout;
        let request = ProduceRequest::default()
            .with_transactional_id(
                settings
                    .transactional_id
                    .as_ref()
                    .map(|id| TransactionalId(StrBytes::from_string(id.clone()))),
            )
            .with_acks(settings.acks)
            .with_timeout_ms(i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX))
            .with_topic_data(records);
        let number = self.link()?.send(&request, version)?;
        if settings.acks == 0 {
            // Nobody answers: what the socket took counts as written.
            self.failures = 0;
            let flight = self.flights.pop_back().expect("it was just pushed");
            for (id, batch) in flight.batches {
                shared.settle(id, batch, None);
            }
            return Ok(());
        }
        self.flights.back_mut().expect("it was just pushed").number = number;
        Ok(())
    }

    fn pack(&mut self) -> Result<(), WireError> {
        let flight = self.flights.back_mut().expect("it was just pushed");
        let codec = self.shared.settings.compression.codec().number();
        for batch in flight.batches.values_mut() {
            let before = batch.held;
            let spare = batch.pack(&mut self.packer, codec)?;
            batch.held = batch.len();
            self.shared.packed(before, batch.held, spare);
        }
        Ok(())
    }

    fn link(&mut self) -> Result<&mut Connection, WireError> {
        if self.link.is_none() {
            let link = self.shared.cluster.open(self.node)?;
            let socket = link.socket();
            let mut state = self.shared.state.lock();
            if state.closed {
                drop(socket.shutdown(Shutdown::Both));
                return Err(WireError::Cancelled);
            }
            state.senders.insert(self.node, Some(socket));
            drop(state);
            self.link = Some(link);
        }
        Ok(self.link.as_mut().expect("it was just made"))
    }

    /// Waits for the answer to the oldest request.
    fn hear(&mut self) -> Result<(), WireError> {
        let flight = self.flights.front().expect("one is under way");
        let (version, number) = (flight.version, flight.number);
        // The broker waits as long for its replicas, and then says so.
        let limit = self
            .shared
            .cluster
            .settings()
            .request_timeout
            .saturating_mul(2);
        let answer = self
            .link()?
            .receive_for::<ProduceRequest>(version, number, limit)?;
        self.failures = 0;
        let flight = self.flights.pop_front().expect("one is under way");
        let mut codes = codes(answer);
        for (id, batch) in flight.batches {
            let name = self.shared.state.lock().lots[id].name.clone();
            // What the answer leaves out was not written for all we know.
            let code = codes
                .remove(&name)
                .unwrap_or(Some(ResponseError::UnknownServerError));
            self.shared.settle(id, batch, code);
        }
        Ok(())
    }

    /// Puts everything back that is under way, and waits; `false` when there is no use in going on.
    fn recover(&mut self, error: WireError) -> bool {
        self.link = None;
        let mut state = self.shared.state.lock();
        for flight in self.flights.drain(..) {
            for (id, batch) in flight.batches {
                self.shared.put_back(&mut state, id, batch);
            }
        }
        state.lookup = true;
        if !error.may_pass() {
            // Another sender for this broker is made when something is to be written again.
            state.senders.remove(&self.node);
            let partition = None;
            self.shared
                .fail(&mut state, ProduceFailure { partition, error });
            return false;
        }
        drop(state);
        self.shared.changed.notify_all();
        self.failures += 1;
        if self.failures == LASTING {
            tracing::warn!(broker = self.node, %error, "a broker cannot be written to; what it is to get waits");
        } else {
            tracing::debug!(broker = self.node, %error, "the connection is made anew");
        }
        let settings = self.shared.cluster.settings();
        self.shared.pause(settings.reconnect_pause(self.failures))
    }
}

/// Numbers and signs batches; returns them as a request has them.
fn stamp(shared: &Shared, batches: &mut Batches) -> Vec<TopicProduceData> {
    let is_transactional = shared.settings.transactional_id.is_some();
    let mut topics: BTreeMap<String, Vec<PartitionProduceData>> = BTreeMap::new();
    for (id, batch) in batches.iter_mut() {
        let (stamp, name) = {
            let mut state = shared.state.lock();
            let identity = state.identity;
            let line = &mut state.lines[*id];
            let stamp = identity.map(|identity| (identity, line.sequence(batch, identity)));
            (stamp, state.lots[*id].name.clone())
        };
        batch.attempts += 1;
        let records: Bytes = batch.sign(stamp, is_transactional);
        topics.entry(name.topic).or_default().push(
            PartitionProduceData::default()
                .with_index(name.partition)
                .with_records(Some(records)),
        );
    }
    let topics = topics.into_iter();
    topics
        .map(|(name, partitions)| {
            TopicProduceData::default()
                .with_name(topic_name(&name))
                .with_partition_data(partitions)
        })
        .collect()
}

fn codes(answer: ProduceResponse) -> HashMap<TopicPartition, Option<ResponseError>> {
    let mut codes = HashMap::new();
    for topic in answer.responses {
        for partition in topic.partition_responses {
            let name = TopicPartition {
                topic: topic.name.to_string(),
                partition: partition.index,
            };
            if let Some(why) = &partition.error_message {
                tracing::debug!(%name, %why, "a batch was refused");
            }
            codes.insert(name, ResponseError::try_from_code(partition.error_code));
        }
    }
    codes
}

impl Shared {
    /// Notes that a batch takes less room now, and keeps memory for later ones.
    fn packed(&self, before: usize, after: usize, spare: Option<Vec<u8>>) {
        let mut state = self.state.lock();
        state.bytes = (state.bytes + after) - before;
        if state.spare.len() < super::SPARE_MAX {
            state.spare.extend(spare);
        }
        self.settled.notify_all();
    }

    /// Puts a batch back that is not under way any more.
    fn put_back(&self, state: &mut MutexGuard<'_, State>, id: usize, batch: Batch) {
        state.in_flight -= 1;
        state.lines[id].landed();
        if state.is_doomed {
            self.finish(state, &batch);
            return;
        }
        state.lines[id].put_back(batch);
        state.waiting.insert(id);
    }

    /// Stops counting a batch.
    fn finish(&self, state: &mut MutexGuard<'_, State>, batch: &Batch) {
        state.bytes -= batch.held;
        state.outstanding -= 1;
        self.settled.notify_all();
    }

    /// Does what an answer about a batch asks for.
    fn settle(&self, id: usize, batch: Batch, code: Option<ResponseError>) {
        let mut state = self.state.lock();
        let state = &mut state;
        let line = &state.lines[id];
        let around = Circumstances {
            is_transactional: self.settings.transactional_id.is_some(),
            is_idempotent: self.settings.is_idempotent,
            lacks_before: line.lacks_before(&batch) || line.in_flight > 1,
        };
        let mut verdict = judge(code, around);
        if verdict != Verdict::Done && batch.attempts > self.settings.attempts_max {
            let last = code.unwrap_or(ResponseError::UnknownServerError);
            verdict = Verdict::Failed(last);
        }
        match verdict {
            Verdict::Done => {
                state.in_flight -= 1;
                state.lines[id].landed();
                self.finish(state, &batch);
            }
            Verdict::Again | Verdict::Renew => {
                tracing::debug!(partition = %state.lots[id].name, ?code, "a batch is sent again");
                self.put_back(state, id, batch);
                let pause = self.cluster.settings().retry_backoff.0;
                state.lines[id].paused_until = Some(Instant::now() + pause);
                state.lookup = true;
                state.must_renew |= verdict == Verdict::Renew;
            }
            Verdict::Failed(code) => {
                state.in_flight -= 1;
                state.lines[id].landed();
                self.finish(state, &batch);
                let name = state.lots[id].name.clone();
                let failure = ProduceFailure {
                    error: WireError::refused(format!("write to {name}"), code),
                    partition: Some(name),
                };
                self.fail(state, failure);
            }
        }
        self.changed.notify_all();
    }
}
