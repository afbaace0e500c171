//! Functions of the clock. One reading serves all calls of a batch.
//!
//! # Flink
//! In streaming mode every row reads the clock anew; CURRENT_DATE, CURRENT_TIME, LOCALTIME and LOCALTIMESTAMP show
//! it in the session's zone. A TIME(0) of the clock has its milliseconds all the same.

use std::sync::Arc;

use arrow_array::{ArrayRef, Date32Array, Time32MillisecondArray, TimestampMicrosecondArray};
use jiff::tz::TimeZone;
use millrace_connector::TypeKind;

use crate::cast::civil::MILLIS_PER_DAY;
use crate::cast::zone::ZoneOffsets;
use crate::operator::signature::exactly;
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel,
    RowError, Volatility,
};

/// What is shown of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    Date,
    Time,
    Timestamp,
    Instant,
}

#[derive(Debug)]
struct Clock {
    face: Face,
    tz: TimeZone,
}

impl Kernel for Clock {
    fn evaluate(&self, _: &[Column], _: usize, ctx: &EvalContext) -> Result<Column, RowError> {
        let local = || ZoneOffsets::new(&self.tz).local_millis(ctx.now_ms);
        let small = |value: i64| i32::try_from(value).expect("of a clock");
        let value: ArrayRef = match self.face {
            Face::Date => {
                let days = small(local().div_euclid(MILLIS_PER_DAY));
                Arc::new(Date32Array::from(vec![days]))
            }
            Face::Time => {
                let millis = small(local().rem_euclid(MILLIS_PER_DAY));
                Arc::new(Time32MillisecondArray::from(vec![millis]))
            }
            Face::Timestamp => Arc::new(TimestampMicrosecondArray::from(vec![local() * 1000])),
            Face::Instant => Arc::new(TimestampMicrosecondArray::from(vec![ctx.now_ms * 1000])),
        };
        Ok(Column::Constant(value))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind(name: &str, face: Face, args: &[Arg], ctx: &BindContext) -> Result<Bound, CallError> {
    exactly(name, 0, args)?;
    let kind = match face {
        Face::Date => TypeKind::Date,
        Face::Time => TypeKind::Time(0),
        Face::Timestamp => TypeKind::Timestamp(3),
        Face::Instant => TypeKind::TimestampLtz(3),
    };
    Ok(Bound {
        arg_types: Vec::new(),
        return_type: kind.not_null(),
        kernel: Arc::new(Clock {
            face,
            tz: ctx.session_tz.clone(),
        }),
    })
}

macro_rules! clock {
    ($name:ident, $text:literal, $face:ident, $signature:literal, $doc:literal) => {
        #[doc = concat!("`", $text, "`.")]
        pub(crate) static $name: FunctionDef = FunctionDef {
            name: $text,
            aliases: &[],
            category: Category::Temporal,
            signatures: &[$signature],
            doc: $doc,
            examples: &[],
            volatility: Volatility::PerBatch,
            bind: |args, ctx| bind($text, Face::$face, args, ctx),
        };
    };
}

clock!(
    CURRENT_DATE,
    "CURRENT_DATE",
    Date,
    "CURRENT_DATE → DATE NOT NULL",
    "Returns today's date in the session's time zone."
);
clock!(
    CURRENT_TIME,
    "CURRENT_TIME",
    Time,
    "CURRENT_TIME → TIME(0) NOT NULL",
    "Returns the time of day in the session's time zone, as LOCALTIME does."
);
clock!(
    LOCALTIME,
    "LOCALTIME",
    Time,
    "LOCALTIME → TIME(0) NOT NULL",
    "Returns the time of day in the session's time zone."
);
clock!(
    LOCALTIMESTAMP,
    "LOCALTIMESTAMP",
    Timestamp,
    "LOCALTIMESTAMP → TIMESTAMP(3) NOT NULL",
    "Returns the wall clock of the session's time zone."
);
clock!(
    CURRENT_TIMESTAMP,
    "CURRENT_TIMESTAMP",
    Instant,
    "CURRENT_TIMESTAMP → TIMESTAMP_LTZ(3) NOT NULL",
    "Returns the instant the row is worked on. All calls in a batch of rows agree."
);
clock!(
    NOW,
    "NOW",
    Instant,
    "NOW() → TIMESTAMP_LTZ(3) NOT NULL",
    "Returns the same as CURRENT_TIMESTAMP."
);
clock!(
    CURRENT_ROW_TIMESTAMP,
    "CURRENT_ROW_TIMESTAMP",
    Instant,
    "CURRENT_ROW_TIMESTAMP() → TIMESTAMP_LTZ(3) NOT NULL",
    "Returns the same as CURRENT_TIMESTAMP."
);
clock!(
    PROCTIME,
    "PROCTIME",
    Instant,
    "PROCTIME() → TIMESTAMP_LTZ(3) NOT NULL",
    "Returns the processing time, which is the same as CURRENT_TIMESTAMP."
);

/// `CURRENT_WATERMARK`.
pub(crate) static CURRENT_WATERMARK: FunctionDef = FunctionDef {
    name: "CURRENT_WATERMARK",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["CURRENT_WATERMARK(rowtime) → TIMESTAMP_LTZ(3)"],
    doc: "Returns the watermark of a rowtime attribute. Watermarks are not supported yet.",
    examples: &[],
    volatility: Volatility::PerBatch,
    bind: |_, _| {
        Err(CallError::NotYet {
            what: "CURRENT_WATERMARK".to_owned(),
        })
    },
};

/// `SOURCE_WATERMARK`.
pub(crate) static SOURCE_WATERMARK: FunctionDef = FunctionDef {
    name: "SOURCE_WATERMARK",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["SOURCE_WATERMARK()"],
    doc: "Stands for the watermarks of a source in a table's definition. Watermarks are not supported yet.",
    examples: &[],
    volatility: Volatility::PerBatch,
    bind: |_, _| {
        Err(CallError::NotYet {
            what: "SOURCE_WATERMARK".to_owned(),
        })
    },
};
