//! Checks that typing rules share.

use millrace_connector::{FlinkType, TypeKind};

use crate::{Arg, CallError};

/// Refuses calls that do not have `count` arguments.
pub(crate) fn exactly(name: &str, count: usize, args: &[Arg]) -> Result<(), CallError> {
    between(name, count, count, args)
}

/// Refuses calls that do not have `min` to `max` arguments.
pub(crate) fn between(name: &str, min: usize, max: usize, args: &[Arg]) -> Result<(), CallError> {
    if (min..=max).contains(&args.len()) {
        return Ok(());
    }
    let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let expected = if min == max {
        format!("{min} {}", plural(min))
    } else if max == usize::MAX {
        format!("at least {min} {}", plural(min))
    } else {
        format!("{min} to {max} arguments")
    };
    Err(CallError::ArgumentCount {
        function: name.to_owned(),
        expected,
        given: args.len(),
    })
}

/// Returns the refusal of the arguments' types.
pub(crate) fn bad_types(name: &str, args: &[Arg]) -> CallError {
    let given: Vec<String> = args.iter().map(|arg| arg.ty.kind.to_string()).collect();
    CallError::ArgumentTypes {
        function: name.to_owned(),
        given: given.join(", "),
    }
}

/// Tells whether some argument can be NULL.
pub(crate) fn any_nullable(args: &[Arg]) -> bool {
    args.iter()
        .any(|arg| arg.ty.nullable || arg.ty.kind == TypeKind::Null)
}

/// Returns the type of this kind that is nullable when an argument is.
pub(crate) fn nullable_if_args(kind: TypeKind, args: &[Arg]) -> FlinkType {
    FlinkType {
        kind,
        nullable: any_nullable(args),
    }
}

/// Returns BOOLEAN, nullable when an argument is.
pub(crate) fn boolean(args: &[Arg]) -> FlinkType {
    nullable_if_args(TypeKind::Boolean, args)
}

/// Returns the type with another kind.
pub(crate) fn with_kind(ty: &FlinkType, kind: TypeKind) -> FlinkType {
    FlinkType {
        kind,
        nullable: ty.nullable,
    }
}
