//! Reading options while everything that is wrong with them is collected.

use millrace_connector::{Diagnostic, Options, TableDefinition};

use crate::node::{Node, Scheme};

/// The options of one table, and what is wrong with them so far.
pub(super) struct Reader<'a> {
    pub(super) table: &'a TableDefinition,
    pub(super) options: &'a Options,
    pub(super) faults: Vec<Diagnostic>,
    /// What the user should be told though nothing is wrong.
    pub(super) notes: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a TableDefinition, options: &'a Options) -> Self {
        Self {
            table,
            options,
            faults: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn fault(&mut self, code: &'static str, key: &str, message: impl Into<String>) {
        let span = self.options.span(key).unwrap_or(self.table.options_span);
        self.faults.push(Diagnostic::error(code, message, span));
    }

    pub(super) fn missing(&mut self, keys: &str, example: &str) {
        let fault = Diagnostic::error(
            "MR0101",
            format!("connector 'doris' needs {keys}"),
            self.table.options_span,
        );
        self.faults.push(fault.help(format!("such as {example}")));
    }

    pub(super) fn contradiction(&mut self, one: &str, other: &str, why: &str) {
        let mut fault = Diagnostic::error(
            "MR0125",
            format!("'{one}' and '{other}' contradict each other: {why}"),
            self.options.span(other).unwrap_or(self.table.options_span),
        );
        if let Some(span) = self.options.span(one) {
            fault = fault.also(span, "the other one");
        }
        self.faults
            .push(fault.help("write one of them, or both with the same meaning"));
    }

    pub(super) fn is_written(&self, key: &str) -> bool {
        self.options.is_written(key)
    }

    /// Returns the words of an option whose blanks at the ends count not.
    pub(super) fn word(&self, key: &str) -> Option<String> {
        self.options.text(key).map(|text| text.trim().to_owned())
    }

    /// Returns a number that must not be negative.
    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        let value = self.options.integer(key)?;
        let number = u64::try_from(value).ok();
        if number.is_none() {
            let message = format!("bad value for option '{key}': {value} is below zero");
            self.fault("MR0102", key, message);
        }
        number
    }

    pub(super) fn nodes(&mut self, key: &str, separator: char, scheme: Scheme) -> Vec<Node> {
        let Some(text) = self.options.text(key) else {
            return Vec::new();
        };
        match Node::parse_list(text, separator, scheme) {
            Ok(nodes) => nodes,
            Err(why) => {
                self.fault(
                    "MR0102",
                    key,
                    format!("bad value for option '{key}': {why}"),
                );
                Vec::new()
            }
        }
    }
}
