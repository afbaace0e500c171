//! A compiled pattern.

use std::sync::OnceLock;

use thiserror::Error;

use super::pattern::Pattern;
use super::print::{self, Guard};
use super::syntax::{Anchor, Node, PatternError};

/// The most bytes a program may take.
const PROGRAM_BYTES_MAX: usize = 16 << 20;
/// The most steps back the backtracking engine may take on one text.
const STEPS_BACK_MAX: usize = 1_000_000;

/// Start and end of a match or group, in bytes.
pub(crate) type Span = (usize, usize);

/// The backtracking engine gave up.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the regular expression takes more than {STEPS_BACK_MAX} steps back on a text")]
pub(crate) struct StepsExceeded;

/// A Java pattern ready to run.
#[derive(Debug)]
pub(crate) struct JavaRegex {
    node: Node,
    groups: usize,
    linear: Option<(regex::Regex, Guard)>,
    exact: OnceLock<Result<fancy_regex::Regex, PatternError>>,
}

impl JavaRegex {
    /// Compiles `pattern` to search for it in texts: `Matcher.find`.
    ///
    /// # Errors
    /// Java refuses the pattern, or this engine does.
    pub(crate) fn find_in(pattern: &str) -> Result<Self, PatternError> {
        Self::compile(Pattern::read(pattern)?)
    }

    /// Compiles `pattern` to match texts as a whole: `Matcher.matches`.
    ///
    /// # Errors
    /// Java refuses the pattern, or this engine does.
    pub(crate) fn match_all_of(pattern: &str) -> Result<Self, PatternError> {
        let mut pattern = Pattern::read(pattern)?;
        pattern.node = Node::Sequence(vec![
            Node::Anchor(Anchor::TextStart),
            pattern.node,
            Node::Anchor(Anchor::TextEnd),
        ]);
        Self::compile(pattern)
    }

    fn compile(pattern: Pattern) -> Result<Self, PatternError> {
        debug_assert!(pattern.names.len() <= pattern.groups as usize);
        let linear = match print::linear_guard(&pattern.node) {
            Some(guard) => Some((compile_linear(&print::linear(&pattern.node))?, guard)),
            None => None,
        };
        let regex = Self {
            node: pattern.node,
            groups: pattern.groups as usize,
            linear,
            exact: OnceLock::new(),
        };
        // Whatever may be needed later is built now, so that no row fails for the pattern's sake.
        if regex
            .linear
            .as_ref()
            .is_none_or(|(_, guard)| *guard != Guard::None)
        {
            regex.exact()?;
        }
        Ok(regex)
    }

    /// Returns how many groups there are, without group 0.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// Returns the linear program, if it is right for `text`.
    fn linear(&self, text: &str) -> Option<&regex::Regex> {
        let (program, guard) = self.linear.as_ref()?;
        let holds = match guard {
            Guard::None => true,
            Guard::NoLastTerminator => !text.ends_with(is_terminator),
            Guard::NoTerminator => !text.contains(is_terminator),
        };
        holds.then_some(program)
    }

    /// Returns the backtracking program, which is right for all texts.
    pub(super) fn exact(&self) -> Result<&fancy_regex::Regex, PatternError> {
        let program = self
            .exact
            .get_or_init(|| compile_exact(&print::exact(&self.node)));
        program.as_ref().map_err(Clone::clone)
    }

    fn exact_built(&self) -> &fancy_regex::Regex {
        self.exact()
            .expect("compile builds it when it can be needed")
    }

