//! How a call fails: before start ([`CallError`]) and on a row ([`RowError`]).

use thiserror::Error;

/// A call that cannot be bound: wrong argument count, types or literal.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CallError {
    /// No signature takes that many arguments.
    #[error("'{function}' takes {expected}, but {given} were given")]
    ArgumentCount {
        /// The function's name.
        function: String,
        /// What it takes, such as `2 or 3 arguments`.
        expected: String,
        /// How many were given.
        given: usize,
    },
    /// No signature takes arguments of these types.
    #[error("'{function}' does not take ({given})")]
    ArgumentTypes {
        /// The function's name.
        function: String,
        /// The types that were given, comma separated.
        given: String,
    },
    /// An argument is at fault by itself: not a literal where one is needed, a bad pattern, a bad unit.
    #[error("{message}")]
    Argument {
        /// Index of the argument, from 0.
        index: usize,
        /// What is wrong.
        message: String,
    },
    /// Flink has it, this engine has not built it yet.
    #[error("{what} is not supported yet")]
    NotYet {
        /// What is missing.
        what: String,
    },
}

/// A failure on one row, which in Flink fails the job.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct RowError {
    /// Row of the batch given to the kernel, from 0. Kernels report the first row that fails.
    pub row: usize,
    /// What went wrong, in Flink's words where it has some. Values are cut to 64 bytes.
    pub message: String,
}

impl RowError {
    /// Returns the failure of `row`.
    pub fn new(row: usize, message: impl Into<String>) -> Self {
        Self {
            row,
            message: message.into(),
        }
    }
}
