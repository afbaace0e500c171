//! The string functions: what they share, then one file each or one for a few of a kind.

pub(crate) mod kernel;
mod signature;
pub(crate) mod text_builder;

mod java_regex;
mod pattern_arg;
mod sql_pattern;

mod case;
mod charset;
mod concat;
mod digest;
mod encode;
mod glob;
mod hash_code;
mod inet;
mod java_url;
mod later;
mod length;
mod like;
mod pad;
mod position;
mod predicate;
mod print_value;
mod printf;
mod regexp;
mod replace;
mod split;
mod split_index;
mod str_to_map;
mod substring;
mod trim;
mod url;

#[cfg(test)]
mod tests;

use crate::FunctionDef;

pub(crate) use charset::decode_utf8;
pub(crate) use kernel::{BatchKernel, Ints, Texts};
pub(crate) use signature::{count_error, literal_text, types_error};
pub use split_index::split_index_many;
pub(crate) use text_builder::TextBuilder;

/// The functions of this group that Flink 1.17 has.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[
    &length::ASCII,
    &length::CHAR_LENGTH,
    &length::CHR,
    &concat::CONCAT,
    &concat::CONCAT_WS,
    &encode::DECODE,
    &encode::ENCODE,
    &encode::FROM_BASE64,
    &hash_code::HASH_CODE,
    &case::INITCAP,
    &position::INSTR,
    &predicate::IS_ALPHA,
    &predicate::IS_DECIMAL,
    &predicate::IS_DIGIT,
    &substring::LEFT,
    &like::LIKE,
    &position::LOCATE,
    &case::LOWER,
    &pad::LPAD,
    &trim::LTRIM,
    &digest::MD5,
    &replace::OVERLAY,
    &url::PARSE_URL,
    &position::POSITION,
    &print_value::PRINT,
    &regexp::REGEXP,
    &regexp::REGEXP_EXTRACT,
    &regexp::REGEXP_REPLACE,
    &pad::REPEAT,
    &replace::REPLACE,
    &pad::REVERSE,
    &substring::RIGHT,
    &pad::RPAD,
    &trim::RTRIM,
    &digest::SHA1,
    &digest::SHA2,
    &digest::SHA224,
    &digest::SHA256,
    &digest::SHA384,
    &digest::SHA512,
    &like::SIMILAR_TO,
    &split_index::SPLIT_INDEX,
    &str_to_map::STR_TO_MAP,
    &substring::SUBSTRING,
    &encode::TO_BASE64,
    &trim::TRIM,
    &case::UPPER,
];

/// The functions of this group that only later versions of Flink have; see the registry.
pub(crate) static LATER_FUNCTIONS: &[&FunctionDef] = &[
    &trim::BTRIM,
    &later::ELT,
    &later::ENDSWITH,
    &inet::INET_ATON,
    &inet::INET_NTOA,
    &printf::PRINTF,
    &later::REGEXP_COUNT,
    &split::REGEXP_EXTRACT_ALL,
    &later::REGEXP_INSTR,
    &later::REGEXP_SUBSTR,
    &split::SPLIT,
    &later::STARTSWITH,
    &replace::TRANSLATE,
    &encode::UNHEX,
    &url::URL_DECODE,
    &url::URL_ENCODE,
];