    /// Tells whether the pattern is found in `text`.
    ///
    /// # Errors
    /// The pattern backtracks too much on this text.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, StepsExceeded> {
        match self.linear(text) {
            Some(program) => Ok(program.is_match(text)),
            None => self.exact_built().is_match(text).map_err(|_| StepsExceeded),
        }
    }

    /// Returns the first match at or behind byte `from`.
    ///
    /// # Errors
    /// The pattern backtracks too much on this text.
    pub(crate) fn find_at(&self, text: &str, from: usize) -> Result<Option<Span>, StepsExceeded> {
        match self.linear(text) {
            Some(program) => Ok(program
                .find_at(text, from)
                .map(|found| (found.start(), found.end()))),
            None => self
                .exact_built()
                .find_from_pos(text, from)
                .map(|found| found.map(|found| (found.start(), found.end())))
                .map_err(|_| StepsExceeded),
        }
    }

    /// Returns a group of the first match in `text`; outer `None` if there is no match, inner `None` if the group
    /// took no part in it or is not there.
    ///
    /// # Errors
    /// The pattern backtracks too much on this text.
    pub(crate) fn group(
        &self,
        text: &str,
        group: usize,
    ) -> Result<Option<Option<Span>>, StepsExceeded> {
        if group == 0 {
            return Ok(self.find_at(text, 0)?.map(Some));
        }
        match self.linear(text) {
            Some(program) => {
                let mut locations = program.capture_locations();
                let found = program.captures_read(&mut locations, text);
                Ok(found.map(|_| locations.get(group)))
            }
            None => self
                .exact_built()
                .captures(text)
                .map(|found| {
                    found.map(|groups| groups.get(group).map(|span| (span.start(), span.end())))
                })
                .map_err(|_| StepsExceeded),
        }
    }

    /// Calls `see` with a group of every match from left to right: `None` where it took no part.
    ///
    /// # Errors
    /// The pattern backtracks too much on this text.
    pub(crate) fn each_group(
        &self,
        text: &str,
        group: usize,
        mut see: impl FnMut(Option<Span>),
    ) -> Result<(), StepsExceeded> {
        let mut from = 0;
        while let Some(((start, end), found)) = self.group_at(text, from, group)? {
            see(found);
            from = end;
            if start == end {
                match text[end..].chars().next() {
                    Some(character) => from += character.len_utf8(),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Returns the first match at or behind byte `from`, and a group of it.
    fn group_at(
        &self,
        text: &str,
        from: usize,
        group: usize,
    ) -> Result<Option<(Span, Option<Span>)>, StepsExceeded> {
        match self.linear(text) {
            Some(program) => {
                let mut locations = program.capture_locations();
                let found = program.captures_read_at(&mut locations, text, from);
                Ok(found.map(|whole| ((whole.start(), whole.end()), locations.get(group))))
            }
            None => self
                .exact_built()
                .captures_from_pos(text, from)
                .map(|found| {
                    found.and_then(|groups| {
                        let span = |index| groups.get(index).map(|at| (at.start(), at.end()));
                        Some((span(0)?, span(group)))
                    })
                })
                .map_err(|_| StepsExceeded),
        }
    }

    /// Tells whether a match depends on what it takes alone, and on nothing around it.
    pub(crate) fn looks_at_nothing_around(&self) -> bool {
        let mut nothing = true;
        self.node.walk(&mut |node| {
            nothing &= !matches!(node, Node::Anchor(_) | Node::Look { .. });
        });
        nothing
    }

    /// Calls `see` with every match from left to right, as Java's `find` in a loop meets them: an empty match may
    /// stand right behind another match.
    ///
    /// # Errors
    /// The pattern backtracks too much on this text.
    pub(crate) fn each_match(
        &self,
        text: &str,
        mut see: impl FnMut(Span),
    ) -> Result<(), StepsExceeded> {
        let mut from = 0;
        while let Some((start, end)) = self.find_at(text, from)? {
            see((start, end));
            from = end;
            if start == end {
                match text[end..].chars().next() {
                    Some(character) => from += character.len_utf8(),
                    None => break,
                }
            }
        }
        Ok(())
    }
}

fn is_terminator(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn too_big(error: &dyn std::fmt::Display) -> PatternError {
    PatternError::Unsupported(format!("what this pattern needs ({error})"))
}

fn compile_linear(pattern: &str) -> Result<regex::Regex, PatternError> {
    regex::RegexBuilder::new(pattern)
        .size_limit(PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| too_big(&error))
}

fn compile_exact(pattern: &str) -> Result<fancy_regex::Regex, PatternError> {
    fancy_regex::RegexBuilder::new(pattern)
        .backtrack_limit(STEPS_BACK_MAX)
        .delegate_size_limit(PROGRAM_BYTES_MAX)
        .build()
        .map_err(|error| too_big(&error))
}
