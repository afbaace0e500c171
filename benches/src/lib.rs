//! Measurements: kernels with criterion in `benches/`, the raw Kafka copy in `src/bin/rawcopy.rs`, and `compare`, which runs the
//! pipelines beside Flink and that copy on one broker.
