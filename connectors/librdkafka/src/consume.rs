//! Many messages a call out of a consumer's queue.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka_sys as sys;

/// The queue of a consumer, for taking messages in batches. Keeps the consumer alive.
pub struct BatchQueue<C: ConsumerContext + 'static> {
    consumer: Arc<BaseConsumer<C>>,
    queue: *mut sys::rd_kafka_queue_t,
    scratch: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's queues may be used from any thread, and `&mut self` keeps the scratch space to one at a time. The pointers in the
// scratch space are only valid, and only used, within one call of `consume`.
unsafe impl<C: ConsumerContext + 'static> Send for BatchQueue<C> {}

/// What a message's timestamp means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampKind {
    /// There is none.
    NotAvailable,
    /// Set by the producer.
    CreateTime,
    /// Set by the broker.
    LogAppendTime,
}

/// A message in librdkafka's memory.
pub struct Message<'a> {
    raw: *mut sys::rd_kafka_message_t,
    life: PhantomData<&'a ()>,
}

impl<C: ConsumerContext + 'static> BatchQueue<C> {
    /// Returns the queue of `consumer`. Do not call `poll` on the consumer beside it.
    ///
    /// # Errors
    /// The consumer has no queue, which means that it was made without `group.id`.
    pub fn new(consumer: Arc<BaseConsumer<C>>) -> Result<Self, KafkaError> {
        // SAFETY: the client lives as long as `consumer`, which the result keeps.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        if queue.is_null() {
            return Err(KafkaError::ClientCreation(
                "the consumer has no queue".into(),
            ));
        }
        Ok(Self {
            consumer,
            queue,
            scratch: Vec::new(),
        })
    }

    /// Returns the consumer.
    #[must_use]
    pub fn consumer(&self) -> &Arc<BaseConsumer<C>> {
        &self.consumer
    }

    /// Takes at most `max` messages and events, waiting at most `timeout` for the first, and gives each to `visit`. Returns how many.
    /// Errors of the client arrive as messages with [`Message::error`].
    pub fn consume(
        &mut self,
        max: usize,
        timeout: Duration,
        mut visit: impl FnMut(&Message<'_>),
    ) -> usize {
        self.scratch.resize(max, null_mut());
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive, and the scratch space has room for `max` pointers.
        let taken = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue, millis, self.scratch.as_mut_ptr(), max)
        };
        let taken = usize::try_from(taken).unwrap_or(0);
        for raw in &self.scratch[..taken] {
            let message = Message {
                raw: *raw,
                life: PhantomData,
            };
            visit(&message);
            // SAFETY: the call above handed the message to us, and nothing refers to it after `visit`.
            unsafe { sys::rd_kafka_message_destroy(*raw) };
        }
        taken
    }
}

impl<C: ConsumerContext + 'static> Drop for BatchQueue<C> {
    fn drop(&mut self) {
        // SAFETY: it was made by `rd_kafka_queue_get_consumer` and is given back once.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

impl<'a> Message<'a> {
    fn get(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: a `Message` exists only while librdkafka's message does.
        unsafe { &*self.raw }
    }

    /// Returns what is wrong, if this is an event and no message.
    #[must_use]
    pub fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.get().err;
        (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// Returns the text of an event.
    #[must_use]
    pub fn error_text(&self) -> String {
        // SAFETY: for an event librdkafka returns a text that lives as long as it.
        let text = unsafe { sys::rd_kafka_message_errstr(self.raw) };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: it is not null and ends with a zero.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }

    /// Returns a number that is equal for messages of one topic as long as the client lives; 0 where an event has no topic.
    #[must_use]
    pub fn topic_handle(&self) -> usize {
        self.get().rkt as usize
    }

    /// Returns the topic's name; empty where an event has no topic.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        let topic = self.get().rkt;
        if topic.is_null() {
            return "";
        }
        // SAFETY: the handle is not null, and its name lives as long as the client.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) };
        name.to_str().unwrap_or_default()
    }

    /// Returns the partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.get().partition
    }

    /// Returns the offset.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.get().offset
    }

    /// Returns the value; `None` for a tombstone.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        let raw = self.get();
        // SAFETY: librdkafka describes its own memory, alive as long as the message.
        unsafe { bytes(raw.payload, raw.len) }
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        let raw = self.get();
        // SAFETY: librdkafka describes its own memory, alive as long as the message.
        unsafe { bytes(raw.key, raw.key_len) }
    }

    /// Returns the timestamp in milliseconds and what it means.
    #[must_use]
    pub fn timestamp(&self) -> (TimestampKind, i64) {
        use sys::rd_kafka_timestamp_type_t as kind;
        let mut code = kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive and `code` is ours.
        let millis = unsafe { sys::rd_kafka_message_timestamp(self.raw, &raw mut code) };
        let kind = match code {
            kind::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => TimestampKind::NotAvailable,
            kind::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampKind::CreateTime,
            kind::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampKind::LogAppendTime,
        };
        (kind, millis)
    }

    /// Returns the leader epoch, where the broker told it.
    #[must_use]
    pub fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is alive.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.raw) };
        (epoch >= 0).then_some(epoch)
    }

    /// Returns the headers in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        let mut headers = null_mut();
        // SAFETY: the message is alive and `headers` is ours; the list belongs to the message.
        let code = unsafe { sys::rd_kafka_message_headers(self.raw, &raw mut headers) };
        let found = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        Headers {
            list: if found { headers } else { null_mut() },
            next: 0,
            life: PhantomData,
        }
    }
}

/// The headers of a message.
pub struct Headers<'a> {
    list: *mut sys::rd_kafka_headers_t,
    next: usize,
    life: PhantomData<&'a ()>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) =
            (null(), null(), 0);
        // SAFETY: the list belongs to a living message, and the three places are ours.
        let code = unsafe {
            sys::rd_kafka_header_get_all(
                self.list,
                self.next,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.next += 1;
        // SAFETY: on success the name ends with a zero and lives as long as the message.
        let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default();
        // SAFETY: on success librdkafka describes its own memory, alive as long as the message.
        Some((name, unsafe { bytes(value, size) }))
    }
}

/// Returns `length` bytes at `start`, or `None` where there are none.
///
/// # Safety
/// `start` is null or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(start.cast(), length) })
}
