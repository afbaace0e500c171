//! INET_ATON and INET_NTOA of Flink 2.3: IPv4 addresses as numbers.
//!
//! # Flink
//! As MySQL has them: an address may leave out its middle parts (`127.1` is 127.0.0.1). What is no address gives NULL.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::PrimitiveArray;
use arrow_array::types::Int64Type;
use millrace_connector::{FlinkType, TypeKind};

use super::kernel::{BatchKernel, Longs, Texts};
use super::signature::{Param, check};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `INET_ATON`.
pub(crate) static INET_ATON: FunctionDef = FunctionDef {
    name: "INET_ATON",
    aliases: &[],
    category: Category::String,
    signatures: &["INET_ATON(address STRING) → BIGINT"],
    doc: "Returns the IPv4 address as a number; middle parts may be left out.\n\
          A text that is no address and NULL give NULL.\nFlink has it from 2.3 on.",
    examples: &[("INET_ATON('1.2.3.4')", "16909060")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_aton(args),
};

/// `INET_NTOA`.
pub(crate) static INET_NTOA: FunctionDef = FunctionDef {
    name: "INET_NTOA",
    aliases: &[],
    category: Category::String,
    signatures: &["INET_NTOA(number BIGINT) → STRING"],
    doc: "Returns the IPv4 address that the number stands for.\n\
          A number below 0 or beyond 32 bits and NULL give NULL.\nFlink has it from 2.3 on.",
    examples: &[("INET_NTOA(16909060)", "1.2.3.4")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_ntoa(args),
};

fn bind_aton(args: &[Arg]) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check("INET_ATON", args, &[Param::Text], 0)?,
        return_type: TypeKind::BigInt.nullable(),
        kernel: BatchKernel::infallible("INET_ATON", |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let numbers: PrimitiveArray<Int64Type> = (0..rows)
                .map(|row| texts.get(row).and_then(number))
                .collect();
            Arc::new(numbers) as ArrayRef
        }),
    })
}

fn bind_ntoa(args: &[Arg]) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check("INET_NTOA", args, &[Param::BigInt], 0)?,
        return_type: FlinkType::string(),
        kernel: BatchKernel::infallible("INET_NTOA", |args: &[Column], rows| {
            let numbers = Longs::new(&args[0]);
            let mut out = TextBuilder::new(rows);
            for row in 0..rows {
                let address = numbers
                    .get(row)
                    .and_then(|number| u32::try_from(number).ok())
                    .map(|number| std::net::Ipv4Addr::from(number).to_string());
                out.push_option(address.as_deref());
            }
            out.finish()
        }),
    })
}

fn number(address: &str) -> Option<i64> {
    let parts: Vec<i64> = address.split('.').map(part).collect::<Option<_>>()?;
    let (last, rest) = parts.split_last()?;
    if rest.len() > 3 {
        return None;
    }
    let places = [24, 16, 8];
    let high = rest.iter().zip(places).map(|(part, place)| part << place);
    Some(high.sum::<i64>() + last)
}

fn part(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|part| digits && *part <= 255)
}
