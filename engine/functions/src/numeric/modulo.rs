//! MOD, which is `%`.

use crate::operator::arithmetic::{Arithmetic, bind_binary};
use crate::{Category, FunctionDef, Volatility};

pub(super) static MOD: FunctionDef = FunctionDef {
    name: "MOD",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["MOD(a EXACT NUMERIC, b EXACT NUMERIC) → EXACT NUMERIC"],
    doc: "Returns the rest of the division, with the sign of the first value.\nZero as the second value fails the row.",
    examples: &[("MOD(-5, 3)", "-2")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_binary("MOD", Arithmetic::Modulo, args),
};
