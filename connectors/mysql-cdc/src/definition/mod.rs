//! What a table looks like at a position of the binary log.
