//! The collection functions.

use crate::FunctionDef;

/// The functions of this group.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[];
