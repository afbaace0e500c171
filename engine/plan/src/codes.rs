//! The codes of this crate's diagnostics.

/// A kind of error: its code and what it says in one line.
///
/// The page `docs/errors/<code>.md` has the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Code such as `MR0301`.
    pub code: &'static str,
    /// What it means, in one line; the page's title.
    pub title: &'static str,
}

/// All codes of this crate, in order.
pub const CODES: &[Code] = &[
    code("MR0120", "a setting has a value that it cannot have"),
    code("MR0170", "not one query whose changes can be shown"),
    code("MR0301", "a table or view is not found"),
    code("MR0302", "a column or field is not found"),
    code("MR0303", "a column is ambiguous"),
    code("MR0304", "a name is defined twice"),
    code("MR0305", "a function is not found"),
    code("MR0306", "unknown metadata key"),
    code("MR0307", "a metadata column of an impossible type"),
    code("MR0308", "a catalog or database is not found"),
    code("MR0401", "a function gets too few or too many arguments"),
    code("MR0402", "a function does not take these types"),
    code("MR0403", "an argument is not valid by itself"),
    code("MR0404", "a value cannot be cast to this type"),
    code("MR0405", "values have no common type"),
    code("MR0406", "an untyped NULL where a type is needed"),
    code("MR0407", "a constant is out of range or malformed"),
    code("MR0408", "a condition is not BOOLEAN"),
    code("MR0409", "a constant division by zero"),
    code("MR0410", "the query does not fit the sink"),
    code("MR0411", "lists of different length"),
    code("MR0412", "a PRIMARY KEY that is not valid"),
    code("MR0413", "a clause or a call that cannot stand here"),
    code("MR0414", "a column that is not grouped"),
    code("MR0415", "a query that cannot be run without end"),
    code("MR0501", "an expression that is not supported yet"),
    code(
        "MR0502",
        "a function or a form of it that is not supported yet",
    ),
    code("MR0503", "an aggregate function, which needs state"),
    code("MR0504", "a clause that is not supported yet"),
    code("MR0505", "a query outside of INSERT INTO"),
    code("MR0506", "nothing to run"),
    code("MR0508", "a fault of the planner"),
    code("MR0509", "a query that is too large"),
    code("MR0510", "EXPLAIN where nothing is shown"),
];

const fn code(code: &'static str, title: &'static str) -> Code {
    Code { code, title }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_code_has_a_short_page() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        for Code { code, title } in CODES {
            let page = std::fs::read_to_string(pages.join(format!("{code}.md")))
                .unwrap_or_else(|error| panic!("{code}: {error}"));
            assert_eq!(
                page.lines().next(),
                Some(format!("# {code}: {title}").as_str())
            );
            assert!(page.lines().count() <= 25, "{code}");
        }
    }
}
