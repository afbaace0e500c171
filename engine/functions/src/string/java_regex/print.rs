//! Writes a pattern for the two engines that run it.
//!
//! Only spellings that both engines read alike are used: sets by code points, groups without flags or names.

use std::fmt::Write as _;

use regex_syntax::hir::ClassUnicode;

use super::syntax::{Anchor, Lines, Node, RepeatKind};

/// Which texts a program without look-around is right for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guard {
    /// All.
    None,
    /// Those that do not end with a line terminator.
    NoLastTerminator,
    /// Those without line terminators.
    NoTerminator,
}

/// Returns what texts the linear form is right for, or `None` if the pattern has no linear form.
pub(crate) fn linear_guard(node: &Node) -> Option<Guard> {
    let mut guard = Some(Guard::None);
    node.walk(&mut |node| {
        let needed = match node {
            Node::Look { .. } | Node::Atomic(_) | Node::Backreference(_) => None,
            Node::Repeat {
                kind: RepeatKind::Possessive,
                ..
            }
            | Node::Anchor(Anchor::LastMatchEnd) => None,
            Node::Anchor(Anchor::TextEndOrTerminator(_)) => Some(Guard::NoLastTerminator),
            Node::Anchor(Anchor::LineStart(_) | Anchor::LineEnd(_)) => Some(Guard::NoTerminator),
            _ => Some(Guard::None),
        };
        guard = guard.zip(needed).map(|(guard, needed)| guard.max(needed));
    });
    guard
}

/// Returns the pattern for the `regex` crate, right for the texts of [`linear_guard`].
pub(crate) fn linear(node: &Node) -> String {
    let mut out = String::new();
    print(node, &mut out, &linear_anchor);
    out
}

/// Returns the pattern for the backtracking engine, right for all texts.
pub(crate) fn exact(node: &Node) -> String {
    let mut out = String::new();
    print(node, &mut out, &exact_anchor);
    out
}

fn print(node: &Node, out: &mut String, anchor: &dyn Fn(Anchor) -> &'static str) {
    let group = |out: &mut String, opening: &str, node: &Node| {
        out.push_str(opening);
        print(node, out, anchor);
        out.push(')');
    };
    match node {
        Node::Empty => out.push_str("(?:)"),
        Node::Set(set) => print_set(set, out),
        Node::Anchor(place) => out.push_str(anchor(*place)),
        Node::Capture(_, node) => group(out, "(", node),
        Node::Look {
            behind,
            negative,
            node,
        } => {
            let opening = match (behind, negative) {
                (false, false) => "(?=",
                (false, true) => "(?!",
                (true, false) => "(?<=",
                (true, true) => "(?<!",
            };
            group(out, opening, node);
        }
        Node::Atomic(node) => group(out, "(?>", node),
        Node::Repeat {
            node,
            least,
            most,
            kind,
        } => {
            let atomic = *kind == RepeatKind::Possessive;
            out.push_str(if atomic { "(?>" } else { "(?:" });
            group(out, "(?:", node);
            print_counts(*least, *most, out);
            if *kind == RepeatKind::Lazy {
                out.push('?');
            }
            out.push(')');
        }
        Node::Sequence(nodes) => {
            nodes.iter().for_each(|node| print(node, out, anchor));
        }
        Node::Choice(nodes) => {
            out.push_str("(?:");
            for (place, node) in nodes.iter().enumerate() {
                if place > 0 {
                    out.push('|');
                }
                print(node, out, anchor);
            }
            out.push(')');
        }
        Node::Backreference(number) => {
            write!(out, "(?:\\{number})").expect("a String takes everything");
        }
    }
}

fn print_counts(least: u32, most: Option<u32>, out: &mut String) {
    let result = match (least, most) {
        (0, None) => write!(out, "*"),
        (1, None) => write!(out, "+"),
        (0, Some(1)) => write!(out, "?"),
        (least, None) => write!(out, "{{{least},}}"),
        (least, Some(most)) if least == most => write!(out, "{{{least}}}"),
        (least, Some(most)) => write!(out, "{{{least},{most}}}"),
    };
    result.expect("a String takes everything");
}

fn print_set(set: &ClassUnicode, out: &mut String) {
    let ranges = set.ranges();
    if ranges.is_empty() {
        out.push_str(r"[^\x{0}-\x{10FFFF}]");
        return;
    }
    if let [only] = ranges
        && only.start() == only.end()
        && only.start().is_ascii_alphanumeric()
    {
        out.push(only.start());
        return;
    }
    out.push('[');
    for range in ranges {
        let (start, end) = (u32::from(range.start()), u32::from(range.end()));
        let result = if start == end {
            write!(out, "\\x{{{start:X}}}")
        } else {
            write!(out, "\\x{{{start:X}}}-\\x{{{end:X}}}")
        };
        result.expect("a String takes everything");
    }
    out.push(']');
}

/// Anchors where the guard holds: there, the only place before a terminator is none.
fn linear_anchor(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::TextStart | Anchor::LineStart(_) => r"\A",
        Anchor::TextEnd | Anchor::TextEndOrTerminator(_) | Anchor::LineEnd(_) => r"\z",
        Anchor::WordBoundary => r"\b",
        Anchor::NotWordBoundary => r"\B",
        Anchor::LastMatchEnd => unreachable!("linear_guard refuses it"),
    }
}

fn exact_anchor(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::TextStart => r"\A",
        Anchor::TextEnd => r"\z",
        Anchor::TextEndOrTerminator(Lines::Unix) => r"(?=\n?\z)",
        // Between \r and \n is no end.
        Anchor::TextEndOrTerminator(Lines::Any) => {
            r"(?:(?=\z)|(?=\r\n\z)|(?=[\r\x{85}\x{2028}\x{2029}]\z)|(?<!\r)(?=\n\z))"
        }
        Anchor::LineStart(Lines::Unix) => r"(?:\A|(?<=\n)(?!\z))",
        Anchor::LineStart(Lines::Any) => {
            r"(?:\A|(?<=[\n\x{85}\x{2028}\x{2029}])(?!\z)|(?<=\r)(?!\n)(?!\z))"
        }
        Anchor::LineEnd(Lines::Unix) => r"(?=\n|\z)",
        Anchor::LineEnd(Lines::Any) => r"(?:(?=[\r\x{85}\x{2028}\x{2029}]|\z)|(?<!\r)(?=\n))",
        Anchor::WordBoundary => r"\b",
        Anchor::NotWordBoundary => r"\B",
        Anchor::LastMatchEnd => r"\G",
    }
}
