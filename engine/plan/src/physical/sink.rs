//! INSERT INTO: the root of a physical plan.

use std::sync::Arc;

use super::node::NodeKind;
use crate::logical::Insert;

/// Rows on their way into a sink.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) target: Arc<Insert>,
}

impl NodeKind for Sink {
    fn name(&self) -> &'static str {
        "Sink"
    }

    fn describe(&self) -> String {
        let definition = &self.target.table.definition;
        match definition.option("connector") {
            Some(connector) => format!("{} ({})", definition.name.value, connector.value),
            None => definition.name.value.clone(),
        }
    }
}
