//! Many messages a call out of a consumer's queue.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;
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

    /// Returns the partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.get().partition
    }

    /// Returns the value; `None` for a tombstone.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        let raw = self.get();
        // SAFETY: librdkafka describes its own memory, alive as long as the message.
        unsafe { bytes(raw.payload, raw.len) }
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
