//! The commit protocol: source positions and output become durable together, or not at all.
//!
//! The decisions ([`decision`]) are pure functions; [`protocol`] carries them out over two traits, the store of
//! manifests ([`Store`]) and the sinks ([`millrace_connector::sink::SinkGroup`]), so that a simulation can run the very same
//! code through a crash at every step. It knows no lanes, no SQL and no clock.
//!
//! ```text
//!          barrier            decide                                      finish
//! lanes ──────┤ prepare(N) ──► put manifest N (proposed) ──► commit(N)+mark ──► followers commit(N), retention
//!             │                 conditional: one writer       the act, where a     repeatable
//!             │                 = the act without a decider   sink decides
//! ```

pub mod decision;
mod generation;
mod manifest;
mod object;
mod path;
pub mod protocol;
pub mod rescale;
mod slots;
mod state;
mod store;

pub use generation::{Generation, RecordError};
pub use manifest::{
    DecidedBy, Manifest, ManifestError, ParentRef, Ranges, SealedManifest, SinkRecord, SplitRange,
};
pub use object::{ObjectStoreError, ObjectStoreOptions, open_store};
pub use path::{Identity, manifest_path, slot_prefix};
pub use slots::owner;
pub use state::{
    ObjectRef, PendingObject, StateRecord, object_path, put_object, read_object, retire_objects,
};
pub use store::{MemoryStore, PendingPut, PutOutcome, Store, StoreError};
