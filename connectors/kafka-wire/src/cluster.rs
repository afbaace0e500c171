//! The brokers: who they are, who leads what, and one connection to each that is asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};
use millrace_connector::Cancel;
use parking_lot::Mutex;
use rustls::ClientConfig;

use crate::connection::Connection;
use crate::error::{WireError, is_passing};
use crate::settings::Settings;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic '{}', partition {}", self.topic, self.partition)
    }
}

/// What the brokers say of a topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, which another topic of that name has not; `None` = the brokers do not tell (before 2.8).
    pub id: Option<String>,
    /// Why nothing is known of it.
    pub error: Option<ResponseError>,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// What the brokers say of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub id: i32,
    /// The broker that leads it, if there is one.
    pub leader: Option<i32>,
    /// How often it has changed hands; -1 = the brokers do not tell.
    pub epoch: i32,
}

/// The brokers of one cluster.
pub struct Cluster {
    settings: Settings,
    tls: Option<Arc<ClientConfig>>,
    cancel: Cancel,
    state: Mutex<State>,
}

/// Connections, and what is known so far.
#[derive(Default)]
pub(crate) struct State {
    brokers: HashMap<i32, (String, u16)>,
    links: HashMap<i32, Connection>,
    /// A connection to a broker whose number is not known.
    first: Option<Connection>,
    leaders: HashMap<TopicPartition, i32>,
    coordinators: HashMap<Coordinator, i32>,
    cluster_id: Option<String>,
}

/// What a broker coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Coordinator {
    /// The offsets of a group.
    Group(String),
    /// The transactions of a transactional id.
    Transaction(String),
}

impl fmt::Display for Coordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group '{name}'"),
            Self::Transaction(name) => write!(f, "transactional id '{name}'"),
        }
    }
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

