//! Partial updates of JSON (`binlog_row_value_options=PARTIAL_JSON`): differences applied to the value before.

use super::bytes::Bytes;
use super::json::{Binary, Blanks, DEPTH_MAX, Writer};

/// A document that differences are applied to. What they do not touch stays in the binary form.
#[derive(Clone, Debug)]
enum Node<'a> {
    Object(Vec<(Vec<u8>, Node<'a>)>),
    Array(Vec<Node<'a>>),
    Binary(Binary<'a>),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Leg {
    Member(Vec<u8>),
    Cell(usize),
}

const REPLACE: u64 = 0;
const INSERT: u64 = 1;
const REMOVE: u64 = 2;

/// Appends the text of `document` after `differences`; `None` if they do not fit to it.
pub(crate) fn write_updated(
    document: &[u8],
    differences: &[u8],
    blanks: Blanks,
    out: &mut String,
) -> Option<()> {
    let mut root = Node::Binary(Binary::of_document(document));
    let mut rest = Bytes::new(differences);
    while !rest.is_empty() {
        let operation = rest.uint(1)?;
        let path = parse_path(rest.text()?)?;
        let value = match operation {
            REMOVE => None,
            _ => Some(Node::Binary(Binary::of_document(rest.text()?))),
        };
        apply(&mut root, operation, &path, value)?;
    }
    let length = document.len() + differences.len();
    root.write(&mut Writer::new(out, blanks, length), 0)
}

fn apply<'a>(
    root: &mut Node<'a>,
    operation: u64,
    path: &[Leg],
    value: Option<Node<'a>>,
) -> Option<()> {
    if operation == REPLACE {
        *seek(root, path)? = value?;
        return Some(());
    }
    let (last, parents) = path.split_last()?;
    let parent = seek(root, parents)?;
    parent.open()?;
    match (parent, last, operation) {
        (Node::Object(members), Leg::Member(name), INSERT) => {
            // Where the server keeps it: by length, then by bytes.
            let order = |key: &[u8]| (key.len(), key.to_vec());
            let wanted = order(name);
            match members.binary_search_by(|(key, _)| order(key).cmp(&wanted)) {
                Ok(_) => return None,
                Err(at) => members.insert(at, (name.clone(), value?)),
            }
        }
        (Node::Object(members), Leg::Member(name), REMOVE) => {
            let at = members.iter().position(|(key, _)| key == name)?;
            members.remove(at);
        }
        (Node::Array(cells), Leg::Cell(at), INSERT) => {
            let at = (*at).min(cells.len());
            cells.insert(at, value?);
        }
        (Node::Array(cells), Leg::Cell(at), REMOVE) => {
            if *at >= cells.len() {
                return None;
            }
            cells.remove(*at);
        }
        _ => return None,
    }
    Some(())
}

fn seek<'n, 'a>(root: &'n mut Node<'a>, path: &[Leg]) -> Option<&'n mut Node<'a>> {
    let mut node = root;
    for leg in path {
        node.open()?;
        node = match (node, leg) {
            (Node::Object(members), Leg::Member(name)) => {
                let found = members.iter_mut().find(|(key, _)| key == name);
                found.map(|(_, node)| node)?
            }
            (Node::Array(cells), Leg::Cell(at)) => cells.get_mut(*at)?,
            // A value that is no array is the only cell of one.
            (node, Leg::Cell(0)) => node,
            _ => return None,
        };
    }
    Some(node)
}

impl Node<'_> {
    /// Takes an array or object out of the binary form, one level deep.
    fn open(&mut self) -> Option<()> {
        let Self::Binary(binary) = *self else {
            return Some(());
        };
        if !binary.is_container() {
            return Some(());
        }
        let container = binary.container()?;
        let value = |at| container.value(at).map(Node::Binary);
        *self = if container.is_object {
            let member = |at| Some((container.key(at)?.to_vec(), value(at)?));
            Self::Object((0..container.len()).map(member).collect::<Option<_>>()?)
        } else {
            Self::Array((0..container.len()).map(value).collect::<Option<_>>()?)
        };
        Some(())
    }

    fn write(&self, writer: &mut Writer<'_>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self {
            Self::Binary(binary) => binary.write(writer, depth)?,
            Self::Object(members) => {
                writer.out.push('{');
                for (at, (key, node)) in members.iter().enumerate() {
                    writer.separate(at)?;
                    writer.key(key);
                    node.write(writer, depth + 1)?;
                }
                writer.out.push('}');
            }
            Self::Array(cells) => {
                writer.out.push('[');
                for (at, node) in cells.iter().enumerate() {
                    writer.separate(at)?;
                    node.write(writer, depth + 1)?;
                }
                writer.out.push(']');
            }
        }
        Some(())
    }
}

/// Reads a path like `$.a[2]."b c"`.
fn parse_path(path: &[u8]) -> Option<Vec<Leg>> {
    let path = std::str::from_utf8(path).ok()?;
    let mut rest = path.strip_prefix('$')?;
    let mut legs = Vec::new();
    while !rest.is_empty() {
        if let Some(cell) = rest.strip_prefix('[') {
            let (number, after) = cell.split_once(']')?;
            legs.push(Leg::Cell(number.trim().parse().ok()?));
            rest = after;
            continue;
        }
        let member = rest.strip_prefix('.')?;
        if member.starts_with('"') {
            let end = closing_quote(member)?;
            legs.push(Leg::Member(unquote(&member[1..end])?));
            rest = &member[end + 1..];
        } else {
            let end = member.find(['.', '[']).unwrap_or(member.len());
            legs.push(Leg::Member(member.as_bytes()[..end].to_vec()));
            rest = &member[end..];
        }
    }
    Some(legs)
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn unquote(raw: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    millrace_json::unescape(raw.as_bytes(), &mut out);
    std::str::from_utf8(&out).is_ok().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let member = |name: &str| Leg::Member(name.as_bytes().to_vec());
        assert_eq!(parse_path(b"$"), Some(vec![]));
        assert_eq!(
            parse_path(br#"$.a[12]."b c\"d".e"#),
            Some(vec![
                member("a"),
                Leg::Cell(12),
                member("b c\"d"),
                member("e")
            ])
        );
        for bad in ["", "a", "$a", "$[", "$[x]", "$.\"a"] {
            assert_eq!(parse_path(bad.as_bytes()), None, "{bad}");
        }
    }
}
