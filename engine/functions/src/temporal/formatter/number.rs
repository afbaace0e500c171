//! Fields in digits: widths, signs and what stands next to each other without anything between.

use super::field::Field;
use crate::cast::civil::write_padded;

/// Which signs are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A minus for negative values.
    Normal,
    /// None.
    NotNegative,
    /// A minus, and a plus for values wider than the field.
    ExceedsPad,
}

/// What the digits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The value.
    Plain,
    /// The last two digits of a year from 2000 to 2099.
    TwoDigitYear,
    /// The first digits of nine.
    Fraction,
}

/// What stands behind a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// No number follows at once, or numbers of so many digits in all.
    Open(usize),
    /// The number has its width and no more.
    Fixed,
}

/// A field in digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) field: Field,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) sign: Sign,
    pub(super) form: Form,
    pub(super) width: Width,
}

/// The widest number.
pub(super) const WIDEST: usize = 19;

impl Number {
    /// Returns a number of any width.
    pub(super) fn any(field: Field) -> Self {
        Self::new(field, 1, WIDEST, Sign::Normal)
    }

    /// Returns a number of `min` to `max` digits.
    pub(super) fn new(field: Field, min: usize, max: usize, sign: Sign) -> Self {
        Self {
            field,
            min,
            max,
            sign,
            form: Form::Plain,
            width: Width::Open(0),
        }
    }

    /// Returns it with another form.
    pub(super) fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Appends the value.
    pub(super) fn print(&self, value: i64, out: &mut String) -> Result<(), String> {
        match self.form {
            Form::TwoDigitYear => {
                write_padded(value.unsigned_abs() % 100, 2, out);
                return Ok(());
            }
            Form::Fraction => {
                let start = out.len();
                write_padded(value.unsigned_abs(), 9, out);
                out.truncate(start + self.max);
                return Ok(());
            }
            Form::Plain => {}
        }
        let digits = value
            .unsigned_abs()
            .checked_ilog10()
            .map_or(1, |log| log as usize + 1);
        if digits > self.max {
            return Err(format!(
                "Field {:?} cannot be printed as the value {value} exceeds the maximum print width of {}",
                self.field, self.max
            ));
        }
        if value < 0 {
            if self.sign == Sign::NotNegative {
                return Err(format!(
                    "Field {:?} cannot be printed as the value {value} cannot be negative according to the SignStyle",
                    self.field
                ));
            }
            out.push('-');
        } else if self.sign == Sign::ExceedsPad && self.min < WIDEST && digits > self.min {
            out.push('+');
        }
        write_padded(value.unsigned_abs(), self.min.min(20), out);
        Ok(())
    }

    /// Reads a value at `at`; returns it with its end.
    pub(super) fn parse(&self, text: &[u8], at: usize) -> Option<(i64, usize)> {
        if self.form == Form::Fraction {
            return self.parse_fraction(text, at);
        }
        let sign = *text.get(at)?;
        let (negative, positive) = (sign == b'-', sign == b'+');
        if negative && self.sign == Sign::NotNegative || positive && self.sign != Sign::ExceedsPad {
            return None;
        }
        let start = at + usize::from(negative || positive);
        let digits = |limit: usize| {
            let rest = &text[start.min(text.len())..];
            rest.iter()
                .take(limit)
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let behind = match self.width {
            Width::Open(behind) => behind,
            Width::Fixed => 0,
        };
        let mut length = digits(self.max + behind);
        if length < self.min {
            return None;
        }
        if behind > 0 {
            length = digits(self.min.max(length.saturating_sub(behind)));
        }
        let value: i64 = std::str::from_utf8(&text[start..start + length])
            .ok()?
            .parse()
            .ok()?;
        if negative && value == 0 {
            return None;
        }
        if self.sign == Sign::ExceedsPad && !negative && positive != (length > self.min) {
            return None;
        }
        let value = match self.form {
            Form::TwoDigitYear if length == 2 => 2000 + value,
            _ if negative => -value,
            _ => value,
        };
        Some((value, start + length))
    }

    fn parse_fraction(&self, text: &[u8], at: usize) -> Option<(i64, usize)> {
        let digits = text.get(at..at + self.max)?;
        let mut value = 0;
        for byte in digits {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + i64::from(byte - b'0');
        }
        let places = u32::try_from(9 - self.max).expect("at most nine digits");
        Some((value * 10_i64.pow(places), at + self.max))
    }
}
