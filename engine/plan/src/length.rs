//! `table.exec.sink.type-length-enforcer` = TRIM_PAD: texts and bytes are cut and padded to the sink's lengths.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use millrace_connector::{LENGTH_MAX, TypeKind};
use millrace_functions::{Column, EvalContext, Kernel, RowError};

/// Cuts to `length` characters or bytes; CHAR and BINARY are padded with blanks or zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LengthEnforcer {
    length: usize,
    pads: bool,
}

impl LengthEnforcer {
    /// Returns the enforcer of a type; `None` where any length fits.
    pub(crate) fn of(kind: &TypeKind) -> Option<Self> {
        let (length, pads) = match kind {
            TypeKind::Char(length) | TypeKind::Binary(length) => (*length, true),
            TypeKind::Varchar(length) | TypeKind::Varbinary(length) => (*length, false),
            _ => return None,
        };
        (length < LENGTH_MAX).then_some(Self {
            length: length as usize,
            pads,
        })
    }

    fn text(self, value: &str, scratch: &mut String) {
        scratch.clear();
        scratch.extend(value.chars().take(self.length));
        if self.pads {
            let missing = self.length - scratch.chars().count();
            scratch.extend(std::iter::repeat_n(' ', missing));
        }
    }

    fn bytes(self, value: &[u8], scratch: &mut Vec<u8>) {
        scratch.clear();
        scratch.extend_from_slice(&value[..value.len().min(self.length)]);
        if self.pads {
            scratch.resize(self.length, 0);
        }
    }
}

impl Kernel for LengthEnforcer {
    fn evaluate(
        &self,
        args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let array = args[0].array();
        let result: arrow_array::ArrayRef = if let Some(texts) = array.as_string_view_opt() {
            let mut builder = StringViewBuilder::with_capacity(texts.len());
            let mut scratch = String::new();
            for value in texts {
                builder.append_option(value.map(|value| {
                    self.text(value, &mut scratch);
                    scratch.as_str()
                }));
            }
            Arc::new(builder.finish())
        } else {
            let mut builder = BinaryViewBuilder::with_capacity(array.len());
            let mut scratch = Vec::new();
            for value in array.as_binary_view() {
                builder.append_option(value.map(|value| {
                    self.bytes(value, &mut scratch);
                    scratch.as_slice()
                }));
            }
            Arc::new(builder.finish())
        };
        Ok(if args[0].is_constant() {
            Column::Constant(result)
        } else {
            Column::Array(result)
        })
    }

    fn can_fail(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_and_pads_by_characters() {
        let check = |kind: TypeKind, value: &str, expected: &str| {
            let mut scratch = String::new();
            LengthEnforcer::of(&kind)
                .expect("the type has a length")
                .text(value, &mut scratch);
            assert_eq!(scratch, expected);
        };
        check(TypeKind::Varchar(3), "äöüß", "äöü");
        check(TypeKind::Varchar(3), "a", "a");
        check(TypeKind::Char(3), "a", "a  ");
        assert!(LengthEnforcer::of(&TypeKind::Varchar(LENGTH_MAX)).is_none());
    }
}
