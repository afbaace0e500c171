//! Many messages a call into a producer's queue.

use std::ffi::{CString, c_int, c_void};
use std::ptr::null_mut;
use std::sync::Arc;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use rdkafka_sys as sys;

/// A topic of a producer, for handing over messages in batches. Keeps the producer alive.
pub struct TopicHandle<C: ProducerContext<DeliveryOpaque = ()> + 'static> {
    producer: Arc<ThreadedProducer<C>>,
    topic: *mut sys::rd_kafka_topic_t,
    scratch: Vec<sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's topic handles may be used from any thread, and `&mut self` keeps the scratch space to one at a time. The pointers in
// the scratch space are only valid, and only used, within one call of `produce`.
unsafe impl<C: ProducerContext<DeliveryOpaque = ()> + 'static> Send for TopicHandle<C> {}

/// A record to hand over.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` for a tombstone.
    pub payload: Option<&'a [u8]>,
    /// The partition; -1 = by the producer's partitioner.
    pub partition: i32,
}

/// A record that was not taken.
#[derive(Clone, Copy, Debug)]
pub struct ProduceFailure {
    /// Index of the record.
    pub index: usize,
    /// Why; `QueueFull` passes.
    pub code: RDKafkaErrorCode,
}

/// No partition for the batch as a whole.
const PARTITION_UNASSIGNED: i32 = -1;
/// Copies the payload; every record names its own partition.
const FLAGS: c_int = (sys::RD_KAFKA_MSG_F_COPY | sys::RD_KAFKA_MSG_F_PARTITION) as c_int;

impl<C: ProducerContext<DeliveryOpaque = ()> + 'static> TopicHandle<C> {
    /// Returns the topic `name` of `producer`, with the producer's settings.
    ///
    /// # Errors
    /// The name cannot be a topic's.
    pub fn new(producer: Arc<ThreadedProducer<C>>, name: &str) -> Result<Self, KafkaError> {
        let text = CString::new(name).map_err(KafkaError::Nul)?;
        // SAFETY: the client lives as long as `producer`, which the result keeps; no settings of its own means null.
        let topic = unsafe {
            sys::rd_kafka_topic_new(producer.client().native_ptr(), text.as_ptr(), null_mut())
        };
        if topic.is_null() {
            return Err(KafkaError::ClientCreation(format!(
                "no handle for topic '{name}'"
            )));
        }
        Ok(Self {
            producer,
            topic,
            scratch: Vec::new(),
        })
    }

    /// Returns the producer.
    #[must_use]
    pub fn producer(&self) -> &Arc<ThreadedProducer<C>> {
        &self.producer
    }

    /// Hands `records` over, copying their bytes, and returns those that were not taken.
    pub fn produce<'a>(
        &mut self,
        records: impl Iterator<Item = Record<'a>>,
    ) -> Vec<ProduceFailure> {
        self.scratch.clear();
        self.scratch.extend(records.map(|record| raw(&record)));
        let count =
            c_int::try_from(self.scratch.len()).expect("a batch has fewer than 2^31 records");
        // SAFETY: the topic is alive; the scratch space holds `count` messages whose bytes live in `records`' memory for `'a`, which
        // outlives this call, and librdkafka copies them.
        let taken = unsafe {
            sys::rd_kafka_produce_batch(
                self.topic,
                PARTITION_UNASSIGNED,
                FLAGS,
                self.scratch.as_mut_ptr(),
                count,
            )
        };
        if taken == count {
            return Vec::new();
        }
        let failed = |(index, message): (usize, &sys::rd_kafka_message_t)| {
            let bad = message.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            bad.then(|| ProduceFailure {
                index,
                code: message.err.into(),
            })
        };
        self.scratch.iter().enumerate().filter_map(failed).collect()
    }
}

impl<C: ProducerContext<DeliveryOpaque = ()> + 'static> Drop for TopicHandle<C> {
    fn drop(&mut self) {
        // SAFETY: it was made by `rd_kafka_topic_new` and is given back once.
        unsafe { sys::rd_kafka_topic_destroy(self.topic) };
    }
}

fn raw(record: &Record<'_>) -> sys::rd_kafka_message_t {
    let (payload, len) = parts(record.payload);
    let (key, key_len) = parts(record.key);
    sys::rd_kafka_message_t {
        err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: null_mut(),
        partition: record.partition,
        payload,
        len,
        key,
        key_len,
        offset: 0,
        _private: null_mut(),
    }
}

/// librdkafka takes a null pointer for an absent key or value, and does not write through the others.
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((null_mut(), 0), |bytes| {
        (bytes.as_ptr().cast_mut().cast(), bytes.len())
    })
}
