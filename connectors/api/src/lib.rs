//! The contract between millrace's engine and its connectors: types, batches, positions, options, errors, and
//! the traits of sources and sinks. It knows Arrow and Flink's type names, and nothing of SQL, plans or lanes.
//!
//! Start from [`FlinkType`] (what a value is), [`Diagnostic`] (what a user is told) and, for a connector,
//! the traits of [`source`] and [`sink`].

mod diagnostic;
mod flink_type;
pub mod physical;
mod span;

pub use diagnostic::{Diagnostic, Label, Severity, did_you_mean};
pub use flink_type::{
    DECIMAL_PRECISION_MAX, DayTimeResolution, FlinkType, LENGTH_MAX, RowField, TypeKind,
    YearMonthResolution,
};
pub use span::{Span, Spanned};
