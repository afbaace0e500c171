//! Short pieces of text appended without a call: copies of a fixed size, cut to the length afterwards.

/// How long a piece may be to be copied in one go.
const PIECE: usize = 32;

/// A text that is appended again and again.
#[derive(Clone, Debug)]
pub struct Piece {
    short: [u8; PIECE],
    len: usize,
    long: Vec<u8>,
}

impl Piece {
    /// Returns `text` as a piece.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let mut short = [0; PIECE];
        let mut long = Vec::new();
        match short.get_mut(..text.len()) {
            Some(room) => room.copy_from_slice(text),
            None => long = text.to_vec(),
        }
        Self {
            short,
            len: text.len(),
            long,
        }
    }

    /// Appends it.
    #[inline]
    pub fn append(&self, out: &mut Vec<u8>) {
        if self.len <= PIECE {
            let end = out.len() + self.len;
            out.extend_from_slice(&self.short);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.long);
        }
    }
}

/// Appends the first `len` bytes of a word, at most sixteen.
#[inline]
pub(crate) fn append_word(word: u128, len: usize, out: &mut Vec<u8>) {
    let end = out.len() + len;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// Appends a text that is likely to be short: its ends are copied, which overlap.
#[inline]
pub(crate) fn append_short(text: &[u8], out: &mut Vec<u8>) {
    fn ends<const N: usize>(text: &[u8], out: &mut Vec<u8>) {
        let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) else {
            return out.extend_from_slice(text);
        };
        let start = out.len();
        out.extend_from_slice(first);
        out.truncate(start + text.len() - N);
        out.extend_from_slice(last);
    }
    match text.len() {
        0..4 => out.extend_from_slice(text),
        4..8 => ends::<4>(text, out),
        8..16 => ends::<8>(text, out),
        16..=32 => ends::<16>(text, out),
        _ => out.extend_from_slice(text),
    }
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Digits that fit a word.
const WORD_DIGITS: u32 = 8;
const WORD_VALUES: u64 = 10_u64.pow(WORD_DIGITS);

/// Returns two digits as a word has them, the first one lowest.
#[inline]
fn pair(value: u32) -> u64 {
    let at = value as usize * 2;
    u64::from(PAIRS[at]) | u64::from(PAIRS[at + 1]) << 8
}

/// Appends a whole number in decimal.
#[inline]
pub fn push_integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    push_digits(value.unsigned_abs(), out);
}

/// Appends a number; its digits are gathered in a register, since what is stored bytewise is slow to load as a whole.
#[inline]
fn push_digits(value: u64, out: &mut Vec<u8>) {
    if value >= WORD_VALUES {
        return push_long(value, out);
    }
    let mut rest = value as u32;
    let (mut word, mut len) = (0, 0);
    while rest >= 100 {
        word = word << 16 | pair(rest % 100);
        rest /= 100;
        len += 2;
    }
    if rest >= 10 {
        word = word << 16 | pair(rest);
        len += 2;
    } else {
        word = (word << 8) | (u64::from(b'0') + u64::from(rest));
        len += 1;
    }
    let end = out.len() + len;
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

fn push_long(value: u64, out: &mut Vec<u8>) {
    push_digits(value / WORD_VALUES, out);
    let mut rest = (value % WORD_VALUES) as u32;
    let mut word = 0;
    for _ in 0..WORD_DIGITS / 2 {
        word = word << 16 | pair(rest % 100);
        rest /= 100;
    }
    out.extend_from_slice(&word.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_length_are_appended() {
        let text: Vec<u8> = (b' '..=b'~').collect();
        for len in 0..text.len() {
            let text = &text[..len];
            let mut out = b"before".to_vec();
            Piece::new(text).append(&mut out);
            append_short(text, &mut out);
            assert_eq!(out, [b"before", text, text].concat(), "{len}");
        }
    }

    #[test]
    fn whole_numbers_are_written_as_rust_does() {
        let mut values = vec![0, i64::MAX, i64::MIN, i64::from(i32::MIN)];
        for power in 0..19 {
            let ten = 10_i64.pow(power);
            values.extend([ten, ten - 1, ten + 1, -ten, 1 - ten, 7 * (ten / 10)]);
        }
        for value in values {
            let mut out = b"x".to_vec();
            push_integer(value, &mut out);
            assert_eq!(String::from_utf8(out).expect("digits"), format!("x{value}"));
        }
    }
}
