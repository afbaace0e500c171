//! Tests as cases that Flink 1.17.2 answered: rows in, one at a time, and what came out behind each.
//!
//! A case is a line of JSON: the input's types, the operator, steps `[kind, values, watermark]` with what they gave, and
//! what came at the end. Values are text, as Flink prints them.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use jiff::tz::TimeZone;
use millrace_connector::physical::arrow_type;
use millrace_connector::{DayTimeResolution, FlinkType, LENGTH_MAX, RowKind, TypeKind};
use millrace_functions::aggregate::{AggregateCall, bind};
use millrace_functions::cast::{CastMode, bind_cast};
use millrace_functions::{Arg, BindContext, Column, EvalContext, Literal};
use serde_json::Value;

use crate::operator::Item;
use crate::testing::Checkpoint;
use crate::{
    AggregateSpec, Batch, Context, Operator, Output, Watermark, WindowAssigner, WindowProperty,
};

/// A case.
pub(crate) struct Case {
    pub(crate) json: Value,
    pub(crate) input: Vec<FlinkType>,
    pub(crate) output: Vec<FlinkType>,
}

/// Reads the cases of a file.
pub(crate) fn read(text: &str) -> Vec<Case> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let json: Value = serde_json::from_str(line).unwrap();
            let types = |field: &str| {
                let types = json[field].as_array().unwrap().iter();
                types.map(|ty| parse_type(ty.as_str().unwrap())).collect()
            };
            Case {
                input: types("input"),
                output: types("output"),
                json,
            }
        })
        .collect()
}

impl Case {
    pub(crate) fn name(&self) -> &str {
        self.json["name"].as_str().unwrap()
    }

    pub(crate) fn indexes(&self, field: &str) -> Vec<usize> {
        let values = self.json[field].as_array().unwrap().iter();
        values
            .map(|value| usize::try_from(value.as_u64().unwrap()).unwrap())
            .collect()
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        self.json[field].as_bool().unwrap_or(false)
    }

    pub(crate) fn number(&self, field: &str) -> Option<i64> {
        self.json[field].as_i64()
    }

    /// Returns the Arrow types of the keys.
    pub(crate) fn key_types(&self) -> Vec<DataType> {
        let keys = self.indexes("keys").into_iter();
        keys.map(|key| arrow_type(&self.input[key].kind)).collect()
    }

    /// Returns the Arrow types of the input.
    pub(crate) fn input_types(&self) -> Vec<DataType> {
        let types = self.input.iter();
        types.map(|ty| arrow_type(&ty.kind)).collect()
    }

    pub(crate) fn rowtime(&self) -> Option<usize> {
        self.number("rowtime")
            .map(|column| usize::try_from(column).unwrap())
    }

    /// Returns the session's zone where the rowtime is an instant.
    pub(crate) fn zone(&self) -> Option<TimeZone> {
        let zone = self.json["zone"].as_str().unwrap_or("UTC");
        self.flag("ltz").then(|| TimeZone::get(zone).unwrap())
    }

    pub(crate) fn properties(&self) -> Vec<WindowProperty> {
        let names = self.json["properties"].as_array().unwrap().iter();
        names
            .map(|name| match name.as_str().unwrap() {
                "window_start" => WindowProperty::Start,
                "window_end" => WindowProperty::End,
                _ => WindowProperty::Time,
            })
            .collect()
    }

    /// Returns the windows of TUMBLE, HOP and CUMULATE.
    pub(crate) fn assigner(&self) -> Option<WindowAssigner> {
        let window = &self.json["window"];
        let length = |place: usize| window["lengths"][place].as_i64().unwrap();
        let offset_ms = window["offset"].as_i64().unwrap();
        match window["kind"].as_str().unwrap() {
            "TUMBLE" => Some(WindowAssigner::Tumble {
                size_ms: length(0),
                offset_ms,
            }),
            "HOP" => Some(WindowAssigner::Hop {
                slide_ms: length(0),
                size_ms: length(1),
                offset_ms,
            }),
            "CUMULATE" => Some(WindowAssigner::Cumulate {
                step_ms: length(0),
                size_ms: length(1),
                offset_ms,
            }),
            _ => None,
        }
    }

    /// Binds the calls of field `calls`.
    pub(crate) fn calls(&self) -> Vec<AggregateSpec> {
        let calls = self.json["calls"].as_array().unwrap().iter();
        calls.map(|call| self.call(call)).collect()
    }

