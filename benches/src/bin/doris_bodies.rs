//! What each body of a stream load costs: processor time of the writer's thread for each row, and bytes.
//!
//! usage: doris_bodies [BATCHES]
//!
//! The rows are those of moneyflow, 44 columns; the other side is a server that reads bodies and keeps nothing.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use arrow_array::{ArrayRef, Int32Array, StringViewArray};
use millrace_connector::sink::{SinkBatch, SinkGroup};
use millrace_connector::{
    Cancel, ColumnDefinition, ColumnKind, Connector, Epoch, FlinkType, LaneId, OpenContext, Span,
    Spanned, TableDefinition, TypeKind, ValidateContext,
};
use millrace_doris::DorisConnector;
use rustix::time::{ClockId, clock_gettime};

const ROWS: usize = 8192;
const BATCHES: usize = 40;
const NUMBERS: usize = 26;
const TEXTS: usize = 18;

/// Bodies, as options of the table.
const BODIES: &[(&str, &[(&str, &str)])] = &[
    ("json", &[]),
    ("json gz", &[("sink.properties.compress_type", "gz")]),
    ("json lz4", &[("sink.properties.compress_type", "lz4")]),
    ("csv", &[("sink.properties.format", "csv")]),
    (
        "csv gz",
        &[
            ("sink.properties.format", "csv"),
            ("sink.properties.compress_type", "gz"),
        ],
    ),
    (
        "csv lz4",
        &[
            ("sink.properties.format", "csv"),
            ("sink.properties.compress_type", "lz4"),
        ],
    ),
    ("arrow", &[("sink.properties.format", "arrow")]),
];

#[expect(clippy::print_stdout, reason = "a command prints its result")]
fn main() -> Result<()> {
    let batches = match std::env::args().nth(1) {
        Some(text) => text.parse().context("BATCHES is a number")?,
        None => BATCHES,
    };
    let server = Server::start()?;
    let columns = columns();
    println!("| body | CPU ns a row | rows/s of one lane | bytes a row | sent bytes a row |");
    println!("|---|---|---|---|---|");
    for (name, options) in BODIES {
        let run = Run::measure(&server, options, &columns, batches)?;
        let rows = (batches * ROWS) as f64;
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.0} |",
            run.cpu.as_nanos() as f64 / rows,
            rows / run.wall.as_secs_f64(),
            run.bytes / rows,
            run.sent / rows
        );
    }
    Ok(())
}

struct Run {
    cpu: Duration,
    wall: Duration,
    bytes: f64,
    sent: f64,
}

impl Run {
    fn measure(
        server: &Server,
        options: &[(&str, &str)],
        columns: &[ArrayRef],
        batches: usize,
    ) -> Result<Self> {
        let mut group = open(server, options)?;
        let mut writer = group.writer(0, LaneId(0))?;
        let batch = SinkBatch {
            columns,
            rows: ROWS,
            kinds: None,
        };
        // The first epoch warms up.
        let (mut cpu, mut wall, mut before) = (Duration::ZERO, Instant::now(), (0.0, 0.0));
        for epoch in 1..=2 {
            group.begin(Epoch(epoch))?;
            before = figures(group.as_ref());
            wall = Instant::now();
            let begun = thread_time();
            let count = if epoch == 1 { 4 } else { batches };
            server.rows.store((count * ROWS) as u64, Ordering::Relaxed);
            for _ in 0..count {
                writer.write(&batch)?;
            }
            group.prepare(Epoch(epoch))?;
            cpu = thread_time() - begun;
        }
        let after = figures(group.as_ref());
        Ok(Self {
            cpu,
            wall: wall.elapsed(),
            bytes: after.0 - before.0,
            sent: after.1 - before.1,
        })
    }
}

