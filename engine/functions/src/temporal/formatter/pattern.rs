//! Reads patterns.

use super::field::Field;
use super::number::{Form, Number, Sign, WIDEST, Width};
use super::text::Style;
use super::{Formatter, Item, OffsetForm, Presence, ZoneForm};

impl Formatter {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none, in Java's words.
    pub(crate) fn compile(pattern: &str) -> Result<Self, String> {
        let mut builder = Builder {
            pattern,
            levels: vec![Level::default()],
            pad: None,
        };
        builder.read()?;
        while builder.levels.len() > 1 {
            builder.close();
        }
        let level = builder.levels.pop().expect("one is left");
        Ok(Self { items: level.items })
    }
}

/// The parts between brackets.
#[derive(Default)]
struct Level {
    items: Vec<Item>,
    /// The number that decides how many digits those right behind it have.
    open_number: Option<usize>,
}

struct Builder<'a> {
    pattern: &'a str,
    levels: Vec<Level>,
    /// The width the next part is padded to.
    pad: Option<usize>,
}

impl Builder<'_> {
    fn read(&mut self) -> Result<(), String> {
        let mut chars = self.pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                'A'..='Z' | 'a'..='z' => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if c != 'p' {
                        self.letter(c as u8, count)?;
                    } else if chars.peek().is_some_and(char::is_ascii_alphabetic) {
                        self.pad = Some(count);
                    } else {
                        return Err(format!(
                            "Pad letter 'p' must be followed by valid pad pattern: {}",
                            self.pattern
                        ));
                    }
                }
                '\'' => {
                    let text = quoted(&mut chars).ok_or_else(|| {
                        format!(
                            "Pattern ends with an incomplete string literal: {}",
                            self.pattern
                        )
                    })?;
                    self.push(Item::Literal(text));
                }
                '[' => {
                    self.level().open_number = None;
                    self.levels.push(Level::default());
                }
                ']' if self.levels.len() == 1 => {
                    return Err("Pattern invalid as it contains ] without previous [".to_owned());
                }
                ']' => self.close(),
                '{' | '}' | '#' => {
                    return Err(format!("Pattern includes reserved character: '{c}'"));
                }
                _ => self.push(Item::Literal(c.to_string())),
            }
        }
        Ok(())
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("there is always one")
    }

    fn close(&mut self) {
        let level = self.levels.pop().expect("there is always one");
        self.push(Item::Optional(level.items));
    }

    fn push(&mut self, item: Item) {
        let item = match self.pad.take() {
            Some(width) => Item::Padded(width, Box::new(item)),
            None => item,
        };
        let level = self.level();
        level.open_number = None;
        match (level.items.last_mut(), item) {
            (Some(Item::Literal(before)), Item::Literal(text)) => before.push_str(&text),
            (_, item) => level.items.push(item),
        }
    }

    /// Appends a number; `shape` is its width where it has exactly one and no sign.
    fn push_number(&mut self, number: Number, shape: Option<usize>) {
        let padded = self.pad.is_some();
        let open = self.level().open_number.filter(|_| !padded);
        let mut number = number;
        if let Some(index) = open
            && let Some(Item::Number(first)) = self.level().items.get_mut(index)
        {
            match (shape, first.width) {
                (Some(width), Width::Open(behind)) => {
                    first.width = Width::Open(behind + width);
                    number.width = Width::Fixed;
                }
                _ => first.width = Width::Fixed,
            }
        }
        let stays = number.width == Width::Fixed;
        self.push(Item::Number(number));
        let level = self.level();
        level.open_number = match open {
            _ if padded => None,
            Some(index) if stays => Some(index),
            _ => Some(level.items.len() - 1),
        };
    }

    fn plain(&mut self, field: Field, count: usize) {
        if count == 1 {
            self.push_number(Number::any(field), None);
        } else {
            let number = Number::new(field, count, count, Sign::NotNegative);
            self.push_number(number, Some(count));
        }
    }

    fn letter(&mut self, letter: u8, count: usize) -> Result<(), String> {
        let too_many = || Err(format!("Too many pattern letters: {}", letter as char));
        let style = match count {
            4 => Style::Full,
            5 => Style::Narrow,
            _ => Style::Short,
        };
        let wide = |sign| move |field| Number::new(field, count, WIDEST, sign);
        if count > WIDEST {
            return too_many();
        }
        match (letter, Field::of_letter(letter)) {
            (b'y' | b'u', Some(field)) => self.year(field, count),
            (b'M' | b'L' | b'Q' | b'q', Some(field)) if count <= 2 => self.plain(field, count),
            (b'c' | b'e', _) if count <= 2 => {
                if (letter, count) == (b'c', 2) {
                    return Err("Invalid pattern \"cc\"".to_owned());
                }
                let number = Number::new(Field::LocalDayOfWeek, count, 2, Sign::NotNegative);
                self.push_number(number, Some(count));
            }
            (b'M' | b'L' | b'Q' | b'q' | b'E' | b'c' | b'e' | b'G', Some(field)) if count <= 5 => {
                self.push(Item::Text(field, style));
            }
            (b'a', Some(field)) if count == 1 => self.push(Item::Text(field, style)),
            (b'S', Some(field)) if count <= 9 => {
                let number = Number::new(field, count, count, Sign::NotNegative);
                self.push_number(number.with_form(Form::Fraction), Some(count));
            }
            (b'F', Some(field)) if count == 1 => self.plain(field, count),
            (b'd' | b'h' | b'H' | b'k' | b'K' | b'm' | b's', Some(field)) if count <= 2 => {
                self.plain(field, count);
            }
            (b'D', Some(field)) if count == 1 => self.plain(field, count),
            (b'D', Some(field)) if count <= 3 => {
                let number = Number::new(field, count, 3, Sign::NotNegative);
                self.push_number(number, (count == 3).then_some(3));
            }
            (b'g', Some(field)) => self.push_number(wide(Sign::Normal)(field), None),
            (b'A' | b'n' | b'N', Some(field)) => {
                let shape = (count == WIDEST).then_some(WIDEST);
                self.push_number(wide(Sign::NotNegative)(field), shape);
            }
            (_, None) => return self.other_letter(letter, count, style),
            _ => return too_many(),
        }
        Ok(())
    }

    fn year(&mut self, field: Field, count: usize) {
        let number = match count {
            2 => {
                let number = Number::new(field, 2, 2, Sign::NotNegative);
                return self.push_number(number.with_form(Form::TwoDigitYear), Some(2));
            }
            0..4 => Number::new(field, count, WIDEST, Sign::Normal),
            _ => Number::new(field, count, WIDEST, Sign::ExceedsPad),
        };
        self.push_number(number, None);
    }

    /// Weeks, zones, offsets and periods of the day.
    fn other_letter(&mut self, letter: u8, count: usize, style: Style) -> Result<(), String> {
        let too_many = || Err(format!("Too many pattern letters: {}", letter as char));
        match (letter, count) {
            (b'Y', _) => self.year(Field::WeekYear, count),
            (b'w', 1..=2) => {
                let number = Number::new(Field::WeekOfYear, count, 2, Sign::NotNegative);
                self.push_number(number, (count == 2).then_some(2));
            }
            (b'W', 1) => {
                let number = Number::new(Field::WeekOfMonth, 1, 2, Sign::NotNegative);
                self.push_number(number, Some(1));
            }
            (b'V', 2) => self.push(Item::Zone(ZoneForm::Id)),
            (b'z' | b'v', 4) => self.push(Item::Zone(ZoneForm::Full)),
            (b'z', 1..4) | (b'v', 1) => self.push(Item::Zone(ZoneForm::Short)),
            (b'Z', 1..=3) => self.push(offset(false, Presence::Always, Presence::Never, "+0000")),
            (b'Z' | b'O', 4) => self.push(Item::LocalizedOffset { full: true }),
            (b'O', 1) => self.push(Item::LocalizedOffset { full: false }),
            (b'Z', 5) => self.push(offset(true, Presence::Always, Presence::Optional, "Z")),
            (b'X' | b'x', 1..=5) => {
                let zero = match (letter, count) {
                    (b'X', _) => "Z",
                    (_, 1) => "+00",
                    (_, 2 | 4) => "+0000",
                    _ => "+00:00",
                };
                let minutes = if count == 1 {
                    Presence::Optional
                } else {
                    Presence::Always
                };
                let seconds = if count >= 4 {
                    Presence::Optional
                } else {
                    Presence::Never
                };
                self.push(offset(matches!(count, 3 | 5), minutes, seconds, zero));
            }
            (b'B', 1 | 4 | 5) => self.push(Item::DayPeriod {
                narrow: style == Style::Narrow,
            }),
            (b'V', _) => {
                return Err(format!(
                    "Pattern letter count must be 2: {}",
                    letter as char
                ));
            }
            (b'w' | b'W' | b'z' | b'Z' | b'X' | b'x', _) => return too_many(),
            (b'v' | b'O' | b'B', _) => {
                return Err(format!(
                    "Wrong number of pattern letters: {}",
                    letter as char
                ));
            }
            _ => return Err(format!("Unknown pattern letter: {}", letter as char)),
        }
        Ok(())
    }
}

fn offset(colon: bool, minutes: Presence, seconds: Presence, zero: &'static str) -> Item {
    Item::Offset(OffsetForm {
        colon,
        minutes,
        seconds,
        zero,
    })
}

/// Reads the text behind a quote; two quotes are one. `None` when no quote ends it.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' if chars.next_if_eq(&'\'').is_none() => break,
            c => text.push(c),
        }
    }
    if text.is_empty() {
        text.push('\'');
    }
    Some(text)
}
