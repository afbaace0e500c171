//! Functions at the end of a path: `$.e.length()`.

use millrace_json::{Kind, Number};

use super::eval::{Document, Item};

/// Returns what the function makes of `node`; `None` is null.
///
/// # Errors
/// There is no such function, or it cannot be applied; Jayway's words.
pub(super) fn apply(
    name: &str,
    document: &Document<'_>,
    node: usize,
) -> Result<Option<Item>, String> {
    let elements = || -> Vec<usize> {
        if document.tape.kind(node) == Kind::Array {
            document.tape.elements(node).collect()
        } else {
            Vec::new()
        }
    };
    let numbers = || -> Result<Vec<f64>, String> {
        let numbers: Vec<f64> = elements()
            .into_iter()
            .filter(|element| matches!(document.tape.kind(*element), Kind::Int | Kind::Float))
            .map(
                |element| match document.tape.number(document.bytes, element) {
                    Number::Long(value) => value as f64,
                    Number::Double(value) => value,
                    Number::Big(digits) => digits.parse().unwrap_or(f64::NAN),
                },
            )
            .collect();
        if numbers.is_empty() {
            return Err(
                "Aggregation function attempted to calculate value using empty array".to_owned(),
            );
        }
        Ok(numbers)
    };
    Ok(Some(match name {
        "length" | "size" => match document.tape.kind(node) {
            Kind::Array => Item::Long(elements().len() as i64),
            Kind::Object => Item::Long(document.tape.entries(document.bytes, node).len() as i64),
            _ => return Ok(None),
        },
        "min" => Item::Double(numbers()?.into_iter().fold(f64::MAX, f64::min)),
        // Jayway starts from Java's `Double.MIN_VALUE`, the least number above zero.
        "max" => Item::Double(numbers()?.into_iter().fold(f64::from_bits(1), f64::max)),
        "sum" => Item::Double(numbers()?.into_iter().sum()),
        "avg" => {
            let numbers = numbers()?;
            Item::Double(numbers.iter().sum::<f64>() / numbers.len() as f64)
        }
        "stddev" => Item::Double(standard_deviation(&numbers()?)),
        "concat" => {
            let mut text = String::new();
            for element in elements() {
                if document.tape.kind(element) == Kind::String {
                    text += &document.text_of(element);
                }
            }
            Item::Text(text)
        }
        "keys" if document.tape.kind(node) == Kind::Object => {
            let entries = document.tape.entries(document.bytes, node);
            Item::List(
                entries
                    .into_iter()
                    .map(|(key, _)| Item::Text(String::from_utf8_lossy(&key).into_owned()))
                    .collect(),
            )
        }
        "keys" => return Ok(None),
        "first" | "last" => {
            let elements = elements();
            let place = if name == "first" {
                elements.first()
            } else {
                elements.last()
            };
            match place {
                Some(element) => Item::Node(*element),
                None => {
                    return Err(
                        "Aggregation function attempted to calculate value using empty array"
                            .to_owned(),
                    );
                }
            }
        }
        _ => return Err(format!("Function with name: {name} does not exist.")),
    }))
}

fn standard_deviation(numbers: &[f64]) -> f64 {
    let count = numbers.len() as f64;
    let sum: f64 = numbers.iter().sum();
    let squares: f64 = numbers.iter().map(|n| n * n).sum();
    (squares / count - sum * sum / count / count).sqrt()
}