impl Cluster {
    /// Returns the cluster that `settings` lead to. Asks nobody yet; reads certificates.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(settings: Settings, cancel: Cancel) -> Result<Self, WireError> {
        let tls = match &settings.tls {
            Some(tls) => Some(tls.config()?),
            None => None,
        };
        Ok(Self {
            settings,
            tls,
            cancel,
            state: Mutex::default(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Returns what the brokers say of these topics, or of all. Errors of single topics are in the answer.
    ///
    /// # Errors
    /// No broker answers within `limit`.
    pub fn topics(
        &self,
        names: Option<&[String]>,
        limit: Duration,
    ) -> Result<Vec<Topic>, WireError> {
        self.retry(limit, |state, deadline| {
            self.metadata(state, names, deadline)
        })
    }

    /// Returns the cluster's id, once topics were asked for; `None` = the brokers do not tell.
    pub fn id(&self) -> Option<String> {
        self.state.lock().cluster_id.clone()
    }

    /// Opens a connection of its own to a broker that an answer named.
    pub(crate) fn open(&self, node: i32) -> Result<Connection, WireError> {
        let address = self.state.lock().brokers.get(&node).cloned();
        let (host, port) = address
            .ok_or_else(|| WireError::Unreachable(format!("broker {node} has no address")))?;
        self.connect(&host, port)
    }

    fn connect(&self, host: &str, port: u16) -> Result<Connection, WireError> {
        Connection::open(&self.settings, self.tls.as_ref(), host, port, &self.cancel)
    }

    /// Tries until it succeeds, fails for good, or time is up.
    pub(crate) fn retry<T>(
        &self,
        limit: Duration,
        attempt: impl FnMut(&mut State, Instant) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        self.retry_with(limit, self.settings.retry_backoff, attempt)
    }

    /// Does the same with a first and a longest pause of its own.
    pub(crate) fn retry_with<T>(
        &self,
        limit: Duration,
        (mut pause, pause_max): (Duration, Duration),
        mut attempt: impl FnMut(&mut State, Instant) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let deadline = Instant::now() + limit;
        loop {
            let outcome = attempt(&mut self.state.lock(), deadline);
            match outcome {
                Err(error) if error.may_pass() && Instant::now() + pause < deadline => {
                    tracing::debug!(%error, "asking again");
                }
                outcome => return outcome,
            }
            std::thread::sleep(pause);
            if self.cancel.is_cancelled() {
                return Err(WireError::Cancelled);
            }
            pause = (pause * 2).min(pause_max).min(Duration::from_secs(1));
        }
    }

    /// Returns how long one answer may take.
    fn patience(&self, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        left.min(self.settings.request_timeout)
    }

    /// Asks any broker.
    pub(crate) fn ask_any<R: Request>(
        &self,
        state: &mut State,
        request: &R,
        versions: (i16, i16),
        deadline: Instant,
    ) -> Result<(R::Response, i16), WireError> {
        if let Some(node) = state.links.keys().next().copied() {
            match self.ask(state, node, request, versions, deadline) {
                Err(WireError::Unreachable(_)) => {}
                outcome => return outcome,
            }
        }
        if state.first.is_none() {
            state.first = Some(self.bootstrap(state, deadline)?);
        }
        let connection = state.first.as_mut().expect("it was just made");
        let limit = self.patience(deadline);
        let outcome = connection.call_within(request, versions.0, versions.1, limit);
        if outcome.is_err() {
            state.first = None;
        }
        outcome
    }

    /// Connects to the first broker that can be reached: of those in the settings, else of those that were met.
    fn bootstrap(&self, state: &State, deadline: Instant) -> Result<Connection, WireError> {
        let mut met: Vec<(String, u16)> = state.brokers.values().cloned().collect();
        met.sort_unstable();
        let named = self.settings.bootstrap.iter();
        let named = named.filter_map(|address| {
            let (host, port) = address.trim().rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Some((host.to_owned(), port.parse().ok()?))
        });
        let mut last = WireError::Config("'bootstrap.servers' names no host:port".into());
        for (host, port) in named.chain(met) {
            match self.connect(&host, port) {
                Err(error) if error.may_pass() => {
                    tracing::debug!(%error, "no connection");
                    last = error;
                }
                outcome => return outcome,
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(last)
    }

    /// Asks one broker.
    pub(crate) fn ask<R: Request>(
        &self,
        state: &mut State,
        node: i32,
        request: &R,
        versions: (i16, i16),
        deadline: Instant,
    ) -> Result<(R::Response, i16), WireError> {
        if !state.links.contains_key(&node) {
            let (host, port) =
                state.brokers.get(&node).cloned().ok_or_else(|| {
                    WireError::Unreachable(format!("broker {node} has no address"))
                })?;
            let connection = self.connect(&host, port)?;
            state.links.insert(node, connection);
        }
        let connection = state.links.get_mut(&node).expect("it was just made");
        let limit = self.patience(deadline);
        let outcome = connection.call_within(request, versions.0, versions.1, limit);
        if outcome.is_err() {
            // Whatever went wrong, the next question begins on a connection without a past.
            state.links.remove(&node);
        }
        outcome
    }

    fn metadata(
        &self,
        state: &mut State,
        names: Option<&[String]>,
        deadline: Instant,
    ) -> Result<Vec<Topic>, WireError> {
        let asked = names.map(|names| {
            let topic =
                |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
            names.iter().map(topic).collect()
        });
        let request = MetadataRequest::default()
            .with_topics(asked)
            .with_allow_auto_topic_creation(self.settings.auto_create);
        let (answer, _) = self.ask_any(state, &request, (4, 12), deadline)?;
        Ok(state.learn(&answer))
    }

    /// Returns the brokers' numbers, in order.
    pub(crate) fn nodes(
        &self,
        state: &mut State,
        deadline: Instant,
    ) -> Result<Vec<i32>, WireError> {
        if state.brokers.is_empty() {
            self.metadata(state, Some(&[]), deadline)?;
        }
        let mut nodes: Vec<i32> = state.brokers.keys().copied().collect();
        nodes.sort_unstable();
        if nodes.is_empty() {
            return Err(WireError::Unreachable("the cluster names no broker".into()));
        }
        Ok(nodes)
    }

    /// Returns who leads each of these, asking where it is not known.
    pub(crate) fn leaders<'a>(
        &self,
        state: &mut State,
        partitions: impl Iterator<Item = &'a TopicPartition> + Clone,
        deadline: Instant,
    ) -> Result<HashMap<i32, Vec<&'a TopicPartition>>, WireError> {
        let unknown = partitions
            .clone()
            .filter(|name| !state.leaders.contains_key(*name));
        let mut topics: Vec<String> = unknown.map(|name| name.topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        if !topics.is_empty() {
            for topic in self.metadata(state, Some(&topics), deadline)? {
                if let Some(code) = topic.error.filter(|code| !is_passing(*code)) {
                    return Err(WireError::refused(
                        format!("look up topic '{}'", topic.name),
                        code,
                    ));
                }
            }
        }
        let mut found: HashMap<i32, Vec<&TopicPartition>> = HashMap::new();
        for partition in partitions {
            let leader = state.leaders.get(partition).ok_or_else(|| {
                let what = format!("find the leader of {partition}");
                WireError::refused(what, ResponseError::LeaderNotAvailable)
            })?;
            found.entry(*leader).or_default().push(partition);
        }
        Ok(found)
    }
}

impl Cluster {
    /// Returns the broker that coordinates.
    pub(crate) fn coordinator(
        &self,
        state: &mut State,
        what: &Coordinator,
        deadline: Instant,
    ) -> Result<i32, WireError> {
        if let Some(node) = state.coordinators.get(what) {
            return Ok(*node);
        }
        let (key, kind, oldest) = match what {
            Coordinator::Group(name) => (name, 0, 0),
            Coordinator::Transaction(name) => (name, 1, 1),
        };
        let request = FindCoordinatorRequest::default()
            .with_key(StrBytes::from_string(key.clone()))
            .with_key_type(kind);
        let (answer, _) = self.ask_any(state, &request, (oldest, 3), deadline)?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            let question = format!("find the coordinator of {what}");
            return Err(WireError::refused(question, code));
        }
        let node = answer.node_id.0;
        state.learn_broker(node, &answer.host, answer.port);
        state.coordinators.insert(what.clone(), node);
        Ok(node)
    }
}

impl State {
    /// Forgets who leads what.
    pub(crate) fn forget_leaders(&mut self) {
        self.leaders.clear();
    }

    /// Forgets who coordinates.
    pub(crate) fn forget_coordinator(&mut self, what: &Coordinator) {
        self.coordinators.remove(what);
    }

    /// Notes where a broker is.
    pub(crate) fn learn_broker(&mut self, node: i32, host: &str, port: i32) {
        let port = u16::try_from(port).unwrap_or(0);
        let new = (host.to_owned(), port);
        if self.brokers.get(&node) != Some(&new) {
            self.links.remove(&node);
            self.brokers.insert(node, new);
        }
    }

    fn learn(&mut self, answer: &MetadataResponse) -> Vec<Topic> {
        if let Some(id) = &answer.cluster_id {
            self.cluster_id = Some(id.to_string());
        }
        for broker in &answer.brokers {
            self.learn_broker(broker.node_id.0, &broker.host, broker.port);
        }
        let mut topics = Vec::with_capacity(answer.topics.len());
        for topic in &answer.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for found in &topic.partitions {
                let leader = (found.leader_id.0 >= 0).then_some(found.leader_id.0);
                let key = TopicPartition {
                    topic: name.to_owned(),
                    partition: found.partition_index,
                };
                match leader {
                    Some(leader) => drop(self.leaders.insert(key, leader)),
                    None => drop(self.leaders.remove(&key)),
                }
                partitions.push(Partition {
                    id: found.partition_index,
                    leader,
                    epoch: found.leader_epoch,
                });
            }
            let is_told = !topic.topic_id.is_nil();
            topics.push(Topic {
                name: name.to_owned(),
                id: is_told.then(|| topic.topic_id.to_string()),
                error: ResponseError::try_from_code(topic.error_code),
                partitions,
            });
        }
        topics
    }
}
