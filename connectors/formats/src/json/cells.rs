//! A value of a document as the conversions see it.

use std::borrow::Cow;

use millrace_json::java_decimal::push_stripped;
use millrace_json::{Kind, Span, push_double, unescape};

/// A scalar or container where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) span: Span,
    pub(crate) bytes: &'a [u8],
    /// Numbers with a point are decimals, not doubles.
    pub(crate) has_exact_numbers: bool,
}

impl<'a> Cell<'a> {
    /// Returns its text in the document, a string's without quotes.
    #[inline]
    pub(crate) fn raw(&self) -> &'a [u8] {
        self.span.of(self.bytes)
    }

    /// Returns its text as Jackson's `asText` does: a container's is empty.
    pub(crate) fn text(&self) -> Cow<'a, [u8]> {
        match self.span.kind {
            Kind::String if self.span.is_escaped() => {
                let mut out = Vec::new();
                unescape(self.raw(), &mut out);
                Cow::Owned(out)
            }
            Kind::String | Kind::True | Kind::False => Cow::Borrowed(self.raw()),
            Kind::Int if self.raw() == b"-0" => Cow::Borrowed(b"0"),
            Kind::Int => Cow::Borrowed(self.raw()),
            Kind::Float if self.is_exact() => {
                let mut out = Vec::new();
                push_stripped(self.raw(), &mut out);
                Cow::Owned(out)
            }
            Kind::Float if self.span.needs_rewrite() || self.has_exact_numbers => {
                let mut out = Vec::new();
                push_double(self.double(), &mut out);
                Cow::Owned(out)
            }
            Kind::Float => Cow::Borrowed(self.raw()),
            Kind::Null => Cow::Borrowed(b"null"),
            Kind::Array | Kind::Object | Kind::Missing => Cow::Borrowed(b""),
        }
    }

    /// Tells whether it is a number that is read as a decimal; one that no double can hold never is.
    pub(crate) fn is_exact(&self) -> bool {
        self.has_exact_numbers && self.span.kind == Kind::Float && self.double().is_finite()
    }

    /// Returns the number of a float.
    pub(crate) fn double(&self) -> f64 {
        std::str::from_utf8(self.raw())
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(f64::NAN)
    }

    /// Returns the name of Jackson's class for it.
    pub(crate) fn class(&self) -> &'static str {
        match self.span.kind {
            Kind::Null => "NullNode",
            Kind::True | Kind::False => "BooleanNode",
            Kind::Float if self.is_exact() => "DecimalNode",
            Kind::Float => "DoubleNode",
            Kind::String => "TextNode",
            Kind::Array => "ArrayNode",
            Kind::Object => "ObjectNode",
            Kind::Missing => "MissingNode",
            Kind::Int => match std::str::from_utf8(self.raw())
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
            {
                Some(long) if i32::try_from(long).is_ok() => "IntNode",
                Some(_) => "LongNode",
                None => "BigIntegerNode",
            },
        }
    }
}
