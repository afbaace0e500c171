//! Grapheme clusters, `\X` and `\b{g}`, in terms of sets.
//!
//! Java looks at no more than the characters on both sides for `\b{g}`, so flags of two letters and joined
//! pictographs are no exception to its pairs.

use regex_syntax::hir::ClassUnicode;

use super::sets::{grapheme_class, negated, union};
use super::syntax::{Node, RepeatKind};

fn classes(names: &[&str]) -> ClassUnicode {
    names.iter().fold(ClassUnicode::empty(), |set, name| {
        union(set, &grapheme_class(name))
    })
}

fn set(names: &[&str]) -> Node {
    Node::Set(classes(names))
}

fn visible() -> Node {
    Node::Set(negated(classes(&["Control", "CR", "LF"])))
}

fn repeat(least: u32, node: Node) -> Node {
    Node::Repeat {
        node: Box::new(node),
        least,
        most: None,
        kind: RepeatKind::Greedy,
    }
}

/// `\X`: one cluster by Unicode's annex 29.
pub(super) fn cluster() -> Node {
    let syllable = Node::Sequence(vec![
        repeat(0, set(&["L"])),
        Node::Choice(vec![
            repeat(1, set(&["V"])),
            Node::Sequence(vec![set(&["LV"]), repeat(0, set(&["V"]))]),
            set(&["LVT"]),
        ]),
        repeat(0, set(&["T"])),
    ]);
    let pictograph = || Node::Set(super::sets::pictographs());
    let joined = Node::Sequence(vec![
        repeat(0, set(&["Extend"])),
        set(&["ZWJ"]),
        pictograph(),
    ]);
    let core = Node::Choice(vec![
        syllable,
        repeat(1, set(&["L"])),
        repeat(1, set(&["T"])),
        Node::Sequence(vec![
            set(&["Regional_Indicator"]),
            set(&["Regional_Indicator"]),
        ]),
        Node::Sequence(vec![pictograph(), repeat(0, joined)]),
        visible(),
    ]);
    Node::Atomic(Box::new(Node::Choice(vec![
        Node::Sequence(vec![set(&["CR"]), set(&["LF"])]),
        Node::Sequence(vec![
            repeat(0, set(&["Prepend"])),
            core,
            repeat(0, set(&["Extend", "ZWJ", "SpacingMark"])),
        ]),
        set(&["Control", "CR", "LF"]),
    ])))
}

/// `\b{g}`: a place that is in no cluster.
pub(super) fn boundary() -> Node {
    let pair = |before: Node, behind: Node| {
        let before = Node::Look {
            behind: true,
            negative: false,
            node: Box::new(before),
        };
        Node::Sequence(vec![before, behind])
    };
    let joints = Node::Choice(vec![
        pair(set(&["CR"]), set(&["LF"])),
        pair(set(&["L"]), set(&["L", "V", "LV", "LVT"])),
        pair(set(&["LV", "V"]), set(&["V", "T"])),
        pair(set(&["LVT", "T"]), set(&["T"])),
        pair(visible(), set(&["Extend", "ZWJ", "SpacingMark"])),
        pair(set(&["Prepend"]), visible()),
        pair(set(&["Regional_Indicator"]), set(&["Regional_Indicator"])),
    ]);
    Node::Look {
        behind: false,
        negative: true,
        node: Box::new(joints),
    }
}
