//! From produce to visible: writes records at a fixed rate and reads what a pipeline makes of them, committed only.
//!
//! usage: latency BOOTSTRAP TEMPLATES SOURCE SINK RATE SECONDS FIELD_IN FIELD_OUT [TEXT…]
//!
//! TEMPLATES is a topic whose first records are sent again and again to SOURCE, those left out that contain a TEXT.
//! Sixteen characters of the JSON text field FIELD_IN are replaced by a number that tells the record; the rows in SINK must be
//! JSON with this field under the name FIELD_OUT. Prints one JSON line: latencies in milliseconds from the moment a record
//! was handed to the producer to the moment a read_committed consumer has it; the first 10 s are left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use millrace_benches::partitions;
use millrace_librdkafka::{BatchQueue, Record, TopicHandle};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Message, Offset, TopicPartitionList};

const TEMPLATES: usize = 5_000;
const BATCH: usize = 4_096;
/// A read waits so long for a full batch, which the measured latencies have in them.
const WAIT: Duration = Duration::from_millis(2);
const CALL: Duration = Duration::from_secs(20);
/// How often a handful of records is sent.
const BEAT: Duration = Duration::from_millis(5);
const WARM_UP: Duration = Duration::from_secs(10);
/// How long the last rows may take after the last record was sent.
const DRAIN: Duration = Duration::from_secs(30);

/// For each partition of the source: when its records were sent, in microseconds since the start; 0 = not yet.
struct Sent {
    at: Vec<Vec<AtomicU64>>,
    count: AtomicU64,
    done: AtomicBool,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [
        bootstrap,
        templates,
        source,
        sink,
        rate,
        seconds,
        field_in,
        field_out,
        dropped @ ..,
    ] = args.as_slice()
    else {
        bail!(
            "usage: latency BOOTSTRAP TEMPLATES SOURCE SINK RATE SECONDS FIELD_IN FIELD_OUT [TEXT…]"
        )
    };
    let rate: u64 = rate
        .parse()
        .context("RATE is a number of records a second")?;
    let span = Duration::from_secs(seconds.parse().context("SECONDS is a number")?);
    let templates = read_templates(bootstrap, templates, field_in, dropped)?;
    let sinks = reader(bootstrap, sink, Offset::End)?;
    let parts = usize::try_from(partitions(&sinks, source)?)?;
    let each = usize::try_from(rate * (span.as_secs() + 2))? / parts + 1;
    let sent = Arc::new(Sent {
        at: (0..parts)
            .map(|_| (0..each).map(|_| AtomicU64::new(0)).collect())
            .collect(),
        count: AtomicU64::new(0),
        done: AtomicBool::new(false),
    });
    let begun = Instant::now();
    let sender = {
        let (sent, bootstrap, source) = (Arc::clone(&sent), bootstrap.clone(), source.clone());
        std::thread::spawn(move || send(&bootstrap, &source, templates, rate, span, begun, &sent))
    };
    let found = receive(sinks, field_out, begun, &sent)?;
    sender
        .join()
        .map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    print(found, &sent, span);
    Ok(())
}

/// A record that is sent again and again.
struct Template {
    payload: Vec<u8>,
    /// Where its mark goes.
    mark: usize,
}

/// Digits of a mark.
const MARK: usize = 16;
/// Bits of a mark for the row within its partition.
const PLACE_BITS: u32 = 40;
/// Marks are scrambled by an odd factor, so that they compress no better than the random digits that they replace.
const SCRAMBLE: u64 = 0x9E37_79B9_7F4A_7C15;

/// The factor that undoes [`SCRAMBLE`] modulo 2^64, by Newton's method: each step doubles the number of right bits.
fn unscramble() -> u64 {
    (0..6).fold(1_u64, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(SCRAMBLE.wrapping_mul(inverse)))
    })
}

fn write_mark(to: &mut [u8], partition: u64, place: u64) {
    let mut mark = (partition << PLACE_BITS | place).wrapping_mul(SCRAMBLE);
    for digit in to.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(mark & 15) as usize];
        mark >>= 4;
    }
}

/// Returns the partition and the place in it.
fn read_mark(text: &str, inverse: u64) -> Result<(usize, usize)> {
    let mark = u64::from_str_radix(text, 16)?.wrapping_mul(inverse);
    let place = mark & ((1 << PLACE_BITS) - 1);
    Ok((
        usize::try_from(mark >> PLACE_BITS)?,
        usize::try_from(place)?,
    ))
}

/// Returns where the text of a field of a JSON text begins.
fn field_at(text: &str, key: &str) -> Option<usize> {
    let at = text.find(key)? + key.len();
    (text.len() > at + MARK).then_some(at)
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-latency")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .set("isolation.level", "read_committed");
    config
}

