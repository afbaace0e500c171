//! The kernels that are measured: each with its data, ready to run over a batch again and again.

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use millrace_connector::{FlinkType, TypeKind};
use millrace_formats::{EncodedBatch, FormatContext, Payloads, create_decoder, create_encoder};
use millrace_functions::json::{Path, json_value_many};
use millrace_functions::split_index_many;

use crate::calls::{Call, Input};
use crate::messages::{self, CALLBACK_KEYS, ROWS};

/// A kernel with its data.
pub struct Kernel {
    /// Bytes of input, or of output for an encoder, in a batch of [`ROWS`] rows.
    pub bytes: usize,
    run: Box<dyn FnMut()>,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    fn new(bytes: usize, run: impl FnMut() + 'static) -> Self {
        Self {
            bytes,
            run: Box::new(run),
        }
    }

    /// Runs over one batch. Instructions are counted inside of this call, so it must stay one.
    #[inline(never)]
    pub fn run(&mut self) {
        (self.run)();
    }
}

/// Name and maker of a kernel; making one builds its data.
pub type Entry = (&'static str, fn() -> Kernel);

/// The kernels that carry the pipelines.
pub static HOT: &[Entry] = &[
    ("split_index/39_at_once", || split_at_once(39)),
    ("split_index/39_calls", || split_calls(39)),
    ("split_index/1_at_once", || split_at_once(1)),
    ("json_value/26_at_once", || json_at_once(26)),
    ("json_value/26_calls", || json_calls(26)),
    ("json_value/6_at_once", || json_at_once(6)),
    ("json_value/6_calls", || json_calls(6)),
    ("json/decode_7_columns", decode_events),
    ("json/encode_13_columns", || encode(13)),
    ("json/encode_44_columns", || encode(44)),
];

/// Single functions.
pub static FUNCTIONS: &[Entry] = &[
    ("UPPER", || over_campaigns("UPPER", vec![])),
    ("LOWER", || over_campaigns("LOWER", vec![])),
    ("TRIM", || {
        let texts = messages::campaigns();
        let args = vec![Input::Text("BOTH"), Input::Text(" "), Input::texts(&texts)];
        call("TRIM", args, &texts)
    }),
    ("REPLACE", || {
        over_times("REPLACE", vec![Input::Text(" "), Input::Text("T")])
    }),
    ("SUBSTRING", || {
        over_times("SUBSTRING", vec![Input::Int(1), Input::Int(10)])
    }),
    ("CHAR_LENGTH", || over_lines("CHAR_LENGTH", vec![])),
    ("CONCAT", || {
        let texts = messages::campaigns();
        let args = vec![
            Input::texts(&texts),
            Input::Text("/"),
            Input::texts(&messages::numerals()),
        ];
        call("CONCAT", args, &texts)
    }),
    ("LPAD", || {
        over_numerals("LPAD", vec![Input::Int(16), Input::Text("0")])
    }),
    ("LIKE", || {
        over_lines("LIKE", vec![Input::Text("Money%PetFeed%")])
    }),
    ("REGEXP_EXTRACT", || {
        over_campaigns(
            "REGEXP_EXTRACT",
            vec![Input::Text(r"([\(=])([a-z0-9]+)"), Input::Int(2)],
        )
    }),
    ("REGEXP_REPLACE", || {
        over_campaigns(
            "REGEXP_REPLACE",
            vec![Input::Text("[0-9]+"), Input::Text("#")],
        )
    }),
    ("MD5", || over_campaigns("MD5", vec![])),
    ("TO_BASE64", || over_campaigns("TO_BASE64", vec![])),
    ("CAST STRING TO INT", || {
        cast(&messages::numerals(), TypeKind::Int)
    }),
    ("CAST STRING TO TIMESTAMP(3)", || {
        cast(&messages::times(), TypeKind::Timestamp(3))
    }),
    ("CAST STRING TO DATE", || {
        cast(&messages::times(), TypeKind::Date)
    }),
    ("= STRING", || {
        over_campaigns("=", vec![Input::texts(&messages::numerals())])
    }),
    ("+ INT", || {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..ROWS as i32));
        let input = || Input::Column(TypeKind::Int.nullable(), Arc::clone(&numbers));
        let call = Call::new("+", vec![input(), input()]);
        Kernel::new(ROWS * 8, move || {
            black_box(call.run());
        })
    }),
];

fn bytes_of(texts: &StringViewArray) -> usize {
    texts.iter().flatten().map(str::len).sum()
}

fn call(name: &str, inputs: Vec<Input>, texts: &StringViewArray) -> Kernel {
    let call = Call::new(name, inputs);
    Kernel::new(bytes_of(texts), move || {
        black_box(call.run());
    })
}

fn over(texts: &StringViewArray, name: &str, mut rest: Vec<Input>) -> Kernel {
    rest.insert(0, Input::texts(texts));
    call(name, rest, texts)
}

fn over_campaigns(name: &str, rest: Vec<Input>) -> Kernel {
    over(&messages::campaigns(), name, rest)
}

