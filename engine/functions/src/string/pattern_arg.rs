//! An argument that is a pattern: compiled once where it is constant, kept in a small cache where it is not.

use std::sync::Arc;

use super::java_regex::{JavaRegex, PatternCache, PatternError};
use super::signature::literal_text;
use crate::{Arg, CallError, RowError};

/// Compiles the text of a pattern argument.
pub(crate) type Compile = fn(&str) -> Result<JavaRegex, PatternError>;

/// The patterns of an argument.
#[derive(Debug)]
pub(crate) enum PatternArg {
    /// It is a literal.
    Constant(Arc<Result<JavaRegex, PatternError>>),
    /// It is a column.
    Column(PatternCache),
}

impl PatternArg {
    /// Prepares the argument with that index.
    ///
    /// # Errors
    /// It is a literal that Java would compile and this engine cannot. What Java refuses is no error here: each
    /// function has its own answer to that.
    pub(crate) fn new(args: &[Arg], index: usize, compile: Compile) -> Result<Self, CallError> {
        match literal_text(&args[index]) {
            Some(text) => Self::constant(&text, index, compile),
            None => Ok(Self::Column(PatternCache::new(compile))),
        }
    }

    /// Prepares a constant pattern.
    ///
    /// # Errors
    /// As [`PatternArg::new`].
    pub(crate) fn constant(text: &str, index: usize, compile: Compile) -> Result<Self, CallError> {
        let compiled = compile(text);
        if let Err(error @ PatternError::Unsupported(_)) = &compiled {
            return Err(CallError::Argument {
                index,
                message: error.to_string(),
            });
        }
        Ok(Self::Constant(Arc::new(compiled)))
    }

    /// Returns the program of a row's pattern, or `None` where Java refuses the pattern.
    ///
    /// # Errors
    /// The pattern is one that Java would compile and this engine cannot.
    pub(crate) fn get(&self, pattern: &str, row: usize) -> Result<RowPattern, RowError> {
        let compiled = match self {
            Self::Constant(compiled) => Arc::clone(compiled),
            Self::Column(cache) => cache.get(pattern),
        };
        match compiled.as_ref() {
            Err(error @ PatternError::Unsupported(_)) => Err(RowError::new(row, error.to_string())),
            _ => Ok(RowPattern(compiled)),
        }
    }
}

/// The pattern of one row.
#[derive(Debug)]
pub(crate) struct RowPattern(Arc<Result<JavaRegex, PatternError>>);

impl RowPattern {
    /// Returns the program, or `None` where Java refuses the pattern.
    pub(crate) fn program(&self) -> Option<&JavaRegex> {
        self.0.as_ref().as_ref().ok()
    }

    /// Returns the program.
    ///
    /// # Errors
    /// Java refuses the pattern.
    pub(crate) fn required(&self, row: usize) -> Result<&JavaRegex, RowError> {
        self.0
            .as_ref()
            .as_ref()
            .map_err(|error| RowError::new(row, error.to_string()))
    }
}

/// Turns a matcher's surrender into the row's failure.
pub(crate) fn at_row<T>(
    result: Result<T, super::java_regex::StepsExceeded>,
    row: usize,
) -> Result<T, RowError> {
    result.map_err(|error| RowError::new(row, error.to_string()))
}
