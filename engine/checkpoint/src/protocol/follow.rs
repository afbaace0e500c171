//! What follows the decision: committed once more by whoever recovers, thrown away where it never counted.

use millrace_connector::Epoch;
use millrace_connector::sink::{CommitOutcome, CommitRole, Mark};
use serde_json::Value;

use super::{Found, Loaded, NamedGroup, ProtocolError, Recovered, Replay};
use crate::{DecidedBy, Manifest, ParentRef, SinkRecord};

/// Commits what follows the decision once more, since the predecessor may have died before it could.
pub(super) fn adopt(groups: &mut [NamedGroup], found: Found) -> Result<Recovered, ProtocolError> {
    let Some(Loaded { head, manifest }) = found.counts else {
        return Ok(Recovered {
            positions: found.dealt,
            next_epoch: found.next_epoch,
            origins: found.origins,
            ..Recovered::default()
        });
    };
    let mark = mark_of(&manifest, &head.digest);
    let mut lost = Vec::new();
    for record in &manifest.sinks {
        let Some(index) = claim(groups, record)? else {
            continue;
        };
        let named = &mut groups[index];
        match named.group.commit(head.epoch, &record.committable, &mark)? {
            CommitOutcome::Committed => {}
            CommitOutcome::Lost(members) => lost.push((named.key.clone(), members)),
            CommitOutcome::NotCommitted | CommitOutcome::Unknown => {
                return Err(ProtocolError::Unknown { epoch: head.epoch });
            }
        }
    }
    let replay = (!lost.is_empty()).then(|| Replay {
        ranges: manifest.ranges().clone(),
        lost,
    });
    Ok(Recovered {
        checkpoint: Some(ParentRef {
            epoch: head.epoch,
            digest: head.digest,
        }),
        positions: manifest.positions(),
        origins: manifest.origins.clone(),
        is_marked: found.is_marked,
        is_settled: manifest.decided_by == DecidedBy::Manifest && manifest.sinks.is_empty(),
        next_epoch: found.next_epoch,
        void: found.void,
        replay,
        state: manifest.state,
        tries: found.tries,
    })
}

/// Throws away what void proposals had prepared. To be called after a commit of this process's own: only that proves that no
/// other copy has taken over and may yet commit them.
///
/// # Errors
/// What a sink said; the prepared output then goes by its own time-out.
pub fn discard_void(
    groups: &mut [NamedGroup],
    void: &[(Epoch, Vec<SinkRecord>)],
) -> Result<(), ProtocolError> {
    for (epoch, records) in void {
        for record in records {
            // What nobody knows any more goes by its own time-out.
            match claim(groups, record) {
                Ok(Some(index)) => {
                    let group = &mut groups[index].group;
                    group.discard(*epoch, Some(&record.committable))?;
                }
                Ok(None) | Err(ProtocolError::Owed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Returns the group that commits what `record` holds: the one of its key, or one of the same kind at another address that
/// knows of it. `None` where there is nothing to commit.
fn claim(groups: &mut [NamedGroup], record: &SinkRecord) -> Result<Option<usize>, ProtocolError> {
    if is_empty(&record.committable.0) {
        return Ok(None);
    }
    let follows = |named: &NamedGroup| named.group.role() == CommitRole::Follows;
    let same = |named: &NamedGroup| follows(named) && named.key == record.group;
    if let Some(index) = groups.iter().position(same) {
        return Ok(Some(index));
    }
    for (index, named) in groups.iter_mut().enumerate() {
        let is_kind = follows(named) && kind(&named.key) == kind(&record.group);
        if is_kind && named.group.knows(&record.committable)? {
            return Ok(Some(index));
        }
    }
    Err(ProtocolError::Owed {
        group: record.group.clone(),
    })
}

/// Returns a group's key without its address.
fn kind(key: &str) -> &str {
    key.split_once(" on ").map_or(key, |(kind, _)| kind)
}

/// Tells whether handles hold nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().all(is_empty),
        Value::Object(values) => values.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

pub(super) fn mark_of(manifest: &Manifest, digest: &str) -> Mark {
    Mark {
        epoch: manifest.epoch,
        generation: manifest.generation,
        slot: manifest.slot,
        digest: digest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use millrace_connector::sink::{SinkGroup, SinkWriter};
    use millrace_connector::{ConnectorError, LaneId};
    use serde_json::json;

    use super::*;
    use millrace_connector::sink::Committable;

    /// A group that knows of labels that begin with a letter.
    struct Knows(&'static str);

    impl SinkGroup for Knows {
        fn role(&self) -> CommitRole {
            CommitRole::Follows
        }
        fn fence(&mut self) -> Result<(), ConnectorError> {
            Ok(())
        }
        fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
            Ok(None)
        }
        fn writer(&mut self, _: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
            unreachable!("nothing is written")
        }
        fn begin(&mut self, _: Epoch) -> Result<(), ConnectorError> {
            Ok(())
        }
        fn prepare(&mut self, _: Epoch) -> Result<Committable, ConnectorError> {
            Ok(Committable::default())
        }
        fn commit(
            &mut self,
            _: Epoch,
            _: &Committable,
            _: &Mark,
        ) -> Result<CommitOutcome, ConnectorError> {
            Ok(CommitOutcome::Committed)
        }
        fn discard(&mut self, _: Epoch, _: Option<&Committable>) -> Result<(), ConnectorError> {
            Ok(())
        }
        fn knows(&mut self, committable: &Committable) -> Result<bool, ConnectorError> {
            let label = committable.0["loads"][0].as_str().unwrap_or_default();
            Ok(label.starts_with(self.0))
        }
    }

    #[test]
    fn prepared_output_is_committed_by_whoever_knows_of_it_or_nobody() {
        let named = |key: &str, letter| NamedGroup {
            key: key.into(),
            group: Box::new(Knows(letter)),
        };
        let mut groups = vec![
            named("doris transactions on new:8030", "a"),
            named("doris transactions on other:8030", "b"),
            named("lake on new:1", "c"),
        ];
        let record = |group: &str, label: &str| SinkRecord {
            group: group.into(),
            committable: Committable(json!({ "loads": [label] })),
        };
        let mut claimed = |group: &str, label: &str| claim(&mut groups, &record(group, label)).ok();
        assert_eq!(
            claimed("doris transactions on other:8030", "a"),
            Some(Some(1))
        );
        assert_eq!(
            claimed("doris transactions on old:8030", "a"),
            Some(Some(0))
        );
        assert_eq!(
            claimed("doris transactions on old:8030", "b"),
            Some(Some(1))
        );
        // Another kind of system never commits it, and it is not dropped either.
        assert_eq!(claimed("doris transactions on old:8030", "c"), None);
        let empty = SinkRecord {
            group: "doris transactions on old:8030".into(),
            committable: Committable(json!({ "loads": [] })),
        };
        assert_eq!(claim(&mut groups, &empty).ok(), Some(None));
    }
}
