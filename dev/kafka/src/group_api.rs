//! The requests of group members, and of tools that look at groups.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::api::{code, outcome};
use crate::broker::Broker;
use crate::connection::Caller;
use crate::group::{Generation, Group, Join, Profile};

/// From this version on a consumer without an id is told one and must come back with it.
const JOIN_RETURNS_WITH_ID: i16 = 4;
/// From this version on protocol names are optional in the answer.
const JOIN_OPTIONAL_PROTOCOL: i16 = 7;
const LEAVE_MANY: i16 = 3;
/// Longest session that is granted, as Apache Kafka's default.
const SESSION_MAX: Duration = Duration::from_secs(30 * 60);
const OPERATIONS_UNKNOWN: i32 = i32::MIN;
const STATE_DEAD: &str = "Dead";

fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

impl Broker {
    /// Answers `JoinGroup` when the generation is made.
    ///
    /// # Cancel safety
    /// A dropped call leaves the member waiting; its session ends as if it had gone silent.
    pub(crate) async fn join_group(
        self: &Arc<Self>,
        caller: &Caller,
        request: JoinGroupRequest,
    ) -> JoinGroupResponse {
        let asked_as = request.member_id.clone();
        let refused = |error, member_id: StrBytes| {
            let optional = caller.version >= JOIN_OPTIONAL_PROTOCOL;
            JoinGroupResponse::default()
                .with_error_code(code(error))
                .with_generation_id(-1)
                .with_protocol_name((!optional).then(StrBytes::default))
                .with_member_id(member_id)
        };
        let wait = match self.begin_join(caller, &request) {
            Ok(Join::Wait(wait)) => wait,
            Ok(Join::Announced(id)) => return refused(ResponseError::MemberIdRequired, text(id)),
            Err(error) => return refused(error, asked_as),
        };
        match wait.await {
            Ok(Ok(generation)) => joined(generation),
            Ok(Err(error)) => refused(error, asked_as),
            // The member joined a second time on another connection.
            Err(_) => refused(ResponseError::UnknownMemberId, asked_as),
        }
    }

