use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn profile() -> Profile {
    Profile {
        instance_id: None,
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout: SECOND,
        rebalance_timeout: SECOND * 5,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"r"))],
    }
}

fn join(group: &mut Group, id: &str, now: Instant) -> oneshot::Receiver<Joined> {
    let id = match group.join("", id.to_owned(), true, profile(), now).unwrap() {
        Join::Announced(id) => id,
        Join::Wait(_) => panic!("a new member is told its id first"),
    };
    rejoin(group, &id, now)
}

fn rejoin(group: &mut Group, id: &str, now: Instant) -> oneshot::Receiver<Joined> {
    match group
        .join(id, "unused".to_owned(), true, profile(), now)
        .unwrap()
    {
        Join::Wait(wait) => wait,
        Join::Announced(_) => panic!("it has its id"),
    }
}

#[test]
fn two_members_make_a_generation_and_share_the_leaders_plan() {
    let (mut group, now) = (Group::default(), Instant::now());
    let mut a = join(&mut group, "a", now);
    let mut b = join(&mut group, "b", now);
    assert!(a.try_recv().is_err(), "the first join waits for others");
    group.tick(now + FIRST_JOIN_WAIT);
    let (a, b) = (
        a.try_recv().unwrap().unwrap(),
        b.try_recv().unwrap().unwrap(),
    );
    assert_eq!((a.id, a.leader.as_str(), a.members.len()), (1, "a", 2));
    assert_eq!((b.id, b.leader.as_str(), b.members.len()), (1, "a", 0));
    let mut waits = group.sync("b", None, 1, Vec::new(), now).unwrap();
    assert!(waits.try_recv().is_err());
    let plan = |id: &str| (id.to_owned(), Bytes::copy_from_slice(id.as_bytes()));
    group
        .sync("a", None, 1, vec![plan("a"), plan("b")], now)
        .unwrap();
    assert_eq!(waits.try_recv().unwrap(), Ok(Bytes::from_static(b"b")));
    assert_eq!(group.heartbeat("a", None, 1, now), Ok(()));
    assert_eq!(
        group.heartbeat("a", None, 0, now),
        Err(ResponseError::IllegalGeneration)
    );
    assert_eq!(
        group.heartbeat("x", None, 1, now),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_leaving_or_silent_member_makes_the_others_join_again() {
    let (mut group, now) = (Group::default(), Instant::now());
    let _a = join(&mut group, "a", now);
    let _b = join(&mut group, "b", now);
    group.tick(now + FIRST_JOIN_WAIT);
    group.sync("a", None, 1, Vec::new(), now).unwrap();
    group.leave("b", None, now).unwrap();
    assert_eq!(
        group.heartbeat("a", None, 1, now),
        Err(ResponseError::RebalanceInProgress)
    );
    let again = rejoin(&mut group, "a", now).try_recv().unwrap().unwrap();
    assert_eq!((again.id, again.members.len()), (2, 1));
    group.sync("a", None, 2, Vec::new(), now).unwrap();
    group.tick(now + SECOND * 2);
    assert_eq!(group.state, State::Empty);
    assert_eq!(group.check_committer("", None, -1, now), Ok(()));
}

#[test]
fn who_does_not_come_back_in_time_is_left_out() {
    let (mut group, now) = (Group::default(), Instant::now());
    let _a = join(&mut group, "a", now);
    group.tick(now + FIRST_JOIN_WAIT);
    group.sync("a", None, 1, Vec::new(), now).unwrap();
    let mut b = join(&mut group, "b", now);
    for half in 1..=10 {
        let later = now + SECOND * half / 2;
        if half < 10 {
            // Alive, but it never joins.
            let told = group.heartbeat("a", None, 1, later);
            assert_eq!(told, Err(ResponseError::RebalanceInProgress));
        }
        group.tick(later);
    }
    assert_eq!(b.try_recv().unwrap().unwrap().leader, "b");
    assert_eq!(
        group.heartbeat("a", None, 2, now),
        Err(ResponseError::UnknownMemberId)
    );
}

#[test]
fn a_static_member_takes_its_own_place() {
    let (mut group, now) = (Group::default(), Instant::now());
    let fixed = Profile {
        instance_id: Some("one".to_owned()),
        ..profile()
    };
    let _old = group
        .join("", "old".to_owned(), true, fixed.clone(), now)
        .unwrap();
    let _new = group
        .join("", "new".to_owned(), true, fixed.clone(), now)
        .unwrap();
    assert_eq!(group.members.keys().collect::<Vec<_>>(), ["new"]);
    let fenced = group
        .join("old", String::new(), true, fixed, now)
        .unwrap_err();
    assert_eq!(fenced, ResponseError::FencedInstanceId);
}

#[test]
fn protocols_without_a_common_one_are_refused() {
    let (mut group, now) = (Group::default(), Instant::now());
    let _a = join(&mut group, "a", now);
    let other = vec![("sticky".to_owned(), Bytes::new())];
    let odd = Profile {
        protocols: other,
        ..profile()
    };
    let refused = group.join("", "b".to_owned(), false, odd, now).unwrap_err();
    assert_eq!(refused, ResponseError::InconsistentGroupProtocol);
}
