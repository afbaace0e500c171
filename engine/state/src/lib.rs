//! Keyed state: what operators remember between batches, and how it gets into a checkpoint and back.
//!
//! It knows keys, values and changes as bytes; it knows no operator, no clock and no store. An operator keeps its
//! state in the form that is fastest for it and hands out what changed since the last checkpoint as entries.

mod entry;
mod key_group;

pub use entry::{Change, StateError, StateReader, StateWriter, TableId};
pub use key_group::{KEY_HASH_VERSION, key_group, key_hash};
