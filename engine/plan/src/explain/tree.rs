//! A plan as a tree of texts: for a terminal, as JSON and as a graph.

use std::fmt::{self, Display, Formatter, Write};

use serde_json::{Value, json};

/// A node of a plan, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanTree {
    /// What kind of node it is.
    pub name: String,
    /// What it does; may be empty.
    pub detail: String,
    /// Its columns: names, and Flink's types with time attributes.
    pub columns: Vec<(String, String)>,
    /// What a fused node computes, step by step.
    pub steps: Vec<String>,
    /// The nodes that it takes rows of.
    pub inputs: Vec<PlanTree>,
}

/// A line for each node, its inputs indented below it.
impl Display for PlanTree {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl PlanTree {
    fn write(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        write!(f, "{indent}{}", self.name)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        writeln!(f, "  [{}]", self.column_list())?;
        for step in &self.steps {
            writeln!(f, "{indent}    | {step}")?;
        }
        self.inputs
            .iter()
            .try_for_each(|input| input.write(f, depth + 1))
    }

    fn column_list(&self) -> String {
        let columns = self.columns.iter();
        let columns = columns.map(|(name, ty)| format!("{name} {ty}"));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// Returns it as JSON: nested objects of `node`, `detail`, `columns`, `steps` and `inputs`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let columns = self.columns.iter();
        let columns = columns.map(|(name, ty)| json!({"name": name, "type": ty}));
        let mut node = json!({
            "node": self.name,
            "detail": self.detail,
            "columns": columns.collect::<Vec<_>>(),
            "inputs": self.inputs.iter().map(Self::to_json).collect::<Vec<_>>(),
        });
        if !self.steps.is_empty() {
            node["steps"] = json!(self.steps);
        }
        node
    }

    /// Returns it as a graph in the language of Graphviz; rows flow along the arrows.
    #[must_use]
    pub fn to_graphviz(&self, name: &str) -> String {
        let mut graph = format!("digraph {} {{\n  node [shape=box];\n", quoted(name));
        let mut count = 0;
        self.write_graph(&mut graph, &mut count);
        graph.push_str("}\n");
        graph
    }

    fn write_graph(&self, graph: &mut String, count: &mut usize) -> usize {
        let own = *count;
        *count += 1;
        let mut label = self.name.clone();
        if !self.detail.is_empty() {
            write!(label, "\n{}", self.detail).expect("writing to a String cannot fail");
        }
        writeln!(graph, "  n{own} [label={}];", quoted(&label))
            .expect("writing to a String cannot fail");
        for input in &self.inputs {
            let below = input.write_graph(graph, count);
            writeln!(graph, "  n{below} -> n{own};").expect("writing to a String cannot fail");
        }
        own
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> PlanTree {
        PlanTree {
            name: "Filter".to_owned(),
            detail: "(a = '\"')".to_owned(),
            columns: vec![("a".to_owned(), "STRING".to_owned())],
            steps: Vec::new(),
            inputs: vec![PlanTree {
                name: "TableScan".to_owned(),
                columns: vec![("a".to_owned(), "STRING".to_owned())],
                ..PlanTree::default()
            }],
        }
    }

    #[test]
    fn a_line_for_each_node() {
        let text = "Filter: (a = '\"')  [a STRING]\n  TableScan  [a STRING]\n";
        assert_eq!(tree().to_string(), text);
    }

    #[test]
    fn a_graph_flows_upwards() {
        let graph = tree().to_graphviz("p");
        assert!(
            graph.contains("n0 [label=\"Filter\\n(a = '\\\"')\"];"),
            "{graph}"
        );
        assert!(graph.contains("n1 -> n0;"), "{graph}");
    }
}
