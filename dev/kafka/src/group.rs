//! Consumer groups by the classic protocol: who is a member, and which generation has which assignment.
//!
//! ```text
//!   Empty ──join──► Joining ──all joined, or time is up──► Syncing ──leader's plan──► Stable
//!     ▲                ▲ ▲                                    │                         │
//!     │                │ └────────── join, leave, expiry ─────┴─────────────────────────┘
//!     └─ last member left
//! ```
//!
//! Members wait for their answer by a one-shot channel, so the state itself never waits.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use crate::offsets::Offsets;

/// Wait for further members after the first one came to an empty group.
const FIRST_JOIN_WAIT: Duration = Duration::from_millis(50);

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_id: BTreeMap<String, Group>,
}

/// One group: its members and its offsets.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) offsets: Offsets,
    pub(crate) state: State,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: BTreeMap<String, Member>,
    generation: i32,
    leader: String,
    /// Ids given to consumers that were told to come back with them, and until when they hold.
    announced: HashMap<String, Instant>,
    /// While joining: not before and not after this a generation is made.
    join_from: Option<Instant>,
    join_until: Option<Instant>,
}

/// Where a group is in making a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// No members.
    #[default]
    Empty,
    /// Members are called to join the next generation.
    Joining,
    /// All joined; the leader makes the assignment.
    Syncing,
    /// Everybody has an assignment.
    Stable,
}

impl State {
    /// Returns the name that tools show.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Joining => "PreparingRebalance",
            Self::Syncing => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A consumer in a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) profile: Profile,
    pub(crate) assignment: Bytes,
    last_seen: Instant,
    joining: Option<oneshot::Sender<Joined>>,
    syncing: Option<oneshot::Sender<Synced>>,
}

/// What a consumer says about itself when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    /// Names in order of preference, each with data for the leader.
    pub(crate) protocols: Vec<(String, Bytes)>,
}

/// The answer to a join: the generation, and for its leader all members.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    pub(crate) members: Vec<(String, Option<String>, Bytes)>,
}

pub(crate) type Joined = Result<Generation, ResponseError>;
pub(crate) type Synced = Result<Bytes, ResponseError>;

/// How a join goes on.
#[derive(Debug)]
pub(crate) enum Join {
    /// Come back with this id.
    Announced(String),
    /// Wait here for the generation.
    Wait(oneshot::Receiver<Joined>),
}

impl Groups {
    /// Returns a group, made when it is new.
    pub(crate) fn get_or_create(&mut self, id: &str) -> &mut Group {
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), Group::default());
        }
        self.by_id.get_mut(id).expect("inserted above")
    }

    /// Finds a group.
    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.by_id.get(id)
    }

    /// Finds a group to change it.
    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.by_id.get_mut(id)
    }

    /// Returns all groups in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.by_id.iter()
    }

    /// Drops a group with its offsets.
    ///
    /// # Errors
    /// `GroupIdNotFound`, or `NonEmptyGroup` while it has members.
    pub(crate) fn delete(&mut self, id: &str) -> Result<(), ResponseError> {
        let group = self.by_id.get(id).ok_or(ResponseError::GroupIdNotFound)?;
        if group.state != State::Empty {
            return Err(ResponseError::NonEmptyGroup);
        }
        self.by_id.remove(id);
        Ok(())
    }

    /// Drops the offsets of a topic that is gone.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for group in self.by_id.values_mut() {
            group.offsets.forget_topic(topic);
        }
    }

    /// Lets time-outs happen: silent members leave, generations whose wait is over are made.
    pub(crate) fn tick(&mut self, now: Instant) {
        for group in self.by_id.values_mut() {
            group.tick(now);
        }
    }
}

impl Group {
    /// Takes a consumer in, or takes it along into the next generation.
    ///
    /// # Errors
    /// `UnknownMemberId`, `FencedInstanceId`, `InconsistentGroupProtocol`.
    pub(crate) fn join(
        &mut self,
        member_id: &str,
        new_id: String,
        must_return: bool,
        profile: Profile,
        now: Instant,
    ) -> Result<Join, ResponseError> {
        if !self.accepts(member_id, &profile) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let owner = self.instance_owner(profile.instance_id.as_deref());
        let id = match (member_id.is_empty(), owner) {
            // A restarted static member takes the place of the one before it.
            (true, Some(owner)) => {
                self.remove(&owner, ResponseError::FencedInstanceId);
                new_id
            }
            (true, None) if must_return && profile.instance_id.is_none() => {
                self.announced
                    .insert(new_id.clone(), now + profile.session_timeout);
                return Ok(Join::Announced(new_id));
            }
            (true, None) => new_id,
            (false, Some(owner)) if owner != member_id => {
                return Err(ResponseError::FencedInstanceId);
            }
            (false, _) => {
                let announced = self.announced.remove(member_id).is_some();
                if !announced && !self.members.contains_key(member_id) {
                    return Err(ResponseError::UnknownMemberId);
                }
                member_id.to_owned()
            }
        };
        let (answer, wait) = oneshot::channel();
        if self.rejoins_unchanged(&id, &profile) {
            let member = self.members.get_mut(&id).expect("only members rejoin");
            member.last_seen = now;
            // A receiver that is gone has closed its connection; it will join again.
            let _ = answer.send(Ok(self.generation_for(&id)));
            return Ok(Join::Wait(wait));
        }
        self.protocol_type.clone_from(&profile.protocol_type);
        let assignment = self
            .members
            .get(&id)
            .map(|member| member.assignment.clone());
        let member = Member {
            profile,
            assignment: assignment.unwrap_or_default(),
            last_seen: now,
            joining: Some(answer),
            syncing: None,
        };
        self.members.insert(id, member);
        self.call_to_join(now);
        self.make_generation_if_complete(now);
        Ok(Join::Wait(wait))
    }

