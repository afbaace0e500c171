//! millrace-formats
