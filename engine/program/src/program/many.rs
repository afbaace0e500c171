//! Kernels that give several columns at once: all cuts of one text, all paths of one JSON column.

use std::fmt::Debug;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use millrace_functions::json::{Path, json_value_many};
use millrace_functions::{Column, split_index_many};

/// A kernel with several results. It cannot fail on a row, so it may be evaluated for all rows.
pub(crate) trait ManyKernel: Debug + Send + Sync {
    /// Returns the results for one array, in the order in which they were asked for.
    fn arrays(&self, input: &ArrayRef) -> Vec<ArrayRef>;

    /// Returns what `explain` shows.
    fn describe(&self) -> String;

    /// Returns the results for a column; constants for a constant.
    fn columns(&self, input: &Column) -> Vec<Column> {
        let wrap = if input.is_constant() {
            Column::Constant
        } else {
            Column::Array
        };
        self.arrays(input.array()).into_iter().map(wrap).collect()
    }
}

/// All `SPLIT_INDEX(input, separator, index)` of one input and separator.
#[derive(Debug)]
pub(crate) struct SplitMany {
    pub(crate) separator: String,
    pub(crate) indexes: Vec<i32>,
}

impl ManyKernel for SplitMany {
    fn arrays(&self, input: &ArrayRef) -> Vec<ArrayRef> {
        split_index_many(input.as_string_view(), &self.separator, &self.indexes)
    }

    fn describe(&self) -> String {
        format!(
            "SPLIT_INDEX at '{}', fields {:?}",
            self.separator, self.indexes
        )
    }
}

/// All `JSON_VALUE(input, path)` of one input.
#[derive(Debug)]
pub(crate) struct JsonMany {
    paths: Vec<Path>,
    texts: Vec<String>,
}

impl JsonMany {
    pub(crate) fn new(texts: Vec<String>) -> Self {
        Self {
            paths: texts.iter().map(|text| Path::parse(text)).collect(),
            texts,
        }
    }
}

impl ManyKernel for JsonMany {
    fn arrays(&self, input: &ArrayRef) -> Vec<ArrayRef> {
        json_value_many(input.as_string_view(), &self.paths)
    }

    fn describe(&self) -> String {
        format!("JSON_VALUE at {}", self.texts.join(", "))
    }
}