fn reader(bootstrap: &str, topic: &str, from: Offset) -> Result<BaseConsumer> {
    let consumer: BaseConsumer = client(bootstrap).create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions(&consumer, topic)? {
        list.add_partition_offset(topic, partition, from)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

fn read_templates(
    bootstrap: &str,
    topic: &str,
    field: &str,
    dropped: &[String],
) -> Result<Vec<Template>> {
    let consumer = reader(bootstrap, topic, Offset::Beginning)?;
    let key = format!("\"{field}\":\"");
    let mut templates = Vec::new();
    let begun = Instant::now();
    while templates.len() < TEMPLATES && begun.elapsed() < CALL {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let payload = message?.payload().map(<[u8]>::to_vec).unwrap_or_default();
        let text = std::str::from_utf8(&payload)?;
        if dropped.iter().any(|part| text.contains(part.as_str())) {
            continue;
        }
        if let Some(mark) = field_at(text, &key) {
            templates.push(Template { payload, mark });
        }
    }
    if templates.is_empty() {
        bail!("{topic} has no record with the text field {field}");
    }
    Ok(templates)
}

fn micros(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros())
        .unwrap_or(u64::MAX)
        .max(1)
}

fn send(
    bootstrap: &str,
    topic: &str,
    mut templates: Vec<Template>,
    rate: u64,
    span: Duration,
    begun: Instant,
    sent: &Sent,
) -> Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("acks", "all")
        // Never full: of a batch that half fits, rows could be sent twice.
        .set("queue.buffering.max.messages", "5000000")
        .set("queue.buffering.max.kbytes", "2000000")
        // Retries must not double a row.
        .set("enable.idempotence", "true")
        .create()?;
    let producer = Arc::new(producer);
    let mut target = TopicHandle::new(Arc::clone(&producer), topic)?;
    let parts = sent.at.len() as u64;
    let mut row = 0_u64;
    while begun.elapsed() < span {
        let due = u64::try_from(begun.elapsed().as_micros() * u128::from(rate) / 1_000_000)?;
        let room = sent.at[0].len() as u64 * parts;
        while row < due.min(room) {
            let number = usize::try_from(row)? % templates.len();
            let count = usize::try_from(due.min(room) - row)?.min(templates.len() - number);
            let beat = &mut templates[number..number + count];
            let now = micros(begun);
            for (template, row) in beat.iter_mut().zip(row..) {
                let mark = &mut template.payload[template.mark..][..MARK];
                write_mark(mark, row % parts, row / parts);
                let (partition, place) = (row % parts, row / parts);
                sent.at[usize::try_from(partition)?][usize::try_from(place)?]
                    .store(now, Ordering::Relaxed);
            }
            produce(&mut target, beat, row, parts)?;
            row += count as u64;
            sent.count.store(row, Ordering::Release);
        }
        std::thread::sleep(BEAT);
    }
    producer.flush(CALL)?;
    sent.done.store(true, Ordering::Release);
    Ok(())
}

/// Hands records to the producer, waiting while its queue is full.
fn produce(
    target: &mut TopicHandle<DefaultProducerContext>,
    templates: &[Template],
    row: u64,
    parts: u64,
) -> Result<()> {
    let mut from = 0;
    loop {
        let records = templates[from..]
            .iter()
            .zip(row + from as u64..)
            .map(|(template, row)| Record {
                key: None,
                payload: Some(&template.payload),
                partition: i32::try_from(row % parts).unwrap_or(0),
            });
        let failures = target.produce(records);
        let Some(first) = failures.first() else {
            return Ok(());
        };
        if first.code != RDKafkaErrorCode::QueueFull {
            bail!("cannot send: {:?}", first.code);
        }
        from += first.index;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What came back.
#[derive(Default)]
struct Found {
    rows: u64,
    doubled: u64,
    latencies_us: Vec<u64>,
}

fn receive(sinks: BaseConsumer, field: &str, begun: Instant, sent: &Sent) -> Result<Found> {
    let key = format!("\"{field}\":\"");
    let inverse = unscramble();
    let mut queue = BatchQueue::new(Arc::new(sinks))?;
    let mut found = Found::default();
    let mut seen: Vec<Vec<bool>> = sent.at.iter().map(|at| vec![false; at.len()]).collect();
    let mut quiet_since = Instant::now();
    loop {
        let done = sent.done.load(Ordering::Acquire);
        if done
            && (found.rows >= sent.count.load(Ordering::Acquire) || quiet_since.elapsed() > DRAIN)
        {
            return Ok(found);
        }
        let mut failure = None;
        let mut now = None;
        queue.consume(BATCH, WAIT, |message| {
            // All of a call are visible at once: one clock for them.
            let now = *now.get_or_insert_with(|| micros(begun));
            let taken = match message.error() {
                None => found.take(message.payload(), &key, inverse, now, sent, &mut seen),
                Some(_) => Err(anyhow::anyhow!(message.error_text())),
            };
            if let Err(error) = taken {
                failure = Some(error);
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if now.is_some() {
            quiet_since = Instant::now();
        }
    }
}

impl Found {
    fn take(
        &mut self,
        payload: Option<&[u8]>,
        key: &str,
        inverse: u64,
        now: u64,
        sent: &Sent,
        seen: &mut [Vec<bool>],
    ) -> Result<()> {
        let text = std::str::from_utf8(payload.unwrap_or_default())?;
        let at = field_at(text, key).with_context(|| format!("no {key} in {text}"))?;
        let (partition, place) = read_mark(&text[at..at + MARK], inverse)?;
        let at = sent.at[partition][place].load(Ordering::Relaxed);
        if std::mem::replace(&mut seen[partition][place], true) {
            self.doubled += 1;
            return Ok(());
        }
        self.rows += 1;
        if u128::from(at) > WARM_UP.as_micros() {
            self.latencies_us.push(now.saturating_sub(at));
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "a command prints its result")]
fn print(mut found: Found, sent: &Sent, span: Duration) {
    let all = sent.count.load(Ordering::Acquire);
    found.latencies_us.sort_unstable();
    let at = |share: f64| {
        let place = (found.latencies_us.len() as f64 * share) as usize;
        let value = found
            .latencies_us
            .get(place.min(found.latencies_us.len().saturating_sub(1)));
        value.map_or(0.0, |us| *us as f64 / 1000.0)
    };
    println!(
        "{{\"sent\":{all},\"sent_per_s\":{:.0},\"received\":{},\"missing\":{},\"doubled\":{},\"p50_ms\":{:.1},\"p90_ms\":{:.1},\"p99_ms\":{:.1},\"p999_ms\":{:.1},\"max_ms\":{:.1}}}",
        all as f64 / span.as_secs_f64(),
        found.rows,
        all.saturating_sub(found.rows),
        found.doubled,
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
