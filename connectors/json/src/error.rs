//! How a document is malformed, in Jackson's words.

use std::fmt;

use thiserror::Error;

/// A malformed document.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{fault}")]
pub struct JsonError {
    /// Where, in bytes from the document's start.
    pub offset: usize,
    /// What.
    pub fault: Fault,
}

/// What is wrong with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early.
    End(&'static str),
    /// A character stands where something else was expected.
    Unexpected(char, &'static str),
    /// A word that is no literal.
    Token,
    /// `01`.
    LeadingZero,
    /// `1.`, `1e`, `-`.
    Number(&'static str),
    /// `\x`.
    Escape(char),
    /// `\u12g4`.
    Unicode(char),
    /// An unescaped control character in a string.
    Control(u8),
    /// Bytes that are no UTF-8.
    Utf8,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End(what) => write!(f, "Unexpected end-of-input{what}"),
            Self::Unexpected(c, wanted) => {
                write!(f, "Unexpected character {}: {wanted}", Shown(*c))
            }
            Self::Token => f.write_str(
                "Unrecognized token: was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            ),
            Self::LeadingZero => {
                f.write_str("Invalid numeric value: Leading zeroes not allowed")
            }
            Self::Number(why) => f.write_str(why),
            Self::Escape(c) => write!(f, "Unrecognized character escape {}", Bare(*c)),
            Self::Unicode(c) => write!(
                f,
                "Unexpected character {}: expected a hex-digit for character escape sequence",
                Shown(*c)
            ),
            Self::Control(b) => write!(
                f,
                "Illegal unquoted character ((CTRL-CHAR, code {b})): has to be escaped using backslash to be included in string value"
            ),
            Self::Utf8 => f.write_str("Invalid UTF-8"),
        }
    }
}

/// A character as Jackson shows it: `('x' (code 120))`.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", Bare(self.0))
    }
}

/// The same without the outer parentheses.
struct Bare(char);

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.0);
        if code < 0x20 {
            write!(f, "(CTRL-CHAR, code {code})")
        } else {
            write!(f, "'{}' (code {code})", self.0)
        }
    }
}