    fn call(&self, call: &Value) -> AggregateSpec {
        let columns = call["args"].as_array().unwrap().iter();
        let columns: Vec<usize> = columns
            .map(|column| usize::try_from(column.as_u64().unwrap()).unwrap())
            .collect();
        let mut args: Vec<Arg> = columns
            .iter()
            .map(|column| Arg {
                ty: self.input[*column].clone(),
                literal: None,
            })
            .collect();
        if let Some(text) = call["literal"].as_str() {
            let ty = TypeKind::Char(1).not_null();
            let value = texts(&[Some(text)]);
            args.push(Arg {
                ty: ty.clone(),
                literal: Some(Literal { ty, value }),
            });
        }
        for number in call["rest"].as_array().into_iter().flatten() {
            let ty = TypeKind::Int.not_null();
            let value = parse(&ty, &[Some(&number.to_string())]);
            args.push(Arg {
                ty: ty.clone(),
                literal: Some(Literal { ty, value }),
            });
        }
        let filter = call["filter"].as_u64();
        let bound = bind(&AggregateCall {
            name: call["name"].as_str().unwrap(),
            args: &args,
            distinct: call["distinct"].as_bool().unwrap_or(false),
            may_be_empty: filter.is_some() || self.flag("global"),
            retract: self.flag("retract") || self.flag("bounded_frame"),
            over: self.flag("over"),
            bounded: false,
            absent_on_null: call["absent"].as_bool(),
        })
        .unwrap();
        AggregateSpec {
            columns: bound.columns.iter().map(|place| columns[*place]).collect(),
            aggregate: bound.aggregate,
            filter: filter.map(|filter| usize::try_from(filter).unwrap()),
        }
    }

    /// Runs the case; with `restore_at`, the operator is put away before that step and made anew from its state.
    pub(crate) fn run(&self, make: &dyn Fn() -> Box<dyn Operator>, restore_at: Option<usize>) {
        let mut operator = make();
        let mut checkpoint = Checkpoint::default();
        let mut ctx = Context {
            now_ms: 1_000_000,
            watermark: Watermark::NONE,
        };
        let steps = self.json["steps"].as_array().unwrap();
        for (at, step) in steps.iter().enumerate() {
            if restore_at == Some(at) {
                let mut out = Output::default();
                operator.flush(&ctx, &mut out).unwrap();
                assert!(out.items.is_empty());
                operator.snapshot(&mut checkpoint).unwrap();
                operator = make();
                operator.restore(&mut checkpoint).unwrap();
            } else if restore_at.is_some() && at % 2 == 0 {
                operator.snapshot(&mut checkpoint).unwrap();
            }
            let (given, expected) = (&step[0], &step[1]);
            if given[0] == "#sleep" {
                ctx.now_ms += given[1].as_i64().unwrap();
                continue;
            }
            let mut out = Output::default();
            let batch = batch(&self.input, &[given]);
            let result = operator.batch(0, batch, &ctx, &mut out);
            if self.number("fails_at") == i64::try_from(at).ok() {
                assert!(result.is_err(), "{}: step {at} does not fail", self.name());
                return;
            }
            result.unwrap_or_else(|error| panic!("{}: step {at}: {error}", self.name()));
            if let Some(watermark) = given[2].as_i64() {
                let watermark = Watermark(watermark);
                if watermark > ctx.watermark {
                    operator.watermark(watermark, &ctx, &mut out).unwrap();
                    ctx.watermark = watermark;
                }
            }
            self.compare(&format!("step {at} ({given})"), &out, expected);
        }
        let mut out = Output::default();
        operator.flush(&ctx, &mut out).unwrap();
        operator.watermark(Watermark::END, &ctx, &mut out).unwrap();
        self.compare("the end", &out, &self.json["end"]);
    }

