//! DataFusion's scalar functions as functions of a pipeline.

use std::sync::Arc;

use arrow_schema::FieldRef;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, Volatility as PlanVolatility,
};
use millrace_connector::{FlinkType, physical};
use millrace_functions::UserFunction;

use crate::logical::field;

/// DataFusion's types for writing a function.
pub mod datafusion {
    pub use datafusion_common::{DataFusionError, Result, ScalarValue};
    pub use datafusion_expr::{
        ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        TypeSignature, Volatility, create_udf,
    };
}

/// Returns a function of DataFusion as a function of a pipeline that takes and gives values of Flink's types. Text goes in as
/// `Utf8View`; a result that is stored in another way is cast.
///
/// # Errors
/// A function that does not take those types, or whose results cannot be of that type.
pub fn datafusion_function(
    udf: Arc<ScalarUDF>,
    args: Vec<FlinkType>,
    result: FlinkType,
) -> Result<UserFunction, String> {
    let name = udf.name().to_owned();
    let fields: Vec<FieldRef> = args
        .iter()
        .enumerate()
        .map(|(index, ty)| field::field(&format!("arg{index}"), ty, None))
        .collect();
    let none = vec![None; fields.len()];
    let returned = udf.return_field_from_args(ReturnFieldArgs {
        arg_fields: &fields,
        scalar_arguments: &none,
    });
    let returned = returned.map_err(|error| error.strip_backtrace())?;
    let wanted = physical::arrow_type(&result.kind);
    if !arrow_cast::can_cast_types(returned.data_type(), &wanted) {
        let given = returned.data_type();
        return Err(format!("{name} gives {given}, which cannot be {result}"));
    }
    let is_pure = udf.signature().volatility == PlanVolatility::Immutable;
    let options = Arc::new(ConfigOptions::default());
    let function = UserFunction::new(&name, args, result, move |arrays, rows| {
        let given = ScalarFunctionArgs {
            args: arrays.iter().cloned().map(ColumnarValue::Array).collect(),
            arg_fields: fields.clone(),
            number_rows: rows,
            return_field: Arc::clone(&returned),
            config_options: Arc::clone(&options),
        };
        let found = udf.invoke_with_args(given);
        let found = found.and_then(|found| found.into_array(rows));
        let found = found.map_err(|error| error.strip_backtrace())?;
        arrow_cast::cast(&found, &wanted).map_err(|error| error.to_string())
    });
    Ok(if is_pure {
        function
    } else {
        function.volatile()
    })
}
