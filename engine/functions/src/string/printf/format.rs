//! Formats of Java's `Formatter`: `%[index$][flags][width][.precision]conversion`.

use super::Value;
use super::number::{self, Style};

/// The widest place a value may take: what a row may cost is bounded.
const WIDTH_MAX: usize = 1 << 20;

/// A format, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Format(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Place(Place),
}

/// Which argument stands at a place.
#[derive(Clone, Copy, Debug)]
enum Argument {
    Next,
    Same,
    At(usize),
}

#[derive(Clone, Debug)]
struct Place {
    argument: Argument,
    flags: Flags,
    width: Option<usize>,
    precision: Option<usize>,
    conversion: char,
}

/// The flags of a place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) left: bool,
    pub(super) alternate: bool,
    pub(super) plus: bool,
    pub(super) blank: bool,
    pub(super) zero: bool,
    pub(super) group: bool,
    pub(super) parentheses: bool,
}

impl Format {
    /// Returns the format; `None` where Java refuses it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            if at > 0 {
                pieces.push(Piece::Text(rest[..at].to_owned()));
            }
            let (place, behind) = Place::parse(&rest[at + 1..])?;
            pieces.push(Piece::Place(place));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Some(Self(pieces))
    }

    /// Puts the values in; `None` where Java refuses one of them.
    pub(super) fn apply(&self, values: &[Value]) -> Option<String> {
        let mut out = String::new();
        let (mut next, mut last) = (0, None);
        for piece in &self.0 {
            let place = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Place(place) => place,
            };
            if matches!(place.conversion, 'n' | '%') {
                out.push_str(&place.constant());
                continue;
            }
            let index = match place.argument {
                Argument::Next => {
                    next += 1;
                    next - 1
                }
                Argument::Same => last?,
                Argument::At(index) => index,
            };
            last = Some(index);
            out.push_str(&place.write(values.get(index)?)?);
        }
        Some(out)
    }
}

impl Place {
    /// Reads what follows a `%`, and returns what follows the place.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let mut rest = text;
        let mut argument = Argument::Next;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 && rest[digits..].starts_with('$') {
            argument = Argument::At(rest[..digits].parse::<usize>().ok()?.checked_sub(1)?);
            rest = &rest[digits + 1..];
        } else if let Some(behind) = rest.strip_prefix('<') {
            argument = Argument::Same;
            rest = behind;
        }
        let (flags, behind) = Flags::parse(rest)?;
        let (width, behind) = number_at(behind)?;
        let (precision, behind) = match behind.strip_prefix('.') {
            Some(behind) => {
                let (precision, behind) = number_at(behind)?;
                (Some(precision?), behind)
            }
            None => (None, behind),
        };
        let conversion = behind.chars().next()?;
        let place = Self {
            argument,
            flags,
            width,
            precision,
            conversion,
        };
        place
            .is_valid()
            .then(|| (place, &behind[conversion.len_utf8()..]))
    }

    /// # Java
    /// `Formatter.FormatSpecifier`'s constructor: what is checked without a value.
    fn is_valid(&self) -> bool {
        let flags = &self.flags;
        if (flags.left || flags.zero) && self.width.is_none() {
            return false;
        }
        if (flags.left && flags.zero) || (flags.plus && flags.blank) {
            return false;
        }
        let signs = flags.plus || flags.blank || flags.parentheses || flags.group || flags.zero;
        let is_upper = self.conversion.is_ascii_uppercase();
        match self.conversion.to_ascii_lowercase() {
            'b' | 's' | 'h' => !signs && !flags.alternate,
            'c' => !signs && !flags.alternate && self.precision.is_none(),
            'd' => !is_upper && self.precision.is_none() && !flags.alternate,
            'o' => !is_upper && self.precision.is_none() && !flags.group,
            'x' => self.precision.is_none() && !flags.group,
            'e' => !flags.group,
            'f' => !is_upper,
            'g' => !flags.alternate,
            '%' => self.precision.is_none() && !signs && !flags.alternate,
            'n' => {
                !is_upper
                    && self.width.is_none()
                    && self.precision.is_none()
                    && !signs
                    && !flags.left
                    && !flags.alternate
            }
            _ => false,
        }
    }

    fn constant(&self) -> String {
        match self.conversion {
            'n' => "\n".to_owned(),
            _ => self.padded("%".to_owned()),
        }
    }

    fn write(&self, value: &Value) -> Option<String> {
        let text = match self.conversion.to_ascii_lowercase() {
            'b' => self.cut(match value {
                Value::Null => "false".to_owned(),
                Value::Boolean(value) => value.to_string(),
                _ => "true".to_owned(),
            }),
            's' => self.cut(plain(value)),
            'h' => self.cut(match value {
                Value::Null => "null".to_owned(),
                value => format!("{:x}", hash(value)),
            }),
            'c' => character(value)?,
            _ => match value {
                Value::Null => self.cut("null".to_owned()),
                value => self.number(value)?,
            },
        };
        let text = self.padded(text);
        Some(match self.conversion.is_ascii_uppercase() {
            true => text.to_uppercase(),
            false => text,
        })
    }

    fn number(&self, value: &Value) -> Option<String> {
        let style = Style {
            flags: self.flags,
            width: self.width.unwrap_or(0),
            precision: self.precision,
        };
        match (self.conversion.to_ascii_lowercase(), value) {
            ('d', Value::Integer(value, _)) => Some(style.decimal(*value)),
            (radix @ ('x' | 'o'), Value::Integer(value, bits)) => {
                // Signs are for BigInteger only.
                let flags = &self.flags;
                let has_sign = flags.plus || flags.blank || flags.parentheses;
                (!has_sign).then(|| style.unsigned(*value, *bits, radix == 'x'))
            }
            (form @ ('e' | 'f' | 'g'), Value::Double(value)) => Some(style.double(*value, form)),
            (form @ ('e' | 'f' | 'g'), Value::Float(value)) => {
                Some(style.digits(&number::Digits::of_float(*value), form))
            }
            _ => None,
        }
    }

    fn cut(&self, text: String) -> String {
        match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text,
        }
    }

    fn padded(&self, text: String) -> String {
        let missing = self
            .width
            .unwrap_or(0)
            .saturating_sub(text.encode_utf16().count());
        let blanks = " ".repeat(missing);
        match self.flags.left {
            true => text + &blanks,
            false => blanks + &text,
        }
    }
}