fn over_times(name: &str, rest: Vec<Input>) -> Kernel {
    over(&messages::times(), name, rest)
}

fn over_lines(name: &str, rest: Vec<Input>) -> Kernel {
    over(&messages::lines(), name, rest)
}

fn over_numerals(name: &str, rest: Vec<Input>) -> Kernel {
    over(&messages::numerals(), name, rest)
}

fn cast(texts: &StringViewArray, to: TypeKind) -> Kernel {
    let call = Call::cast(texts, to);
    Kernel::new(bytes_of(texts), move || {
        black_box(call.run());
    })
}

fn split_at_once(fields: i32) -> Kernel {
    let lines = messages::lines();
    let indexes: Vec<i32> = (0..fields).collect();
    Kernel::new(bytes_of(&lines), move || {
        black_box(split_index_many(&lines, "|", &indexes));
    })
}

fn split_calls(fields: i32) -> Kernel {
    let lines = messages::lines();
    let calls: Vec<Call> = (0..fields)
        .map(|index| {
            let args = vec![Input::texts(&lines), Input::Text("|"), Input::Int(index)];
            Call::new("SPLIT_INDEX", args)
        })
        .collect();
    Kernel::new(bytes_of(&lines), move || {
        black_box(calls.iter().map(Call::run).collect::<Vec<_>>());
    })
}

/// Paths of `count` keys that are spread over the document.
fn paths(count: usize) -> Vec<&'static str> {
    static PATHS: std::sync::LazyLock<Vec<String>> =
        std::sync::LazyLock::new(|| CALLBACK_KEYS.iter().map(|key| format!("$.{key}")).collect());
    (0..count)
        .map(|number| PATHS[number * CALLBACK_KEYS.len() / count].as_str())
        .collect()
}

fn json_at_once(count: usize) -> Kernel {
    let documents = messages::callbacks();
    let paths: Vec<Path> = paths(count).into_iter().map(Path::parse).collect();
    Kernel::new(bytes_of(&documents), move || {
        black_box(json_value_many(&documents, &paths));
    })
}

fn json_calls(count: usize) -> Kernel {
    let documents = messages::callbacks();
    let calls: Vec<Call> = paths(count)
        .into_iter()
        .map(|path| {
            Call::new(
                "JSON_VALUE",
                vec![Input::texts(&documents), Input::Text(path)],
            )
        })
        .collect();
    Kernel::new(bytes_of(&documents), move || {
        black_box(calls.iter().map(Call::run).collect::<Vec<_>>());
    })
}

fn decode_events() -> Kernel {
    let names = [
        "@timestamp",
        "env",
        "uuid",
        "host",
        "tags",
        "log",
        "message",
    ];
    let schema: Vec<(String, FlinkType)> = names
        .into_iter()
        .map(|name| (name.to_owned(), FlinkType::string()))
        .collect();
    let wanted: Vec<usize> = (0..names.len()).collect();
    let ctx = FormatContext::default();
    let mut decoder = create_decoder("json", &BTreeMap::new(), &schema, &wanted, &ctx)
        .expect("json has these columns");
    let (buffer, ranges) = messages::events();
    Kernel::new(buffer.len(), move || {
        let payloads = Payloads {
            buffer: &buffer,
            ranges: &ranges,
        };
        black_box(decoder.decode(&payloads).expect("the events are JSON"));
    })
}

/// The columns of a table: two times, two numbers and texts, the widest of them the line.
fn encode(columns: usize) -> Kernel {
    let mut schema = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut push = |ty: TypeKind, array: ArrayRef| {
        schema.push((format!("column_{}", schema.len()), ty.nullable()));
        arrays.push(array);
    };
    let text = FlinkType::string().kind;
    let lines = messages::lines();
    push(text.clone(), Arc::new(lines.clone()));
    let micros = || (0..ROWS as i64).map(|row| 1_772_323_200_000_000 + row * 977_000);
    for _ in 0..2 {
        let array = TimestampMicrosecondArray::from_iter_values(micros());
        push(TypeKind::Timestamp(3), Arc::new(array));
        let array = Int64Array::from_iter_values((0..ROWS as i64).map(|row| row * 7_919));
        push(TypeKind::BigInt, Arc::new(array));
    }
    let indexes: Vec<i32> = (0..39).collect();
    let fields = split_index_many(&lines, "|", &indexes);
    for field in fields.into_iter().take(columns - 5) {
        push(text.clone(), field);
    }
    let ctx = FormatContext::default();
    let mut encoder =
        create_encoder("json", &BTreeMap::new(), &schema, &ctx).expect("json has these columns");
    let mut out = EncodedBatch::default();
    encoder
        .encode(&arrays, None, &mut out)
        .expect("every row is JSON");
    Kernel::new(out.bytes.len(), move || {
        out.clear();
        encoder
            .encode(&arrays, None, &mut out)
            .expect("every row is JSON");
        black_box(&out);
    })
}
