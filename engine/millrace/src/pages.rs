//! The pages of `docs/errors`, compiled in.

use std::path::Path;

use millrace_connector::{Diagnostic, did_you_mean};

use crate::failure::Failure;
use crate::output;

static PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Returns the error code that the argument of `explain` is, if it is one.
pub(crate) fn code(argument: &Path) -> Option<String> {
    let text = argument.to_str()?.to_ascii_uppercase();
    let digits = text.strip_prefix("MR")?;
    (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// Prints the page of a code.
pub(crate) fn command(code: &str) -> Result<u8, Failure> {
    let page = PAGES.iter().find(|(known, _)| *known == code);
    let Some((_, page)) = page else {
        let diagnostic = Diagnostic::global("MR0705", format!("there is no error code {code}"));
        let near = did_you_mean(code, PAGES.iter().map(|(known, _)| *known));
        return Err(Failure::refused(match near {
            Some(near) => diagnostic.help(format!("did you mean {near}?")),
            None => diagnostic,
        }));
    };
    output::print(page);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_begins_with_its_code() {
        assert!(!PAGES.is_empty());
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}")), "{code}");
        }
    }

    #[test]
    fn a_code_is_told_from_a_file() {
        assert_eq!(code(Path::new("mr0103")).as_deref(), Some("MR0103"));
        assert_eq!(code(Path::new("MR01034")), None);
        assert_eq!(code(Path::new("pipeline.sql")), None);
    }
}
