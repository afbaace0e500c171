//! Rows of arrays as text.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use millrace_json::java_time::date_of_days;

pub(crate) fn row(arrays: &[ArrayRef], row: usize) -> String {
    let cells: Vec<String> = arrays.iter().map(|array| cell(array, row)).collect();
    cells.join(" | ")
}

fn cell(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => format!("{:?}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            format!("{value}e-{scale}")
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            timestamp(i64::from(days) * 86_400_000_000)[..10].to_owned()
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            timestamp(i64::from(millis) * 1000)[11..].to_owned()
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Utf8View => format!("{:?}", array.as_string_view().value(row)),
        DataType::BinaryView => {
            let bytes = array.as_binary_view().value(row);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            let items: Vec<String> = (0..list.len()).map(|at| cell(&list, at)).collect();
            format!("[{}]", items.join(", "))
        }
        other => panic!("no text for {other}"),
    }
}

fn timestamp(micros: i64) -> String {
    const DAY: i64 = 86_400_000_000;
    let (year, month, day) = date_of_days(micros.div_euclid(DAY));
    let (second, micro) = (
        micros.rem_euclid(DAY) / 1_000_000,
        micros.rem_euclid(1_000_000),
    );
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}.{micro:06}")
}
