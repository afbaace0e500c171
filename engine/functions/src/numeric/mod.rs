//! The numeric functions.

mod constant;
mod double_function;
mod extremes;
mod modulo;
mod radix;
mod random;
mod round;
mod same_type;
#[cfg(test)]
mod tests;

use crate::FunctionDef;

/// The functions of this group with one file each.
static SINGLE: &[&FunctionDef] = &[
    &same_type::ABS,
    &same_type::SIGN,
    &same_type::FLOOR,
    &same_type::CEIL,
    &round::ROUND,
    &round::TRUNCATE,
    &modulo::MOD,
    &radix::BIN,
    &radix::HEX,
    &extremes::GREATEST,
    &extremes::LEAST,
    &constant::PI,
    &constant::E,
    &random::RAND,
    &random::RAND_INTEGER,
    &random::UUID,
];

/// How many functions the group has.
const COUNT: usize = SINGLE.len() + double_function::FUNCTIONS.len();

/// The functions of this group.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &{
    let mut all = [SINGLE[0]; COUNT];
    let mut i = 0;
    while i < SINGLE.len() {
        all[i] = SINGLE[i];
        i += 1;
    }
    while i < COUNT {
        all[i] = double_function::FUNCTIONS[i - SINGLE.len()];
        i += 1;
    }
    all
};
