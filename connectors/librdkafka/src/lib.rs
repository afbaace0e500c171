//! Batch calls into librdkafka that `rdkafka` does not offer: many messages a call in and out, with what a message
//! view of theirs lacks (topic of an end-of-partition event, leader epoch). All unsafe code of millrace is here.
//!
//! Start from [`BatchQueue::consume`] and [`TopicHandle::produce`].

mod consume;
mod produce;

pub use consume::{BatchQueue, Headers, Message, TimestampKind};
pub use produce::{ProduceFailure, Record, TopicHandle};
