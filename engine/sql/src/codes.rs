//! The codes of this crate's diagnostics.

/// A kind of error: its code and what it says in one line.
///
/// The page `docs/errors/<code>.md` has the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Code such as `MR0201`.
    pub code: &'static str,
    /// What it means, in one line; the page's title.
    pub title: &'static str,
}

/// All codes of this crate, in order.
pub const CODES: &[Code] = &[
    code("MR0201", "unexpected word or sign"),
    code("MR0202", "a string is not closed"),
    code("MR0203", "a quote ends a string too early"),
    code("MR0204", "a back-tick is not closed"),
    code("MR0205", "a comment or hint is not closed"),
    code("MR0206", "a character that is no part of SQL"),
    code("MR0207", "an operator that Flink SQL does not have"),
    code("MR0208", "a reserved word where a name is expected"),
    code("MR0209", "a comma is missing"),
    code("MR0210", "a parenthesis or block is not closed"),
    code("MR0211", "a comma behind the last item"),
    code("MR0212", "a semicolon is missing"),
    code("MR0213", "not a statement"),
    code("MR0214", "not a type"),
    code("MR0215", "a literal that is not valid"),
    code("MR0216", "a length or precision out of range"),
    code("MR0217", "nested too deeply"),
    code("MR0218", "syntax that is not supported"),
    code("MR0219", "a clause is written twice"),
    code("MR0220", "an option is not 'key' = 'value'"),
    code("MR0701", "a variable has no value"),
    code("MR0702", "a variable reference that is not valid"),
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

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
    }
}
