//! What a Java pattern means, free of Java's spelling: character sets are resolved, flags are applied.

use regex_syntax::hir::ClassUnicode;
use thiserror::Error;

/// Why a pattern has no program.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum PatternError {
    /// Java throws `PatternSyntaxException`.
    #[error("{0}")]
    Invalid(String),
    /// Java has it, this engine does not.
    #[error("{0} in a regular expression is not supported yet")]
    Unsupported(String),
}

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Matches the empty text.
    Empty,
    /// One character out of a set; the empty set matches nothing.
    Set(ClassUnicode),
    /// Takes no room.
    Anchor(Anchor),
    /// A group that captures under its number, from 1.
    Capture(u32, Box<Node>),
    /// `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`.
    Look {
        behind: bool,
        negative: bool,
        node: Box<Node>,
    },
    /// `(?>…)`.
    Atomic(Box<Node>),
    /// `*`, `+`, `?`, `{m,n}`.
    Repeat {
        node: Box<Node>,
        least: u32,
        most: Option<u32>,
        kind: RepeatKind,
    },
    /// One after the other.
    Sequence(Vec<Node>),
    /// The first that fits.
    Choice(Vec<Node>),
    /// What the group of that number has matched last.
    Backreference(u32),
}

/// How eager a repetition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepeatKind {
    Greedy,
    Lazy,
    Possessive,
}

/// A condition on the place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// `^` without MULTILINE, `\A`.
    TextStart,
    /// `\z`.
    TextEnd,
    /// `$` without MULTILINE, `\Z`: at the end or before a last line terminator.
    TextEndOrTerminator(Lines),
    /// `^` with MULTILINE: at the start and behind terminators, but not at the end.
    LineStart(Lines),
    /// `$` with MULTILINE.
    LineEnd(Lines),
    /// `\b`.
    WordBoundary,
    /// `\B`.
    NotWordBoundary,
    /// `\G`.
    LastMatchEnd,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// `\n`, `\r\n`, `\r`, U+0085, U+2028, U+2029.
    Any,
    /// `\n` only: the flag `d`.
    Unix,
}

impl Node {
    /// Returns the greatest number of characters it matches, or `None` if there is none.
    pub(crate) fn length_max(&self) -> Option<u32> {
        match self {
            Self::Empty | Self::Anchor(_) | Self::Look { .. } => Some(0),
            Self::Set(_) => Some(1),
            Self::Capture(_, node) | Self::Atomic(node) => node.length_max(),
            Self::Repeat { node, most, .. } => node.length_max()?.checked_mul((*most)?),
            Self::Sequence(nodes) => nodes
                .iter()
                .try_fold(0_u32, |sum, node| sum.checked_add(node.length_max()?)),
            Self::Choice(nodes) => nodes
                .iter()
                .try_fold(0, |most, node| Some(node.length_max()?.max(most))),
            Self::Backreference(_) => None,
        }
    }

    /// Calls `see` for this part and every part in it.
    pub(crate) fn walk(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        match self {
            Self::Empty | Self::Set(_) | Self::Anchor(_) | Self::Backreference(_) => {}
            Self::Capture(_, node) | Self::Atomic(node) => node.walk(see),
            Self::Look { node, .. } | Self::Repeat { node, .. } => node.walk(see),
            Self::Sequence(nodes) | Self::Choice(nodes) => {
                nodes.iter().for_each(|node| node.walk(see));
            }
        }
    }
}
