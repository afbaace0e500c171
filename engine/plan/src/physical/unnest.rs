//! UNNEST: a stage of a lane program.

use datafusion_common::{Result, internal_err};
use millrace_connector::Span;
use millrace_connector::TypeKind;
use millrace_program::{Expr, ExprKind, Unnest, unnested_columns};

use super::{Chain, Need, Walk};
use crate::logical::{Restorer, UnnestNode};

impl Walk<'_> {
    pub(super) fn unnest(&mut self, node: &UnnestNode, need: &Need) -> Result<Vec<Chain>> {
        let mut chains = self.chains(&node.input, &Need::rows(need.before))?;
        for chain in &mut chains {
            let mut restorer = Restorer::new(node.input.schema(), &chain.columns);
            let collection = restorer.restore(&node.collection)?;
            let Some(mut added) = unnested_columns(&collection.ty.kind) else {
                return internal_err!("{} is no collection", collection.ty);
            };
            if node.ordinality {
                added.push(("ORDINALITY".to_owned(), TypeKind::Int.not_null()));
            }
            let first = chain.width();
            for (index, (_, mut ty)) in added.into_iter().enumerate() {
                ty.nullable |= node.outer;
                let kind = ExprKind::Column(first + index);
                chain.columns.push(Expr::new(kind, ty, Span::default()));
            }
            chain.keys.clear();
            chain.upserts.clear();
            chain.unnests.push(Unnest {
                collection,
                outer: node.outer,
                ordinality: node.ordinality,
            });
        }
        Ok(chains)
    }
}
