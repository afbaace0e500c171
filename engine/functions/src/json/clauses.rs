//! What the JSON functions with clauses share: their literal arguments, and one document at a time.

use std::collections::HashMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use millrace_json::{Kind, Tape};

use super::path::{Document, Found, Path, find};
use crate::string::kernel::Texts;
use crate::{Arg, CallError, Column, Literal};

/// Returns the text of a literal argument, `None` for a NULL or an argument that is no text literal.
pub(super) fn literal_text(literal: Option<&Literal>) -> Option<&str> {
    let array = literal?.value.as_string_view_opt()?;
    (array.len() == 1 && array.is_valid(0)).then(|| array.value(0))
}

/// Returns the word of a clause, which the binder writes as a literal.
pub(super) fn clause(args: &[Arg], index: usize) -> Result<&str, CallError> {
    literal_text(args.get(index).and_then(|arg| arg.literal.as_ref())).ok_or_else(|| {
        CallError::Argument {
            index,
            message: "a clause of a JSON function must be a literal".to_owned(),
        }
    })
}

/// Returns the fault of a clause word that does not exist.
pub(super) fn no_clause(index: usize, word: &str) -> CallError {
    CallError::Argument {
        index,
        message: format!("'{word}' is no clause of this function"),
    }
}

/// Checks that the first two arguments, input and path, are text.
pub(super) fn check_texts(function: &str, args: &[Arg]) -> Result<(), CallError> {
    if args.len() < 2 {
        return Err(CallError::ArgumentCount {
            function: function.to_owned(),
            expected: "an input and a path".to_owned(),
            given: args.len(),
        });
    }
    let is_text =
        |arg: &Arg| arg.ty.kind.is_character() || arg.ty.kind == millrace_connector::TypeKind::Null;
    if args[..2].iter().all(is_text) {
        return Ok(());
    }
    let given: Vec<String> = args[..2].iter().map(|arg| arg.ty.to_string()).collect();
    Err(CallError::ArgumentTypes {
        function: function.to_owned(),
        given: given.join(", "),
    })
}

/// The paths of a call: mostly one for all rows.
pub(super) struct Paths<'a> {
    texts: Texts<'a>,
    known: HashMap<&'a str, Path>,
}

impl<'a> Paths<'a> {
    pub(super) fn new(column: &'a Column) -> Self {
        Self {
            texts: Texts::new(column),
            known: HashMap::new(),
        }
    }

    /// Returns the path of a row, `None` for NULL.
    pub(super) fn get(&mut self, row: usize) -> Option<&Path> {
        let text = self.texts.get(row)?;
        Some(self.known.entry(text).or_insert_with(|| Path::parse(text)))
    }
}

/// What a path finds in a text.
pub(super) enum Outcome {
    /// Nothing, where that is allowed.
    Empty,
    Found(Found),
    /// An error, which the ON ERROR clause speaks of.
    Fault(String),
}

/// Parses `text` onto `tape` and looks for `path`.
pub(super) fn look(tape: &mut Tape, text: &str, path: &Path) -> (Outcome, usize) {
    let root = match tape.parse::<false>(text.as_bytes(), 0) {
        Ok(root) => root,
        Err(error) if path.is_strict => return (Outcome::Fault(error.to_string()), 0),
        Err(_) => return (Outcome::Empty, 0),
    };
    if tape.kind(root) == Kind::Null {
        return (
            Outcome::Fault("json object can not be null".to_owned()),
            root,
        );
    }
    let document = Document {
        tape,
        bytes: text.as_bytes(),
        root,
    };
    let outcome = match find(&document, path) {
        Ok(Found::Nothing) if path.is_strict => Outcome::Fault(
            "Strict jsonpath mode requires a non empty returned value, but is null".to_owned(),
        ),
        Ok(Found::Nothing) => Outcome::Empty,
        Ok(found) => Outcome::Found(found),
        Err(fault) => Outcome::Fault(fault),
    };
    (outcome, root)
}