    fn begin_join(
        &self,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) -> Result<Join, ResponseError> {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let session_timeout = millis(request.session_timeout_ms);
        if session_timeout.is_zero() || session_timeout > SESSION_MAX {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let rebalance_timeout = match request.rebalance_timeout_ms {
            // Version 0 has no such field.
            -1 => session_timeout,
            given => millis(given),
        };
        let protocols = request.protocols.iter();
        let profile = Profile {
            instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
            client_id: caller.client_id.clone(),
            client_host: format!("/{}", caller.peer.ip()),
            session_timeout,
            rebalance_timeout,
            protocol_type: request.protocol_type.to_string(),
            // Copied, because a slice keeps the whole request in memory.
            protocols: protocols
                .map(|known| {
                    (
                        known.name.to_string(),
                        Bytes::copy_from_slice(&known.metadata),
                    )
                })
                .collect(),
        };
        let new_id = format!("{}-{}", caller.client_id, Uuid::new_v4());
        self.groups.lock().get_or_create(&request.group_id).join(
            &request.member_id,
            new_id,
            caller.version >= JOIN_RETURNS_WITH_ID,
            profile,
            Instant::now(),
        )
    }

    /// Answers `SyncGroup` when the leader's assignment is there.
    ///
    /// # Cancel safety
    /// A dropped call leaves the member waiting, as for joins.
    pub(crate) async fn sync_group(
        self: &Arc<Self>,
        request: SyncGroupRequest,
    ) -> SyncGroupResponse {
        let assignments = request.assignments.into_iter();
        let assignments = assignments
            .map(|plan| (plan.member_id.to_string(), plan.assignment))
            .collect();
        let mut protocols = (None, None);
        let wait = {
            let mut groups = self.groups.lock();
            match groups.get_mut(&request.group_id) {
                None => Err(ResponseError::UnknownMemberId),
                Some(group) => {
                    protocols = (
                        Some(text(group.protocol_type.clone())),
                        Some(text(group.protocol.clone())),
                    );
                    group.sync(
                        &request.member_id,
                        request.group_instance_id.as_deref(),
                        request.generation_id,
                        assignments,
                        Instant::now(),
                    )
                }
            }
        };
        let synced = match wait {
            Ok(wait) => wait
                .await
                .unwrap_or(Err(ResponseError::RebalanceInProgress)),
            Err(error) => Err(error),
        };
        let response = SyncGroupResponse::default()
            .with_error_code(outcome(&synced))
            .with_assignment(synced.unwrap_or_default());
        response
            .with_protocol_type(protocols.0)
            .with_protocol_name(protocols.1)
    }

    /// Answers `Heartbeat`.
    pub(crate) fn heartbeat(&self, request: &HeartbeatRequest) -> HeartbeatResponse {
        let mut groups = self.groups.lock();
        let group = groups
            .get_mut(&request.group_id)
            .ok_or(ResponseError::UnknownMemberId);
        let alive = group.and_then(|group| {
            group.heartbeat(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id,
                Instant::now(),
            )
        });
        HeartbeatResponse::default().with_error_code(outcome(&alive))
    }

    /// Answers `LeaveGroup`, for one member or many.
    pub(crate) fn leave_group(
        &self,
        caller: &Caller,
        request: LeaveGroupRequest,
    ) -> LeaveGroupResponse {
        let single = caller.version < LEAVE_MANY;
        let leaving = if single {
            vec![MemberIdentity::default().with_member_id(request.member_id)]
        } else {
            request.members
        };
        let mut groups = self.groups.lock();
        let results = leaving.into_iter().map(|member| {
            let group = groups
                .get_mut(&request.group_id)
                .ok_or(ResponseError::UnknownMemberId);
            let instance = member.group_instance_id.as_deref();
            let left =
                group.and_then(|group| group.leave(&member.member_id, instance, Instant::now()));
            MemberResponse::default()
                .with_error_code(outcome(&left))
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
        });
        let members: Vec<MemberResponse> = results.collect();
        let response = LeaveGroupResponse::default();
        if single {
            return response.with_error_code(members.first().map_or(0, |member| member.error_code));
        }
        response.with_members(members)
    }

    /// Answers `ListGroups`.
    pub(crate) fn list_groups(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let groups = self.groups.lock();
        let wanted = |group: &Group| {
            let filter = &request.states_filter;
            filter.is_empty()
                || filter
                    .iter()
                    .any(|state| state.as_str() == group.state.name())
        };
        let listed = groups
            .iter()
            .filter(|(_, group)| wanted(group))
            .map(|(id, group)| {
                ListedGroup::default()
                    .with_group_id(GroupId(text(id.clone())))
                    .with_protocol_type(text(group.protocol_type.clone()))
                    .with_group_state(StrBytes::from_static_str(group.state.name()))
            });
        ListGroupsResponse::default().with_groups(listed.collect())
    }

    /// Answers `DescribeGroups`; a group that does not exist is shown as dead.
    pub(crate) fn describe_groups(&self, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
        let groups = self.groups.lock();
        let described = request.groups.into_iter().map(|id| {
            let shown = match groups.get(&id) {
                Some(group) => described(group),
                None => DescribedGroup::default()
                    .with_group_state(StrBytes::from_static_str(STATE_DEAD)),
            };
            shown
                .with_group_id(id)
                .with_authorized_operations(OPERATIONS_UNKNOWN)
        });
        DescribeGroupsResponse::default().with_groups(described.collect())
    }

    /// Answers `DeleteGroups`.
    pub(crate) fn delete_groups(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let mut groups = self.groups.lock();
        let results = request.groups_names.into_iter().map(|id| {
            let deleted = groups.delete(&id);
            DeletableGroupResult::default()
                .with_error_code(outcome(&deleted))
                .with_group_id(id)
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }
}

fn joined(generation: Generation) -> JoinGroupResponse {
    let members = generation.members.into_iter().map(|(id, instance, data)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.map(text))
            .with_metadata(data)
    });
    JoinGroupResponse::default()
        .with_generation_id(generation.id)
        .with_protocol_type(Some(text(generation.protocol_type)))
        .with_protocol_name(Some(text(generation.protocol)))
        .with_leader(text(generation.leader))
        .with_member_id(text(generation.member_id))
        .with_members(members.collect())
}

fn described(group: &Group) -> DescribedGroup {
    let members = group.members.iter().map(|(id, member)| {
        let data = member
            .profile
            .data_for(&group.protocol)
            .cloned()
            .unwrap_or_default();
        DescribedGroupMember::default()
            .with_member_id(text(id.clone()))
            .with_group_instance_id(member.profile.instance_id.clone().map(text))
            .with_client_id(text(member.profile.client_id.clone()))
            .with_client_host(text(member.profile.client_host.clone()))
            .with_member_metadata(data)
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(group.state.name()))
        .with_protocol_type(text(group.protocol_type.clone()))
        .with_protocol_data(text(group.protocol.clone()))
        .with_members(members.collect())
}
