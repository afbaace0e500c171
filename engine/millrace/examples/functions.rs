//! A program with scalar functions and a connector of its own: a closure over Arrow arrays, and a function of DataFusion.

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int32Array};
use millrace::connector::{
    Connector, Diagnostic, OptionDef, SinkSpec, SourceSpec, TableDefinition, TypeKind,
    ValidateContext,
};
use millrace::datafusion::{ColumnarValue, Volatility, create_udf};
use millrace::{Session, UserFunction, datafusion_function};

/// A connector that takes rows and keeps none, under a name of this program.
#[derive(Debug)]
struct Nowhere;

impl Connector for Nowhere {
    fn identifier(&self) -> &'static str {
        "nowhere"
    }

    fn summary(&self) -> &'static str {
        "takes rows and keeps none"
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn source(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SourceSpec>, Vec<Diagnostic>> {
        millrace_builtin::BlackholeConnector.source(table, ctx)
    }

    fn sink(
        &self,
        table: &TableDefinition,
        ctx: &ValidateContext,
    ) -> Result<Box<dyn SinkSpec>, Vec<Diagnostic>> {
        millrace_builtin::BlackholeConnector.sink(table, ctx)
    }
}

/// Runs five rows through both functions and returns what the first one saw.
pub(crate) fn run() -> Result<Vec<i32>, Box<dyn std::error::Error>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&seen);
    let int = TypeKind::Int.nullable();
    let triple = UserFunction::new("TRIPLE", vec![int.clone()], int.clone(), move |args, _| {
        let numbers = args[0].as_primitive::<Int32Type>();
        let mut kept = keeper.lock().map_err(|error| error.to_string())?;
        kept.extend(numbers.iter().flatten());
        Ok(Arc::new(numbers.unary::<_, Int32Type>(|n| n * 3)) as ArrayRef)
    });
    let data_type = arrow_schema::DataType::Int32;
    let negate = create_udf(
        "negate",
        vec![data_type.clone()],
        data_type,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let numbers: &Int32Array = arrays[0].as_primitive();
            let negated: Int32Array = numbers.unary(|n| -n);
            Ok(ColumnarValue::Array(Arc::new(negated)))
        }),
    );
    let negate = datafusion_function(Arc::new(negate), vec![int.clone()], int)?;
    let mut session = Session::new("functions");
    session
        .set("state.checkpoints.dir", "memory://")
        .register_connector(Arc::new(Nowhere))
        .register_function(triple.volatile())
        .register_function(negate)
        .register_tables(
            "CREATE TABLE numbers (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5',
                'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '5');
             CREATE TABLE gone (n INT) WITH ('connector' = 'nowhere');",
        );
    let planned = session.plan("INSERT INTO gone SELECT triple(NEGATE(id)) FROM numbers;")?;
    show(&planned.plans()[0]);
    planned.run()?.wait()?;
    let mut seen = seen.lock().map_err(|error| error.to_string())?.clone();
    seen.sort_unstable();
    Ok(seen)
}

/// Prints the plan, and what the first function saw.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    show(&format_args!("TRIPLE saw {:?}", run()?));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn show(what: &dyn std::fmt::Display) {
    println!("{what}");
}
