//! Keyed state: what operators remember between batches, and how it gets into a checkpoint and back.
//!
//! It knows keys, values and changes as bytes; it knows no operator, no clock and no store. An operator keeps its
//! state in the form that is fastest for it and hands out what changed since the last checkpoint as entries.

//!
//! ```text
//!  operator ─► StateWriter ─► ChangeBuffer ─► seal_changes ─► an object: blocks by operator and key group
//!  objects, the oldest first ─► MergedReader ─► StateReader ─► operator
//!                            └► runs_to_fold, fold_part ─► fewer objects
//! ```

mod block;
mod buffer;
mod entry;
mod fingerprint;
mod fold;
mod key_group;
mod layout;
mod merge;
mod object;

pub use buffer::ChangeBuffer;
pub use entry::{Change, StateError, StateReader, StateWriter, TableId};
pub use fingerprint::Fingerprint;
pub use fold::{fold_part, parts, runs_to_fold};
pub use key_group::{KEY_HASH_VERSION, key_group, key_hash};
pub use layout::{Head, OperatorHead, SealedObject};
pub use merge::MergedReader;
pub use object::{ObjectRanges, StateObject, seal_changes};
