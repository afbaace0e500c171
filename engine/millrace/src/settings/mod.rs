//! Settings: one flat key space with Flink's names, every value with the place it came from.
//!
//! [`definitions`] is the list of what exists, [`layers`] collects values from outside of the SQL file, [`check`] finds
//! what is wrong with them, [`typed`] turns them into what the runtime wants.

pub(crate) mod check;
pub(crate) mod definitions;
pub(crate) mod layers;
mod memory;
mod restart;
pub(crate) mod typed;

pub(crate) use layers::{Outside, gather};
pub(crate) use typed::RunSettings;
