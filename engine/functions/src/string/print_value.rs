//! PRINT.
//!
//! # Flink
//! Writes the message and the value to the process's standard output, here standard error, and returns the value.

use std::io::Write as _;

use millrace_connector::FlinkType;

use super::kernel::{BatchKernel, Texts};
use super::signature::{Param, check};
use crate::{Bound, Category, Column, FunctionDef, Volatility};

/// `PRINT`.
pub(crate) static PRINT: FunctionDef = FunctionDef {
    name: "PRINT",
    aliases: &[],
    category: Category::Other,
    signatures: &["PRINT(message STRING, value STRING) → STRING"],
    doc: "Writes the message and the text to standard error, row by row, and returns the text.",
    examples: &[("PRINT('a', 'b')", "b")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let arg_types: Vec<FlinkType> = check("PRINT", args, &[Param::Text; 2], 0)?;
        Ok(Bound {
            return_type: arg_types[1].clone(),
            arg_types,
            kernel: BatchKernel::infallible("PRINT", |args: &[Column], rows| {
                let messages = Texts::new(&args[0]);
                let values = Texts::new(&args[1]);
                let mut out = super::text_builder::TextBuilder::over(values.array(), rows);
                let mut stderr = std::io::stderr().lock();
                for row in 0..rows {
                    let message = messages.get(row).unwrap_or("null");
                    // A closed standard error must not stop the pipeline.
                    let _ = writeln!(stderr, "{message}{}", values.get(row).unwrap_or("null"));
                    match values.get(row) {
                        Some(text) => out.push_slice(text),
                        None => out.push_null(),
                    }
                }
                out.finish()
            }),
        })
    },
};
