//! What an answer about a batch means.

use kafka_protocol::ResponseError;

use crate::error::is_passing;

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The broker has it.
    Done,
    /// It is sent again after a while; leaders may have changed.
    Again,
    /// The broker has lost track of our numbers: it is sent again by another producer.
    Renew,
    /// It cannot be written.
    Failed(ResponseError),
}

/// What is known of the batch besides the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// Whether its records belong to a transaction.
    pub(super) is_transactional: bool,
    /// Whether its records have numbers.
    pub(super) is_idempotent: bool,
    /// Whether a batch before it is still to be written.
    pub(super) lacks_before: bool,
}

/// Returns what an answer means.
///
/// # Source
/// `Sender.completeBatch` and `TransactionManager.canRetry` of Kafka's clients 3.2.
pub(super) fn judge(code: Option<ResponseError>, around: Circumstances) -> Verdict {
    use ResponseError as Code;
    let Some(code) = code else {
        return Verdict::Done;
    };
    match code {
        // It came through the first time, only the answer did not.
        Code::DuplicateSequenceNumber => Verdict::Done,
        Code::OutOfOrderSequenceNumber | Code::UnknownProducerId if around.is_idempotent => {
            if around.lacks_before {
                Verdict::Again
            } else if around.is_transactional {
                Verdict::Failed(code)
            } else {
                Verdict::Renew
            }
        }
        Code::UnknownTopicOrPartition
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend => Verdict::Again,
        _ if is_passing(code) => Verdict::Again,
        _ => Verdict::Failed(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: Circumstances = Circumstances {
        is_transactional: true,
        is_idempotent: true,
        lacks_before: false,
    };

    #[test]
    fn answers_are_judged() {
        use ResponseError as Code;
        let judged = |code| judge(Some(code), AROUND);
        assert_eq!(judge(None, AROUND), Verdict::Done);
        assert_eq!(judged(Code::DuplicateSequenceNumber), Verdict::Done);
        assert_eq!(judged(Code::NotLeaderOrFollower), Verdict::Again);
        assert_eq!(judged(Code::NotEnoughReplicasAfterAppend), Verdict::Again);
        for code in [
            Code::OutOfOrderSequenceNumber,
            Code::InvalidProducerEpoch,
            Code::MessageTooLarge,
            Code::TopicAuthorizationFailed,
        ] {
            assert_eq!(judged(code), Verdict::Failed(code));
        }
    }

    #[test]
    fn a_gap_in_the_numbers_is_healed_where_that_loses_nothing() {
        let gap = Some(ResponseError::OutOfOrderSequenceNumber);
        let behind = Circumstances {
            lacks_before: true,
            ..AROUND
        };
        assert_eq!(judge(gap, behind), Verdict::Again);
        let plain = Circumstances {
            is_transactional: false,
            ..AROUND
        };
        assert_eq!(judge(gap, plain), Verdict::Renew);
    }
}