fn figures(group: &dyn SinkGroup) -> (f64, f64) {
    let figures = group.figures();
    let value = |name| {
        let found = figures.iter().find(|figure| figure.name == name);
        found.map_or(0.0, |figure| figure.value)
    };
    (
        value("millrace_doris_load_bytes_total"),
        value("millrace_doris_sent_bytes_total"),
    )
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Columns as moneyflow has them: small numbers, and texts of some ten bytes with a name in Chinese among them.
fn columns() -> Vec<ArrayRef> {
    let number = |column: usize| -> ArrayRef {
        let values = (0..ROWS).map(|row| (row % 7 > 0).then_some((row * (column + 1)) as i32));
        Arc::new(values.collect::<Int32Array>())
    };
    let text = |column: usize| -> ArrayRef {
        let value = |row: usize| match column % 6 {
            0 => "2024-06-11".to_owned(),
            1 => format!("2024-06-11 12:34:{:02}", row % 60),
            2 => format!("玩家{row}"),
            3 => format!("{:016x}", row * 7919),
            4 => "gamesvr-prod-0012".to_owned(),
            _ => String::new(),
        };
        Arc::new(
            (0..ROWS)
                .map(|row| Some(value(row)))
                .collect::<StringViewArray>(),
        )
    };
    let numbers = (0..NUMBERS).map(number);
    numbers.chain((0..TEXTS).map(text)).collect()
}

fn name(column: usize) -> String {
    format!("column{column}")
}

fn open(server: &Server, options: &[(&str, &str)]) -> Result<Box<dyn SinkGroup>> {
    let spanned = |text: &str| Spanned::new(text.to_owned(), Span::default());
    let base = [
        ("connector", "doris"),
        ("fenodes", server.address.as_str()),
        ("table.identifier", "db.t"),
        ("username", "root"),
        ("password", ""),
    ];
    let column = |at: usize| ColumnDefinition {
        name: spanned(&name(at)),
        ty: if at < NUMBERS {
            TypeKind::Int.nullable()
        } else {
            FlinkType::string()
        },
        kind: ColumnKind::Physical,
        comment: None,
    };
    let table = TableDefinition {
        name: spanned("sink"),
        columns: (0..NUMBERS + TEXTS).map(column).collect(),
        primary_key: Vec::new(),
        options: base
            .iter()
            .chain(options)
            .map(|(key, value)| (spanned(key), spanned(value)))
            .collect(),
        options_span: Span::default(),
    };
    let ctx = ValidateContext {
        session_time_zone: "UTC".into(),
    };
    let spec = DorisConnector
        .sink(&table, &ctx)
        .map_err(|faults| anyhow!("{}", faults[0].message))?;
    let ctx = OpenContext {
        pipeline: "bench".into(),
        dataflow: "main".into(),
        names: None,
        slot: 0,
        lanes: 1,
        buffer_bytes_max: 1 << 20,
        checkpointing: true,
        checkpoint_interval: Duration::from_secs(10),
        cancel: Cancel::default(),
    };
    Ok(spec.open_group(&[spec.as_ref()], &ctx)?)
}

/// Takes loads, counts nothing, keeps nothing.
struct Server {
    address: String,
    /// How many rows the next answers say.
    rows: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let rows = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&rows);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let rows = Arc::clone(&counted);
                // Who goes away in the middle is no concern of a measurement.
                std::thread::spawn(move || drop(answer(stream, &rows)));
            }
        });
        Ok(Self { address, rows })
    }
}

fn answer(stream: TcpStream, rows: &AtomicU64) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, stream.try_clone()?);
    let mut stream = stream;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            bail!("the head has no end");
        }
    }
    let body = if head.contains("_schema") {
        let column = |at| {
            let ty = if at < NUMBERS { "INT" } else { "STRING" };
            format!("{{\"name\":\"{}\",\"type\":\"{ty}\"}}", name(at))
        };
        let columns: Vec<String> = (0..NUMBERS + TEXTS).map(column).collect();
        format!(
            "{{\"msg\":\"success\",\"code\":0,\"data\":{{\"keysType\":\"DUP_KEYS\",\"properties\":[{}]}},\"count\":0}}",
            columns.join(",")
        )
    } else if head.contains("_stream_load ") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        drain(&mut reader)?;
        format!(
            "{{\"TxnId\":1,\"TwoPhaseCommit\":\"true\",\"Status\":\"Success\",\"Message\":\"OK\",\"NumberTotalRows\":{}}}",
            rows.load(Ordering::Relaxed)
        )
    } else {
        "{\"msg\":\"Not Found\",\"code\":404}".to_owned()
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    Ok(())
}

fn drain(reader: &mut impl BufRead) -> Result<()> {
    let mut block = vec![0; 1 << 20];
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).context("a chunk's size")?;
        block.resize((length + 2).max(block.len()), 0);
        reader.read_exact(&mut block[..length + 2])?;
        if length == 0 {
            return Ok(());
        }
    }
}