    fn compare(&self, at: &str, out: &Output, expected: &Value) {
        let mut found = self.rows(out);
        let expected = expected.as_array().map_or(&[][..], |rows| rows.as_slice());
        let mut expected: Vec<String> = expected.iter().map(Value::to_string).collect();
        if !self.flag("list") {
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{}: {at}", self.name());
    }

    /// Returns what came out in the order of the query's columns.
    fn rows(&self, out: &Output) -> Vec<String> {
        let order: Vec<usize> = match &self.json["order"] {
            Value::Null => (0..self.output.len()).collect(),
            _ => self.indexes("order"),
        };
        let mut rows = Vec::new();
        for item in &out.items {
            let Item::Batch(batch) = item else { continue };
            let columns: Vec<Vec<Value>> = self
                .output
                .iter()
                .zip(&order)
                .map(|(ty, column)| print(ty, &batch.columns[*column]))
                .collect();
            for row in 0..batch.rows {
                let values: Vec<Value> = columns.iter().map(|column| column[row].clone()).collect();
                let row = serde_json::json!([batch.kind(row).short(), values]);
                rows.push(row.to_string());
            }
        }
        rows
    }

    /// Runs the case as it is, and restored before each step.
    pub(crate) fn check(&self, make: &dyn Fn() -> Box<dyn Operator>) {
        self.run(make, None);
        for at in 0..self.json["steps"].as_array().unwrap().len() {
            self.run(make, Some(at));
        }
    }
}

/// Returns rows of text as a batch.
fn batch(types: &[FlinkType], rows: &[&Value]) -> Batch {
    let kinds: Vec<RowKind> = rows
        .iter()
        .map(|row| match row[0].as_str().unwrap() {
            "+I" => RowKind::Insert,
            "-U" => RowKind::UpdateBefore,
            "+U" => RowKind::UpdateAfter,
            "-D" => RowKind::Delete,
            kind => panic!("{kind} is no kind"),
        })
        .collect();
    let columns = types.iter().enumerate();
    let columns = columns
        .map(|(place, ty)| {
            let values: Vec<Option<&str>> = rows.iter().map(|row| row[1][place].as_str()).collect();
            parse(ty, &values)
        })
        .collect();
    let mut batch = Batch::changes(columns, kinds);
    if rows.iter().all(|row| row[0] == "+I") {
        batch.kinds = None;
    }
    batch
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    let mut builder = StringViewBuilder::new();
    values
        .iter()
        .for_each(|value| builder.append_option(*value));
    Arc::new(builder.finish())
}

fn cast(from: &FlinkType, to: &FlinkType, values: &ArrayRef) -> ArrayRef {
    if from.kind == to.kind {
        return Arc::clone(values);
    }
    let (kernel, _) = bind_cast(from, to, CastMode::Implicit, &BindContext::default())
        .or_else(|_| bind_cast(from, to, CastMode::Cast, &BindContext::default()))
        .unwrap();
    let args = [Column::Array(Arc::clone(values))];
    let cast = kernel.evaluate(&args, values.len(), &EvalContext { now_ms: 0 });
    match cast.unwrap() {
        Column::Array(array) => array,
        Column::Constant(_) => panic!("a column gives a column"),
    }
}

fn parse(ty: &FlinkType, values: &[Option<&str>]) -> ArrayRef {
    let mut values = values.to_vec();
    if matches!(ty.kind, TypeKind::TimestampLtz(_)) {
        values
            .iter_mut()
            .flatten()
            .for_each(|value| *value = value.trim_end_matches('Z'));
    }
    let array = cast(&FlinkType::string(), ty, &texts(&values));
    assert_eq!(array.data_type(), &arrow_type(&ty.kind));
    array
}

fn print(ty: &FlinkType, column: &ArrayRef) -> Vec<Value> {
    assert_eq!(column.data_type(), &arrow_type(&ty.kind));
    match &ty.kind {
        TypeKind::Multiset(element) => {
            let map = column.as_map();
            let keys = print(element, map.keys());
            let counts = print(&TypeKind::Int.not_null(), map.values());
            (0..map.len())
                .map(|row| {
                    let range =
                        map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
                    let mut entries: Vec<Value> = range
                        .map(|entry| serde_json::json!([keys[entry], counts[entry]]))
                        .collect();
                    entries.sort_by_key(ToString::to_string);
                    serde_json::json!({"map": entries})
                })
                .collect()
        }
        TypeKind::Boolean => {
            let values = column.as_boolean();
            values
                .iter()
                .map(|value| value.map_or(Value::Null, |value| value.to_string().into()))
                .collect()
        }
        kind => {
            let suffix = if matches!(kind, TypeKind::TimestampLtz(_)) {
                "Z"
            } else {
                ""
            };
            let texts = cast(ty, &FlinkType::string(), column);
            let texts = texts.as_string_view();
            texts
                .iter()
                .map(|text| text.map_or(Value::Null, |text| format!("{text}{suffix}").into()))
                .collect()
        }
    }
}

/// Reads a type as Flink prints it.
fn parse_type(text: &str) -> FlinkType {
    let (text, nullable) = match text.strip_suffix(" NOT NULL") {
        Some(text) => (text, false),
        None => (text, true),
    };
    let (name, rest) = text.split_once(['(', '<']).unwrap_or((text, ""));
    let numbers: Vec<u8> = rest
        .trim_end_matches(')')
        .split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect();
    let kind = match name {
        "VARCHAR" if rest.starts_with("2000)") => TypeKind::Varchar(2000),
        "VARCHAR" => TypeKind::Varchar(LENGTH_MAX),
        "BOOLEAN" => TypeKind::Boolean,
        "TINYINT" => TypeKind::TinyInt,
        "SMALLINT" => TypeKind::SmallInt,
        "INT" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "FLOAT" => TypeKind::Float,
        "DOUBLE" => TypeKind::Double,
        "DATE" => TypeKind::Date,
        "TIME" => TypeKind::Time(0),
        "DECIMAL" => TypeKind::Decimal(numbers[0], numbers[1]),
        "INTERVAL" => TypeKind::IntervalDayTime(DayTimeResolution::Second, 2, 6),
        "TIMESTAMP" if text.ends_with("WITH LOCAL TIME ZONE") => TypeKind::TimestampLtz(3),
        "TIMESTAMP" => TypeKind::Timestamp(numbers[0]),
        "MULTISET" => TypeKind::Multiset(Box::new(parse_type(rest.trim_end_matches('>')))),
        _ => panic!("{text} is no type of these tests"),
    };
    FlinkType { kind, nullable }
}
