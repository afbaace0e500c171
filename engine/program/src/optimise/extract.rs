//! Parse once: calls that cut pieces out of one text become one call that cuts them all.
//!
//! Each piece is what its own call would give, and no such call can fail, so it does not matter that a CASE might
//! have skipped one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;

use crate::program::graph::{Graph, Node, NodeId, Op};
use crate::program::many::{JsonMany, ManyKernel, SplitMany};

/// What calls must have in common to become one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Family {
    /// `SPLIT_INDEX` at this separator.
    Split(String),
    /// `JSON_VALUE` without clauses.
    Json,
}

/// What tells the calls of a family apart.
#[derive(Clone, Debug)]
enum Piece {
    Field(i32),
    Path(String),
}

/// Merges the extractions of a graph: two or more of one family over one input.
pub(crate) fn merge_extractions(graph: &mut Graph) {
    let mut groups: HashMap<(NodeId, Family), Vec<(NodeId, Piece)>> = HashMap::new();
    for id in 0..graph.nodes.len() {
        if let Some((input, family, piece)) = extraction(graph, id) {
            groups.entry((input, family)).or_default().push((id, piece));
        }
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .filter(|(_, calls)| calls.len() > 1)
        .collect();
    // The order of a hash map must not show in a plan.
    groups.sort_by_key(|(_, calls)| calls[0].0);
    for ((input, family), calls) in groups {
        let pieces: Vec<Piece> = calls.iter().map(|(_, piece)| piece.clone()).collect();
        let many = graph.push(Node {
            op: Op::Many {
                kernel: kernel(family, pieces),
                input,
                results: calls.len(),
            },
            fallible: graph.nodes[input].fallible,
            uses: calls.len(),
        });
        for (index, (id, _)) in calls.iter().enumerate() {
            graph.nodes[*id].op = Op::Pick { many, index };
        }
    }
}

fn kernel(family: Family, pieces: Vec<Piece>) -> Arc<dyn ManyKernel> {
    match family {
        Family::Split(separator) => {
            let index = |piece| match piece {
                Piece::Field(index) => index,
                Piece::Path(_) => unreachable!("SPLIT_INDEX has no paths"),
            };
            Arc::new(SplitMany {
                separator,
                indexes: pieces.into_iter().map(index).collect(),
            })
        }
        Family::Json => {
            let path = |piece| match piece {
                Piece::Path(path) => path,
                Piece::Field(_) => unreachable!("JSON_VALUE has no fields"),
            };
            Arc::new(JsonMany::new(pieces.into_iter().map(path).collect()))
        }
    }
}

fn extraction(graph: &Graph, id: NodeId) -> Option<(NodeId, Family, Piece)> {
    let Op::Call {
        name, kernel, args, ..
    } = &graph.nodes[id].op
    else {
        return None;
    };
    let input = *args.first()?;
    if matches!(graph.nodes[input].op, Op::Literal(_)) || kernel.can_fail() {
        return None;
    }
    match (*name, &args[1..]) {
        ("SPLIT_INDEX", [separator, index]) => {
            // An empty separator splits at white space: a matter of its own.
            let separator = text(graph, *separator).filter(|separator| !separator.is_empty())?;
            Some((
                input,
                Family::Split(separator),
                Piece::Field(integer(graph, *index)?),
            ))
        }
        ("JSON_VALUE", [path, on_empty, _, on_error, _]) => {
            let plain = text(graph, *on_empty)? == "NULL" && text(graph, *on_error)? == "NULL";
            plain.then_some((input, Family::Json, Piece::Path(text(graph, *path)?)))
        }
        _ => None,
    }
}

fn text(graph: &Graph, id: NodeId) -> Option<String> {
    let Op::Literal(value) = &graph.nodes[id].op else {
        return None;
    };
    let texts = value.as_string_view_opt()?;
    texts.is_valid(0).then(|| texts.value(0).to_owned())
}

fn integer(graph: &Graph, id: NodeId) -> Option<i32> {
    let Op::Literal(value) = &graph.nodes[id].op else {
        return None;
    };
    let integers = value.as_primitive_opt::<Int32Type>()?;
    integers.is_valid(0).then(|| integers.value(0))
}
