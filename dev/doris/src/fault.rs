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
    /// A commit waits three seconds before it is done.
    CommitHeld,
    /// A commit is done, but its answer does not arrive.
    CommitReplyLost,
}

/// A fault that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no fault: POINT[:TIMES[:AFTER]], with one of the points {points}", points = POINTS.join(", "))]
pub struct UnknownFault(String);

/// The names of all points.
pub const POINTS: &[&str] = &[
    "frontend-failed",
    "frontend-redirects-to-nowhere",
    "frontend-redirects-to-stranger",
    "load-too-many-versions",
    "load-server-error",
    "load-cancelled",
    "load-reply-lost",
    "publish-timeout",
    "commit-server-error",
    "commit-lock-timeout",
    "commit-held",
    "commit-reply-lost",
];

impl std::str::FromStr for Fault {
    type Err = UnknownFault;

    /// Reads `POINT[:TIMES[:AFTER]]`, once and at once if it does not say.
    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault(text.to_owned());
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let point = serde_json::from_value(name.into()).map_err(|_| unknown())?;
        let mut number = |default| match parts.next() {
            None => Ok(default),
            Some(digits) => digits.parse().map_err(|_| unknown()),
        };
        Ok(Self {
            point,
            times: number(1)?,
            after: number(0)?,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        for point in POINTS {
            let fault: Fault = format!("{point}:2:3").parse().unwrap();
            assert_eq!((fault.times, fault.after), (2, 3));
            let name = serde_json::to_value(fault.point).unwrap();
            assert_eq!(name, *point);
        }
        let once: Fault = "publish-timeout".parse().unwrap();
        assert_eq!((once.times, once.after), (1, 0));
        assert!("nothing:1".parse::<Fault>().is_err());
        assert!("publish-timeout:x".parse::<Fault>().is_err());
    }
}
