//! What a path finds in a document that lies on a tape.

use millrace_json::{Kind, Node, Tape, push_double, write_canonical, write_escaped};

use super::{Path, Token, function, is_definite};

/// A document on a tape.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) tape: &'a Tape,
    pub(crate) bytes: &'a [u8],
    pub(crate) root: Node,
}

/// Something that a path found or made.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Node(Node),
    Long(i64),
    Double(f64),
    Text(String),
    List(Vec<Item>),
    /// Some entries of an object.
    Merged(Vec<(String, Node)>),
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// Nothing, or null.
    Nothing,
    Item(Item),
}

/// Why a path leads nowhere; in Jayway's words.
pub(crate) type PathFault = String;

/// Looks for `path` in a document.
///
/// # Errors
/// It is no path, or in strict mode, there is nothing.
pub(crate) fn find(document: &Document<'_>, path: &Path) -> Result<Found, PathFault> {
    let tokens = path.tokens.as_ref().map_err(Clone::clone)?;
    find_in(document, document.root, tokens, !path.is_strict)
}

/// Looks for the steps from `start` on. `suppress` is Jayway's `SUPPRESS_EXCEPTIONS`.
pub(super) fn find_in(
    document: &Document<'_>,
    start: Node,
    tokens: &[Token],
    suppress: bool,
) -> Result<Found, PathFault> {
    let mut walk = Walk {
        document,
        suppress,
        results: Vec::new(),
    };
    // Jayway turns `$..a.sum()` around: the function takes the list of all that was found.
    if let [Token::Scan, .., Token::Function(_)] = tokens {
        return Err("functions over '..' are not supported".to_owned());
    }
    walk.evaluate(tokens, true, start)?;
    let mut results = walk.results;
    if is_definite(tokens) {
        return match results.pop() {
            None if suppress => Ok(Found::Nothing),
            None => Err(format!("No results for path: {}", shown(tokens))),
            Some(None) => Ok(Found::Nothing),
            Some(Some(item)) if document.is_null(&item) => Ok(Found::Nothing),
            Some(Some(item)) => Ok(Found::Item(item)),
        };
    }
    let items = results
        .into_iter()
        .map(|item| item.unwrap_or(Item::Text(String::new())));
    Ok(Found::Item(Item::List(items.collect())))
}

impl Document<'_> {
    /// Tells whether an item is a null of the document.
    fn is_null(&self, item: &Item) -> bool {
        matches!(item, Item::Node(node) if self.tape.kind(*node) == Kind::Null)
    }

    /// Returns an item as JSON.
    pub(super) fn text(&self, item: &Item) -> String {
        let mut out = Vec::new();
        write_item(self, item, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Returns the text of a string node.
    pub(super) fn text_of(&self, node: Node) -> String {
        String::from_utf8_lossy(&self.tape.string(self.bytes, node)).into_owned()
    }
}

/// Appends an item as JSON, as Jackson writes it.
pub(crate) fn write_item(document: &Document<'_>, item: &Item, out: &mut Vec<u8>) {
    match item {
        Item::Node(node) => write_canonical(document.tape, document.bytes, *node, out),
        Item::Long(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Item::Double(value) => push_double(*value, out),
        Item::Text(text) => write_escaped(text.as_bytes(), out),
        Item::List(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_item(document, item, out);
            }
            out.push(b']');
        }
        Item::Merged(entries) => {
            out.push(b'{');
            for (i, (key, value)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_escaped(key.as_bytes(), out);
                out.push(b':');
                write_canonical(document.tape, document.bytes, *value, out);
            }
            out.push(b'}');
        }
    }
}

/// Returns the steps as Jayway shows them: `$['a'][0]`.
fn shown(tokens: &[Token]) -> String {
    let mut text = String::from("$");
    for token in tokens {
        match token {
            Token::Property(names) => text += &format!("['{}']", names.join("','")),
            Token::Index(indexes) => {
                let indexes: Vec<String> = indexes.iter().map(i64::to_string).collect();
                text += &format!("[{}]", indexes.join(","));
            }
            Token::Slice(from, to) => {
                let bound = |bound: &Option<i64>| bound.map_or(String::new(), |b| b.to_string());
                text += &format!("[{}:{}]", bound(from), bound(to));
            }
            Token::Wildcard => text += "[*]",
            Token::Scan => text += "..",
            Token::Filter(_) => text += "[?]",
            Token::Function(name) => text += &format!(".{name}()"),
        }
    }
    text
}

struct Walk<'a> {
    document: &'a Document<'a>,
    suppress: bool,
    /// `None` is a null that a function gave.
    results: Vec<Option<Item>>,
}

