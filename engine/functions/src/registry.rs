//! All functions by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{FunctionDef, cast, collection, json, numeric, operator, string, temporal};

/// The lists of all groups; a new group adds its `FUNCTIONS` here.
static GROUPS: &[&[&FunctionDef]] = &[
    cast::FUNCTIONS,
    collection::FUNCTIONS,
    json::FUNCTIONS,
    numeric::FUNCTIONS,
    operator::FUNCTIONS,
    string::FUNCTIONS,
    temporal::FUNCTIONS,
];

/// Functions that only versions of Flink after 1.17 have. A pipeline that is to be refused as 1.17 refuses it does not
/// know their names: [`BindContext::later_functions`](crate::BindContext::later_functions).
static LATER_GROUPS: &[&[&FunctionDef]] = &[
    collection::LATER_FUNCTIONS,
    json::LATER_FUNCTIONS,
    string::LATER_FUNCTIONS,
];

static BY_NAME: LazyLock<HashMap<&'static str, (&'static FunctionDef, bool)>> =
    LazyLock::new(|| {
        let mut map = HashMap::new();
        let named = all()
            .map(|def| (def, false))
            .chain(later().map(|def| (def, true)));
        for (def, is_later) in named {
            for name in std::iter::once(def.name).chain(def.aliases.iter().copied()) {
                let earlier = map.insert(name, (def, is_later));
                assert!(earlier.is_none(), "function name '{name}' is defined twice");
            }
        }
        map
    });

/// Returns every function, group by group.
pub fn all() -> impl Iterator<Item = &'static FunctionDef> {
    GROUPS.iter().flat_map(|group| group.iter().copied())
}

/// Returns the function of that name, in any case.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static FunctionDef> {
    BY_NAME
        .get(name.to_ascii_uppercase().as_str())
        .filter(|(_, is_later)| !is_later)
        .map(|(def, _)| *def)
}

/// Returns the functions that only versions of Flink after 1.17 have.
pub fn later() -> impl Iterator<Item = &'static FunctionDef> {
    LATER_GROUPS.iter().flat_map(|group| group.iter().copied())
}

/// Returns the function of that name, in any case, that only versions of Flink after 1.17 have.
#[must_use]
pub fn lookup_later(name: &str) -> Option<&'static FunctionDef> {
    BY_NAME
        .get(name.to_ascii_uppercase().as_str())
        .filter(|(_, is_later)| *is_later)
        .map(|(def, _)| *def)
}
