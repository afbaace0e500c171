//! From a logical node with state to its physical one.

use datafusion_common::Result;

use super::{Chain, Walk};
use crate::logical::StatefulNode;

impl Walk<'_> {
    pub(super) fn stateful(&mut self, node: &StatefulNode) -> Result<Vec<Chain>> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            inputs.push(self.input(input)?);
        }
        Ok(vec![Chain::over(node.spec.stream_node()?, inputs)])
    }
}
