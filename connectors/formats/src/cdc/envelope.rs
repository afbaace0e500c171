//! What a message of each format says: which rows came, went or changed.

use millrace_connector::RowKind;
use millrace_json::{Kind, Node, Tape};
use regex::Regex;

use crate::json::{Cell, class_cast};

/// The shape of the messages.
pub(super) enum Envelope {
    /// `{"before":…,"after":…,"op":"u"}`, perhaps inside `payload`.
    Debezium { has_schema: bool },
    /// `{"data":[…],"old":[…],"type":"UPDATE"}`.
    Canal {
        database: Option<Regex>,
        table: Option<Regex>,
    },
    /// `{"data":…,"old":…,"type":"update"}`.
    Maxwell,
    /// `{"before":…,"after":…,"op_type":"U"}`.
    Ogg,
}

/// A row of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) kind: RowKind,
    /// The object that holds its values.
    pub(super) object: Node,
    /// Where values come from that it does not name because they did not change.
    pub(super) unchanged: Option<Unchanged>,
}

/// The row after an update, and what the message says of the row before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unchanged {
    pub(super) after: Node,
    pub(super) old: Node,
}

/// A document on a tape.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) tape: &'a Tape,
    pub(super) bytes: &'a [u8],
}

impl Document<'_> {
    /// Returns the value of a key unless it is null.
    pub(super) fn get(&self, object: Node, key: &str) -> Option<Node> {
        self.tape
            .get(self.bytes, object, key.as_bytes())
            .filter(|node| self.tape.kind(*node) != Kind::Null)
    }

    fn text(&self, node: Node) -> String {
        let cell = self.cell(node);
        String::from_utf8_lossy(&cell.text()).into_owned()
    }

    fn cell(&self, node: Node) -> Cell<'_> {
        Cell {
            span: self.tape.span(node),
            bytes: self.bytes,
            has_exact_numbers: false,
        }
    }

    /// Returns `node` if it is an object.
    fn object(&self, node: Node) -> Result<Node, String> {
        if self.tape.kind(node) == Kind::Object {
            Ok(node)
        } else {
            Err(class_cast(&self.cell(node), "ObjectNode"))
        }
    }

    /// Returns the object of a key; `missing` says what is wrong without it.
    fn object_of(&self, object: Node, key: &str, missing: &str) -> Result<Node, String> {
        match self.get(object, key) {
            Some(node) => self.object(node),
            None => Err(missing.to_owned()),
        }
    }

    /// Tells whether `key` stands in `node` or in anything inside it (Jackson's `findValue`).
    pub(super) fn mentions(&self, node: Node, key: &str) -> bool {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            match self.tape.kind(node) {
                Kind::Object => {
                    if self.tape.get(self.bytes, node, key.as_bytes()).is_some() {
                        return true;
                    }
                    open.extend(self.tape.raw_entries(node).map(|(_, value)| value));
                }
                Kind::Array => open.extend(self.tape.elements(node)),
                _ => {}
            }
        }
        false
    }
}

impl Envelope {
    /// Notes the rows of a message.
    ///
    /// # Errors
    /// It cannot be understood; Flink's words.
    pub(super) fn changes(
        &self,
        document: Document<'_>,
        root: Node,
        out: &mut Vec<Change>,
    ) -> Result<(), String> {
        match self {
            Self::Canal { database, table } => {
                for (pattern, key) in [(database, "database"), (table, "table")] {
                    if let Some(pattern) = pattern {
                        let name = document
                            .tape
                            .get(document.bytes, document.object(root)?, key.as_bytes())
                            .ok_or_else(|| format!("the message has no \"{key}\""))?;
                        if !pattern.is_match(&document.text(name)) {
                            return Ok(());
                        }
                    }
                }
                canal(document, not_null(document, root)?, out)
            }
            Self::Debezium { has_schema } => {
                let mut payload = not_null(document, root)?;
                if *has_schema {
                    payload = document.object_of(payload, "payload", "\"payload\" is null")?;
                }
                before_and_after(document, payload, &DEBEZIUM, out)
            }
            Self::Ogg => before_and_after(document, not_null(document, root)?, &OGG, out),
            Self::Maxwell => maxwell(document, not_null(document, root)?, out),
        }
    }
}

fn not_null(document: Document<'_>, root: Node) -> Result<Node, String> {
    if document.tape.kind(root) == Kind::Null {
        return Err("the message is null".to_owned());
    }
    document.object(root)
}

fn operation(document: Document<'_>, object: Node, key: &str) -> Result<String, String> {
    let node = document
        .get(object, key)
        .ok_or_else(|| format!("the message has no \"{key}\""))?;
    Ok(document.text(node))
}

