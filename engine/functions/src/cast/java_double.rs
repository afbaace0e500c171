//! How Java up to 18 writes `double` and `float`: see `millrace_json`, whose texts need it too.

pub use millrace_json::{double_to_string, float_to_string, write_double, write_float};