impl Walk<'_> {
    fn kind(&self, node: Node) -> Kind {
        self.document.tape.kind(node)
    }

    /// Goes on from `node`. `definite` says that all steps so far lead to one place.
    fn evaluate(&mut self, tokens: &[Token], definite: bool, node: Node) -> Result<(), PathFault> {
        let Some((token, rest)) = tokens.split_first() else {
            self.results.push(Some(Item::Node(node)));
            return Ok(());
        };
        let still = definite && token.is_definite(rest.is_empty());
        match token {
            Token::Property(names) => self.properties(names, rest, (definite, still), node),
            Token::Index(indexes) => {
                if !self.is_array(node, definite)? {
                    return Ok(());
                }
                for index in indexes {
                    self.element(*index, rest, still, node)?;
                }
                Ok(())
            }
            Token::Slice(from, to) => {
                if !self.is_array(node, definite)? {
                    return Ok(());
                }
                let length = self.document.tape.elements(node).count() as i64;
                for index in slice(*from, *to, length) {
                    self.element(index, rest, false, node)?;
                }
                Ok(())
            }
            Token::Wildcard => {
                self.children(node, |walk, child| {
                    // What a branch lacks does not matter to the others.
                    walk.evaluate(rest, false, child).or(Ok(()))
                })
            }
            Token::Filter(predicate) => match self.kind(node) {
                Kind::Object => {
                    if predicate.accepts(self.document, node) {
                        self.evaluate(rest, false, node)?;
                    }
                    Ok(())
                }
                Kind::Array => self.children(node, |walk, child| {
                    if predicate.accepts(walk.document, child) {
                        walk.evaluate(rest, false, child)?;
                    }
                    Ok(())
                }),
                _ if definite && !self.suppress => {
                    Err("Filter: [?] can not be applied to primitives.".to_owned())
                }
                _ => Ok(()),
            },
            Token::Scan => self.scan(rest, node),
            Token::Function(name) => {
                let made = function::apply(name, self.document, node)?;
                self.results.push(made);
                Ok(())
            }
        }
    }

    fn children(
        &mut self,
        node: Node,
        mut visit: impl FnMut(&mut Self, Node) -> Result<(), PathFault>,
    ) -> Result<(), PathFault> {
        for child in children(self.document, node) {
            visit(self, child)?;
        }
        Ok(())
    }

    fn properties(
        &mut self,
        names: &[String],
        rest: &[Token],
        (definite, still): (bool, bool),
        node: Node,
    ) -> Result<(), PathFault> {
        if self.kind(node) != Kind::Object {
            if !definite || self.suppress {
                return Ok(());
            }
            return Err(format!(
                "Expected to find an object with property ['{}'] in path but found something else.",
                names.join("','")
            ));
        }
        let get = |name: &String| {
            self.document
                .tape
                .get(self.document.bytes, node, name.as_bytes())
        };
        if names.len() > 1 && rest.is_empty() {
            let entries = names
                .iter()
                .filter_map(|name| Some((name.clone(), get(name)?)))
                .collect();
            self.results.push(Some(Item::Merged(entries)));
            return Ok(());
        }
        let values: Vec<Option<Node>> = names.iter().map(get).collect();
        for (name, value) in names.iter().zip(values) {
            match value {
                Some(value) => self.evaluate(rest, still, value)?,
                None if rest.is_empty() || !still || self.suppress => {}
                None => return Err(format!("Missing property in path $['{name}']")),
            }
        }
        Ok(())
    }

    fn is_array(&self, node: Node, definite: bool) -> Result<bool, PathFault> {
        match self.kind(node) {
            Kind::Array => Ok(true),
            _ if !definite || self.suppress => Ok(false),
            Kind::Null => Err("The path is null".to_owned()),
            _ => Err("Filter can only be applied to arrays.".to_owned()),
        }
    }

    fn element(
        &mut self,
        index: i64,
        rest: &[Token],
        still: bool,
        array: Node,
    ) -> Result<(), PathFault> {
        let place = if index < 0 {
            self.document.tape.elements(array).count() as i64 + index
        } else {
            index
        };
        let element = usize::try_from(place)
            .ok()
            .and_then(|place| self.document.tape.elements(array).nth(place));
        match element {
            Some(element) => self.evaluate(rest, still, element),
            None => Ok(()),
        }
    }

    /// Tries the next step at `node` and at everything inside it.
    fn scan(&mut self, tokens: &[Token], node: Node) -> Result<(), PathFault> {
        let Some(next) = tokens.first() else {
            return Ok(());
        };
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let kind = self.kind(node);
            if !matches!(kind, Kind::Object | Kind::Array) {
                continue;
            }
            let has = |name: &String| {
                self.document
                    .tape
                    .get(self.document.bytes, node, name.as_bytes())
                    .is_some()
            };
            let matches = match next {
                Token::Property(names) => {
                    kind == Kind::Object && (names.len() > 1 || names.iter().all(has))
                }
                Token::Index(_) | Token::Slice(..) => kind == Kind::Array,
                Token::Wildcard => true,
                Token::Filter(predicate) => predicate.accepts(self.document, node),
                Token::Scan | Token::Function(_) => false,
            };
            if matches {
                self.evaluate(tokens, false, node)?;
            }
            let mut inside = children(self.document, node);
            inside.reverse();
            open.append(&mut inside);
        }
        Ok(())
    }
}

/// Returns the elements of an array or the values of an object.
fn children(document: &Document<'_>, node: Node) -> Vec<Node> {
    match document.tape.kind(node) {
        Kind::Array => document.tape.elements(node).collect(),
        Kind::Object => {
            let entries = document.tape.entries(document.bytes, node);
            entries.into_iter().map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the places that a slice of an array of `length` elements takes. Between two bounds, negative ones are not
/// counted from the end but taken one by one, as Jayway does.
fn slice(from: Option<i64>, to: Option<i64>, length: i64) -> std::ops::Range<i64> {
    if length == 0 {
        return 0..0;
    }
    match (from, to) {
        (Some(from), Some(to)) => from.max(-length)..to.min(length),
        (Some(from), None) => (if from < 0 { length + from } else { from }).max(0)..length,
        (None, Some(to)) => 0..if to < 0 { length + to } else { to.min(length) },
        (None, None) => 0..0,
    }
}
