//! The contract between millrace's engine and its connectors: types, batches, positions, options, errors, and
//! the traits of sources and sinks. It knows Arrow and Flink's type names, and nothing of SQL, plans or lanes.
//!
//! Start from [`FlinkType`] (what a value is), [`Diagnostic`] (what a user is told) and, for a connector,
//! [`Connector`] with the traits of [`source`] and [`sink`].

mod cancel;
mod connector;
mod diagnostic;
mod error;
mod figure;
mod flink_type;
pub mod grammar;
mod hash;
mod identity;
mod option;
pub mod physical;
mod position;
mod row_kind;
mod secret;
pub mod sink;
pub mod source;
mod span;
mod table;
mod zone;

pub use cancel::Cancel;
pub use connector::{
    ChangelogMode, Connector, DeliveryGuarantee, MetadataKey, OpenContext, Projection, SinkSpec,
    SourceSpec, ValidateContext,
};
pub use diagnostic::{Diagnostic, Label, Severity, did_you_mean, nearest};
pub use error::{ConnectorError, ErrorKind, Retry};
pub use figure::Figure;
pub use flink_type::{
    DECIMAL_PRECISION_MAX, DayTimeResolution, FlinkType, LENGTH_MAX, RowField, TypeKind,
    YearMonthResolution,
};
pub use hash::{FNV_BASIS, fnv1a};
pub use identity::{Names, Origin, Place};
pub use option::{OptionDef, OptionKind, Options, check_options};
pub use position::{Epoch, LaneId, Position, Positions, SplitId};
pub use row_kind::RowKind;
pub use secret::{is_secret, masked, secret_spans};
pub use span::{Span, Spanned};
pub use table::{ColumnDefinition, ColumnKind, TableDefinition};
pub use zone::parse_time_zone;
