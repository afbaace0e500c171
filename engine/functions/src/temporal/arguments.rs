//! What arguments temporal functions take.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use millrace_connector::{FlinkType, TypeKind};

use super::unit::Unit;
use crate::operator::signature::{bad_types, between};
use crate::{Arg, CallError};

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    /// CHAR or VARCHAR.
    Text,
    /// An integer, widened to BIGINT.
    BigInt,
}

/// Checks `args` against `params`, of which all from `least` on may be left out, and returns the types the kernel
/// wants.
///
/// # Errors
/// The count or a type does not fit.
pub(super) fn check(
    name: &str,
    args: &[Arg],
    params: &[Param],
    least: usize,
) -> Result<Vec<FlinkType>, CallError> {
    between(name, least, params.len(), args)?;
    let accept = |(arg, param): (&Arg, &Param)| {
        let kind = &arg.ty.kind;
        match param {
            Param::Text if kind.is_character() => Some(arg.ty.clone()),
            Param::Text if *kind == TypeKind::Null => Some(FlinkType::string()),
            Param::BigInt if kind.is_integer() || *kind == TypeKind::Null => Some(FlinkType {
                kind: TypeKind::BigInt,
                nullable: arg.ty.nullable,
            }),
            _ => None,
        }
    };
    let types: Option<Vec<FlinkType>> = args.iter().zip(params).map(accept).collect();
    types.ok_or_else(|| bad_types(name, args))
}

/// Returns the unit that the literal argument names.
///
/// # Errors
/// It is no literal, or names none.
pub(super) fn unit_of(args: &[Arg], index: usize) -> Result<Unit, CallError> {
    let text = args.get(index).and_then(|arg| {
        let value = &arg.literal.as_ref()?.value;
        let texts = value.as_string_view_opt()?;
        (texts.len() == 1 && texts.is_valid(0)).then(|| texts.value(0))
    });
    text.and_then(Unit::parse)
        .ok_or_else(|| CallError::Argument {
            index,
            message: "a unit of time such as YEAR, DAY or SECOND is needed".to_owned(),
        })
}

/// Returns the refusal of a unit for a type.
pub(super) fn bad_unit(name: &str, index: usize, unit: Unit, kind: &TypeKind) -> CallError {
    CallError::Argument {
        index,
        message: format!("'{name}' does not take {} of {kind}", unit.name()),
    }
}