impl Flags {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let mut flags = Self::default();
        let mut rest = text;
        loop {
            let flag = match rest.bytes().next() {
                Some(b'-') => &mut flags.left,
                Some(b'#') => &mut flags.alternate,
                Some(b'+') => &mut flags.plus,
                Some(b' ') => &mut flags.blank,
                Some(b'0') => &mut flags.zero,
                Some(b',') => &mut flags.group,
                Some(b'(') => &mut flags.parentheses,
                _ => return Some((flags, rest)),
            };
            if std::mem::replace(flag, true) {
                return None;
            }
            rest = &rest[1..];
        }
    }
}

/// Reads a number, if one stands here; `None` where it is too big.
fn number_at(text: &str) -> Option<(Option<usize>, &str)> {
    let behind = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - behind.len()];
    if digits.is_empty() {
        return Some((None, behind));
    }
    let number = digits.parse::<usize>().ok().filter(|n| *n <= WIDTH_MAX)?;
    Some((Some(number), behind))
}

/// `String.valueOf`.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value, _) => value.to_string(),
        Value::Float(value) => millrace_json::float_to_string(*value),
        Value::Double(value) => millrace_json::double_to_string(*value),
        Value::Text(text) => text.clone(),
    }
}

/// `hashCode`.
fn hash(value: &Value) -> i32 {
    let folded = |bits: u64| (bits ^ (bits >> 32)) as i32;
    match value {
        Value::Null => 0,
        Value::Boolean(true) => 1231,
        Value::Boolean(false) => 1237,
        Value::Integer(value, 64) => folded(*value as u64),
        Value::Integer(value, _) => *value as i32,
        Value::Float(value) => value.to_bits() as i32,
        Value::Double(value) => folded(value.to_bits()),
        // # Flink: a text is no Java string here, and has a hash of its own.
        Value::Text(text) => crate::string::hash_code::murmur3(text.as_bytes()),
    }
}

fn character(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Integer(value, bits) if *bits < 64 => {
            let code = u32::try_from(*value).ok()?;
            Some(char::from_u32(code)?.to_string())
        }
        _ => None,
    }
}
