//! Misbehaviour on purpose: what goes wrong, and how often.

use serde::{Deserialize, Serialize};

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPoint {
    /// The FE answers a load or a commit with HTTP 200 and `{"status":"FAILED"}`.
    FrontendFailed,
    /// The FE redirects to a port where nobody listens.
    FrontendRedirectsToNowhere,
    /// The FE redirects to a host that is not of the cluster.
    FrontendRedirectsToStranger,
    /// The BE refuses a load by its headers with `TOO_MANY_VERSION`.
    LoadTooManyVersions,
    /// The BE answers a load with HTTP 500.
    LoadServerError,
    /// The BE cancels a load in the middle of its body.
    LoadCancelled,
    /// A load is done, but its answer does not arrive.
    LoadReplyLost,
    /// A plain load is committed and not visible yet.
    PublishTimeout,
    /// A commit is refused with HTTP 500 and not done.
    CommitServerError,
    /// A commit is refused because of busy locks, and not done.
    CommitLockTimeout,
    /// A commit is done, but its answer does not arrive.
    CommitReplyLost,
}

/// Something that goes wrong a number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where.
    pub point: FaultPoint,
    /// How many more times.
    pub times: u32,
    /// How many occasions pass unharmed before.
    #[serde(default)]
    pub after: u32,
}

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Tells whether it goes wrong now, and counts it.
    pub(crate) fn strikes(&mut self, point: FaultPoint) -> bool {
        let Some(fault) = self
            .0
            .iter_mut()
            .find(|fault| fault.point == point && fault.times > 0)
        else {
            return false;
        };
        if fault.after > 0 {
            fault.after -= 1;
            return false;
        }
        fault.times -= 1;
        true
    }
}
