//! Batch calls into librdkafka that `rdkafka` does not offer: many messages a call in and out. Tables are written through
//! [`TopicHandle`]; [`BatchQueue`] serves the raw copy that `benches/compare` measures beside millrace.
//!
//! Start from [`BatchQueue::consume`] and [`TopicHandle::produce`].

mod consume;
mod produce;

pub use consume::{BatchQueue, Message};
pub use produce::{ProduceFailure, Record, TopicHandle};