/// The words of a format with `before` and `after`.
struct Words {
    key: &'static str,
    insert: &'static [&'static str],
    update: &'static str,
    delete: &'static str,
    name: &'static str,
    /// What is wrong with an update or removal without `before`.
    no_before: &'static str,
}

const DEBEZIUM: Words = Words {
    key: "op",
    insert: &["c", "r"],
    update: "u",
    delete: "d",
    name: "Debezium",
    no_before: "The \"before\" field of UPDATE or DELETE message is null, if you are using Debezium Postgres Connector, please check the Postgres table has been set REPLICA IDENTITY to FULL level.",
};
const OGG: Words = Words {
    key: "op_type",
    insert: &["I"],
    update: "U",
    delete: "D",
    name: "Ogg",
    no_before: "The \"before\" field of UPDATE or DELETE message is null, if you are using Ogg Postgres Connector, please check the Postgres table has been set REPLICA IDENTITY to FULL level.",
};

fn before_and_after(
    document: Document<'_>,
    payload: Node,
    words: &Words,
    out: &mut Vec<Change>,
) -> Result<(), String> {
    let operation = operation(document, payload, words.key)?;
    let before = || document.object_of(payload, "before", words.no_before);
    let after = || document.object_of(payload, "after", "the \"after\" field is null");
    let change = |kind, object| Change {
        kind,
        object,
        unchanged: None,
    };
    match operation.as_str() {
        insert if words.insert.contains(&insert) => out.push(change(RowKind::Insert, after()?)),
        update if update == words.update => {
            let (before, after) = (before()?, after()?);
            out.push(change(RowKind::UpdateBefore, before));
            out.push(change(RowKind::UpdateAfter, after));
        }
        delete if delete == words.delete => out.push(change(RowKind::Delete, before()?)),
        _ => return Err(unknown(words.key, &operation, words.name)),
    }
    Ok(())
}

fn unknown(key: &str, operation: &str, format: &str) -> String {
    format!("Unknown \"{key}\" value \"{operation}\" in a {format} JSON message")
}

fn canal(document: Document<'_>, root: Node, out: &mut Vec<Change>) -> Result<(), String> {
    let operation = operation(document, root, "type")?;
    let rows = |key: &str| -> Result<Vec<Node>, String> {
        let node = document
            .get(root, key)
            .ok_or_else(|| format!("\"{key}\" is null"))?;
        if document.tape.kind(node) != Kind::Array {
            return Err(class_cast(&document.cell(node), "ArrayNode"));
        }
        document
            .tape
            .elements(node)
            .map(|row| document.object(row))
            .collect()
    };
    let all = |kind, out: &mut Vec<Change>| -> Result<(), String> {
        out.extend(rows("data")?.into_iter().map(|object| Change {
            kind,
            object,
            unchanged: None,
        }));
        Ok(())
    };
    match operation.as_str() {
        "INSERT" => all(RowKind::Insert, out),
        "DELETE" => all(RowKind::Delete, out),
        "UPDATE" => {
            let (data, before) = (rows("data")?, rows("old")?);
            let old = document.get(root, "old").ok_or("\"old\" is null")?;
            for (i, after) in data.into_iter().enumerate() {
                let before = *before
                    .get(i)
                    .ok_or("\"old\" has fewer rows than \"data\"")?;
                push_update(before, after, old, out);
            }
            Ok(())
        }
        // A change of the table itself.
        "CREATE" => Ok(()),
        _ => Err(unknown("type", &operation, "Canal")),
    }
}

fn maxwell(document: Document<'_>, root: Node, out: &mut Vec<Change>) -> Result<(), String> {
    let operation = operation(document, root, "type")?;
    let data = || document.object_of(root, "data", "\"data\" is null");
    let one = |kind, object| Change {
        kind,
        object,
        unchanged: None,
    };
    match operation.as_str() {
        "insert" => out.push(one(RowKind::Insert, data()?)),
        "delete" => out.push(one(RowKind::Delete, data()?)),
        "update" => {
            let old = document.object_of(root, "old", "\"old\" is null")?;
            push_update(old, data()?, old, out);
        }
        _ => return Err(unknown("type", &operation, "Maxwell")),
    }
    Ok(())
}

fn push_update(before: Node, after: Node, old: Node, out: &mut Vec<Change>) {
    out.push(Change {
        kind: RowKind::UpdateBefore,
        object: before,
        unchanged: Some(Unchanged { after, old }),
    });
    out.push(Change {
        kind: RowKind::UpdateAfter,
        object: after,
        unchanged: None,
    });
}
