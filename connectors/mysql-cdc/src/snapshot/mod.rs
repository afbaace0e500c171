//! The snapshot: chunks read without locks, brought to one place of the binary log.
//!
//! ```text
//! cutter and readers (threads)                        lane
//!   low mark ─► chunk … chunk ─► high mark ── wave ─►  stream from the low to the high mark:
//!                                                        chunks of earlier waves: changes are emitted
//!                                                        chunks of this wave:     changes are put into their rows
//!                                                        everything else:         left to a later wave
//!   next wave ◄────────────────── request ──────────── at the high mark: the wave's rows are emitted
//! ```
//!
//! The chunks between two marks are read side by side: of several tables, or of one whose keys the cutter looks up
//! ahead of the readers. They are emitted in the order of tables and keys, whoever read them.
//!
//! So the log is read once, the state of a table is two keys, and nothing is read twice after a restart but the wave
//! in flight. Both marks are honest: whatever the low mark holds was visible to the chunks' queries, and whatever they
//! saw lies before the high mark. The low mark is a set of GTIDs (the log's end runs ahead of what other sessions
//! see), or the place that MariaDB tells with a consistent snapshot, one for each chunk, or the log's end of a while ago.

mod bound;
mod chunk;
mod cutter;
mod key;
mod marks;
mod plan;
mod query;
mod readers;
mod replay;
mod wave;

pub(crate) use chunk::Chunk;
pub(crate) use cutter::{Cutter, Request, begin};
pub(crate) use marks::{Low, Wave};
pub(crate) use replay::{Replay, Side, note};