    /// Reports whether all others could work with one of the consumer's protocols.
    fn accepts(&self, member_id: &str, profile: &Profile) -> bool {
        let others = || {
            self.members
                .iter()
                .filter(|(id, _)| id.as_str() != member_id)
        };
        let common = |(name, _): &(String, Bytes)| {
            others().all(|(_, member)| member.profile.data_for(name).is_some())
        };
        let same_type = others().next().is_none() || self.protocol_type == profile.protocol_type;
        !profile.protocol_type.is_empty() && same_type && profile.protocols.iter().any(common)
    }

    fn instance_owner(&self, instance: Option<&str>) -> Option<String> {
        let instance = instance?;
        let owns = |member: &Member| member.profile.instance_id.as_deref() == Some(instance);
        self.members
            .iter()
            .find(|(_, member)| owns(member))
            .map(|(id, _)| id.clone())
    }

    /// Reports whether a join changes nothing, so that the present generation answers it.
    fn rejoins_unchanged(&self, id: &str, profile: &Profile) -> bool {
        let same = self
            .members
            .get(id)
            .is_some_and(|member| member.profile == *profile);
        // A leader that joins a stable group wants a new assignment.
        let asks_for_plan = self.state == State::Stable && self.leader == id;
        same && matches!(self.state, State::Syncing | State::Stable) && !asks_for_plan
    }

    fn call_to_join(&mut self, now: Instant) {
        match self.state {
            State::Joining => return,
            State::Empty => self.join_from = Some(now + FIRST_JOIN_WAIT),
            State::Syncing | State::Stable => {
                self.join_from = None;
                for member in self.members.values_mut() {
                    member.answer_sync(Err(ResponseError::RebalanceInProgress));
                }
            }
        }
        let longest = self
            .members
            .values()
            .map(|member| member.profile.rebalance_timeout)
            .max();
        self.join_until = Some(now + longest.unwrap_or_default().max(FIRST_JOIN_WAIT));
        self.state = State::Joining;
    }

    fn make_generation_if_complete(&mut self, now: Instant) {
        let joined = self.members.values().all(|member| member.joining.is_some());
        let complete = joined && self.announced.is_empty();
        let may = self.join_from.is_none_or(|from| from <= now);
        let must = self.join_until.is_some_and(|until| until <= now);
        if self.state == State::Joining && ((complete && may) || must) {
            self.make_generation(now);
        }
    }

