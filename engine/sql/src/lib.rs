//! millrace-sql
