//! millrace-builtin