    fn make_generation(&mut self, now: Instant) {
        self.members.retain(|_, member| member.joining.is_some());
        self.announced.clear();
        (self.join_from, self.join_until) = (None, None);
        self.generation += 1;
        let Some(first) = self.members.keys().next() else {
            self.state = State::Empty;
            self.leader.clear();
            self.protocol.clear();
            return;
        };
        if !self.members.contains_key(&self.leader) {
            self.leader = first.clone();
        }
        self.protocol = self.best_protocol();
        self.state = State::Syncing;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let generation = self.generation_for(&id);
            let member = self.members.get_mut(&id).expect("ids are of members");
            member.last_seen = now;
            member.answer_join(Ok(generation));
        }
    }

    /// Takes the leader's first choice that everybody knows; `accepts` saw to it that there is one.
    fn best_protocol(&self) -> String {
        let known_to_all = |name: &str| {
            self.members
                .values()
                .all(|member| member.profile.data_for(name).is_some())
        };
        let choices = &self.members[&self.leader].profile.protocols;
        let best = choices
            .iter()
            .find(|(name, _)| known_to_all(name))
            .or(choices.first());
        best.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn generation_for(&self, id: &str) -> Generation {
        let told = |(id, member): (&String, &Member)| {
            let data = member
                .profile
                .data_for(&self.protocol)
                .cloned()
                .unwrap_or_default();
            (id.clone(), member.profile.instance_id.clone(), data)
        };
        let leads = self.leader == id;
        Generation {
            id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.to_owned(),
            members: if leads {
                self.members.iter().map(told).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// Takes the leader's assignment, or waits for it.
    ///
    /// # Errors
    /// As for [`Group::check_member`], and `RebalanceInProgress`.
    pub(crate) fn sync(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
        now: Instant,
    ) -> Result<oneshot::Receiver<Synced>, ResponseError> {
        self.check_member(member_id, instance_id, generation)?;
        let (answer, wait) = oneshot::channel();
        let member = self.members.get_mut(member_id).expect("checked above");
        member.last_seen = now;
        match self.state {
            State::Empty => return Err(ResponseError::UnknownMemberId),
            State::Joining => return Err(ResponseError::RebalanceInProgress),
            State::Stable => {
                // A receiver that is gone has closed its connection; it will join again.
                let _ = answer.send(Ok(member.assignment.clone()));
            }
            State::Syncing => {
                member.syncing = Some(answer);
                if self.leader == member_id {
                    self.assign(assignments, now);
                }
            }
        }
        Ok(wait)
    }

    fn assign(&mut self, assignments: Vec<(String, Bytes)>, now: Instant) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                // Copied, because the slice keeps the whole request in memory.
                member.assignment = Bytes::copy_from_slice(&assignment);
            }
        }
        self.state = State::Stable;
        for member in self.members.values_mut() {
            member.last_seen = now;
            member.answer_sync(Ok(member.assignment.clone()));
        }
    }

    /// Checks that somebody is a member of the present generation.
    ///
    /// # Errors
    /// `UnknownMemberId`, `FencedInstanceId`, `IllegalGeneration`.
    pub(crate) fn check_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if self
            .instance_owner(instance_id)
            .is_some_and(|owner| owner != member_id)
        {
            return Err(ResponseError::FencedInstanceId);
        }
        if !self.members.contains_key(member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    /// Checks that somebody may commit offsets: a member, or anybody where there are no members.
    ///
    /// # Errors
    /// As for [`Group::check_member`], and `RebalanceInProgress` while the assignment is made.
    pub(crate) fn check_committer(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.check_member(member_id, instance_id, generation)?;
        if self.state == State::Syncing {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.members
            .get_mut(member_id)
            .expect("checked above")
            .last_seen = now;
        Ok(())
    }

    /// Notes that a member lives.
    ///
    /// # Errors
    /// As for [`Group::check_member`], and `RebalanceInProgress` when it must join again.
    pub(crate) fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check_member(member_id, instance_id, generation)?;
        self.members
            .get_mut(member_id)
            .expect("checked above")
            .last_seen = now;
        match self.state {
            State::Joining => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Syncing | State::Stable => Ok(()),
        }
    }

    /// Lets a member go, named by its id or by its static instance.
    ///
    /// # Errors
    /// `UnknownMemberId`.
    pub(crate) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let id = match self.instance_owner(instance_id) {
            Some(owner) if member_id.is_empty() => owner,
            _ => member_id.to_owned(),
        };
        if self.announced.remove(&id).is_none() && !self.members.contains_key(&id) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(&id, ResponseError::UnknownMemberId);
        self.after_departure(now);
        Ok(())
    }

    fn remove(&mut self, id: &str, why: ResponseError) {
        if let Some(mut member) = self.members.remove(id) {
            member.answer_join(Err(why));
            member.answer_sync(Err(why));
        }
    }

    fn after_departure(&mut self, now: Instant) {
        if self.members.is_empty() && self.announced.is_empty() && self.state != State::Empty {
            self.make_generation(now);
        } else if self.state != State::Empty {
            self.call_to_join(now);
            self.make_generation_if_complete(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.announced.retain(|_, until| *until > now);
        let silent = |member: &Member| {
            let waits = member.joining.is_some() || member.syncing.is_some();
            !waits
                && now.saturating_duration_since(member.last_seen) > member.profile.session_timeout
        };
        let gone: Vec<String> = self
            .members
            .iter()
            .filter(|(_, member)| silent(member))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &gone {
            self.remove(id, ResponseError::UnknownMemberId);
        }
        if gone.is_empty() {
            self.make_generation_if_complete(now);
        } else {
            self.after_departure(now);
        }
    }

    /// Applies or drops the offsets that a transaction sent.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        self.offsets.end_transaction(producer_id, committed);
    }
}

impl Profile {
    /// Returns what this consumer says under a protocol.
    pub(crate) fn data_for(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map(|(_, data)| data)
    }
}

impl Member {
    // A receiver that is gone has closed its connection; the client will join again.
    fn answer_join(&mut self, joined: Joined) {
        if let Some(waiting) = self.joining.take() {
            let _ = waiting.send(joined);
        }
    }

    fn answer_sync(&mut self, synced: Synced) {
        if let Some(waiting) = self.syncing.take() {
            let _ = waiting.send(synced);
        }
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
