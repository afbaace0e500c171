//! What a checkpoint belongs to: where a table is, what its positions count, and its names at the other side.
//!
//! Each option of a connector is of one of four classes, which its page lists:
//!
//! | class | meaning after a change |
//! |---|---|
//! | place | another table: the checkpoint of the old one is not its own ([`Place`]) |
//! | name at the other side | taken from the checkpoint; changes with a generation ([`Names`]) |
//! | start only | read on a first start, ignored afterwards |
//! | content | free |

use serde::{Deserialize, Serialize};

/// Where a table is, as its options say. Nobody is asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The kind of system: `kafka`, `mysql`, `doris`. Empty where a checkpoint of an earlier build does not tell.
    pub system: String,
    /// How it is reached, in one spelling for one list. Only tells apart what has the same objects.
    #[serde(default)]
    pub address: String,
    /// What the table is of it: topics, `db.table`, or the pattern that names them.
    pub objects: Vec<String>,
    /// Whether the objects are patterns: a changed one may still mean the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_pattern: bool,
}

impl Place {
    /// Tells whether both have an object in common, however they are reached.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let is_kind =
            self.system.is_empty() || other.system.is_empty() || self.system == other.system;
        is_kind
            && self
                .objects
                .iter()
                .any(|object| other.objects.contains(object))
    }

    /// Tells whether both have an object in common and are reached in the same way.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        self.meets(other) && self.system == other.system && self.address == other.address
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            system,
            address,
            objects,
            ..
        } = self;
        write!(f, "{}", objects.join(", "))?;
        if !system.is_empty() {
            write!(f, " in {system} at {address}")?;
        }
        Ok(())
    }
}

/// What the positions of a source count, in its connector's own form: for Kafka the cluster's id and those of topics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(pub serde_json::Value);

/// The names that a group of sinks has at the other side, in its connector's own form: for Kafka what transactional ids
/// begin with, and the topic beside whose offsets the mark lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(pub serde_json::Value);
