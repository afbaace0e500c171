//! millrace-dev-kafka
