//! Checks a call's arguments against a list of parameters.

use millrace_connector::{FlinkType, TypeKind};

use crate::{Arg, CallError};

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// CHAR or VARCHAR.
    Text,
    /// BINARY or VARBINARY.
    Binary,
    /// Any of both.
    TextOrBinary,
    /// An integer, widened or narrowed to INT.
    Int,
    /// An integer, widened to BIGINT.
    BigInt,
    /// Anything that has a type.
    Any,
}

impl Param {
    /// Returns the type the kernel wants for an argument of type `ty`, if the parameter takes it.
    fn accept(self, ty: &FlinkType) -> Option<FlinkType> {
        let same = |taken: bool| taken.then(|| ty.clone());
        match self {
            Self::Text => same(ty.kind.is_character()),
            Self::Binary => same(ty.kind.is_binary()),
            Self::TextOrBinary => same(ty.kind.is_character() || ty.kind.is_binary()),
            Self::Int => integer(ty, TypeKind::Int),
            Self::BigInt => integer(ty, TypeKind::BigInt),
            Self::Any => same(ty.kind != TypeKind::Null),
        }
    }
}

fn integer(ty: &FlinkType, target: TypeKind) -> Option<FlinkType> {
    ty.kind.is_integer().then_some(FlinkType {
        kind: target,
        nullable: ty.nullable,
    })
}

/// Checks `args` against `params`, of which the last `optional` may be left out, and returns the types the
/// kernel wants.
///
/// # Errors
/// The count or a type does not fit.
pub(crate) fn check(
    function: &str,
    args: &[Arg],
    params: &[Param],
    optional: usize,
) -> Result<Vec<FlinkType>, CallError> {
    let least = params.len() - optional;
    if args.len() < least || args.len() > params.len() {
        return Err(count_error(function, args.len(), least, Some(params.len())));
    }
    args.iter()
        .zip(params)
        .map(|(arg, param)| {
            param
                .accept(&arg.ty)
                .ok_or_else(|| types_error(function, args))
        })
        .collect()
}

/// Checks at least `least` arguments that are all of `param`.
///
/// # Errors
/// The count or a type does not fit.
pub(crate) fn check_all(
    function: &str,
    args: &[Arg],
    param: Param,
    least: usize,
) -> Result<Vec<FlinkType>, CallError> {
    if args.len() < least {
        return Err(count_error(function, args.len(), least, None));
    }
    args.iter()
        .map(|arg| {
            param
                .accept(&arg.ty)
                .ok_or_else(|| types_error(function, args))
        })
        .collect()
}

/// Returns the error for a wrong number of arguments.
pub(crate) fn count_error(
    function: &str,
    given: usize,
    least: usize,
    most: Option<usize>,
) -> CallError {
    let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
    let expected = match most {
        Some(most) if most == least => format!("{least} {}", plural(least)),
        Some(most) => format!("{least} to {most} arguments"),
        None => format!("at least {least} {}", plural(least)),
    };
    CallError::ArgumentCount {
        function: function.to_owned(),
        expected,
        given,
    }
}

/// Returns the error for argument types that no signature takes.
pub(crate) fn types_error(function: &str, args: &[Arg]) -> CallError {
    let given: Vec<String> = args.iter().map(|arg| arg.ty.to_string()).collect();
    CallError::ArgumentTypes {
        function: function.to_owned(),
        given: given.join(", "),
    }
}

/// Returns `kind`, nullable if any argument is: Flink's `nullableIfArgs`.
pub(crate) fn nullable_if_any(args: &[Arg], kind: TypeKind) -> FlinkType {
    FlinkType {
        kind,
        nullable: args.iter().any(|arg| arg.ty.nullable),
    }
}

/// Returns VARCHAR of the length of the character type `ty`.
pub(crate) fn varying(ty: &FlinkType) -> TypeKind {
    match ty.kind {
        TypeKind::Char(n) => TypeKind::Varchar(n),
        ref kind => kind.clone(),
    }
}

/// Returns the text of a literal argument, or `None` for a column or NULL.
pub(crate) fn literal_text(arg: &Arg) -> Option<String> {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    let literal = arg.literal.as_ref()?;
    let array = literal.value.as_string_view_opt()?;
    (array.len() == 1 && array.is_valid(0)).then(|| array.value(0).to_owned())
}
