//! millrace
fn main() {}
