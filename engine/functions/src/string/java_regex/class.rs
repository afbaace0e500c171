//! Reads Java's character classes and escapes of single characters.

use regex_syntax::hir::ClassUnicode;

use super::pattern::{Reader, invalid};
use super::sets;
use super::syntax::PatternError;

/// What one step in a class gives: a character that may begin a range, or a whole set.
enum Item {
    Character(u32),
    Set(ClassUnicode),
}

impl Reader {
    /// Reads a class behind its opening bracket, to its closing one.
    pub(super) fn class(&mut self) -> Result<ClassUnicode, PatternError> {
        self.enter()?;
        let negative = self.accept('^');
        let set = self.class_body(true)?;
        self.leave();
        Ok(if negative { sets::negated(set) } else { set })
    }

    /// Reads members and intersections up to the closing bracket; takes the bracket if `consume`.
    ///
    /// A bracket before any member is a member. What stands right of `&&` is everything up to the next `&&` or the
    /// end; as Java does, a plain run of members there replaces the classes before it.
    fn class_body(&mut self, consume: bool) -> Result<ClassUnicode, PatternError> {
        let mut set: Option<ClassUnicode> = None;
        loop {
            match self.peek_special() {
                Some('[') => {
                    self.at += 1;
                    let inner = self.class()?;
                    set = Some(joined(set, inner));
                }
                Some('&') if self.second() == Some('&') => {
                    self.at += 2;
                    let right = self.right_side()?;
                    set = Some(match (set, right) {
                        (Some(mut left), Some(right)) => {
                            left.intersect(&right);
                            left
                        }
                        (Some(left), None) => left,
                        (None, Some(right)) => right,
                        (None, None) => return Err(invalid("Bad class syntax")),
                    });
                }
                Some(']') if set.is_some() => {
                    if consume {
                        self.at += 1;
                    }
                    return Ok(set.expect("the guard saw a set"));
                }
                _ => {
                    let member = self.member()?;
                    set = Some(joined(set, member));
                }
            }
        }
    }

    fn right_side(&mut self) -> Result<Option<ClassUnicode>, PatternError> {
        let mut right: Option<ClassUnicode> = None;
        loop {
            match self.peek_special() {
                Some(']' | '&') => return Ok(right),
                Some('[') => {
                    self.at += 1;
                    let inner = self.class()?;
                    right = Some(joined(right, inner));
                }
                _ => {
                    self.enter()?;
                    right = Some(self.class_body(false)?);
                    self.leave();
                }
            }
        }
    }

    /// Reads one character, range or named set.
    fn member(&mut self) -> Result<ClassUnicode, PatternError> {
        let first = match self.item()? {
            Item::Set(set) => return Ok(set),
            Item::Character(first) => first,
        };
        let flags = self.flags.case;
        if self.peek_special() != Some('-') || matches!(self.second(), Some('[' | ']') | None) {
            return Ok(sets::folded_range(first, first, flags));
        }
        self.at += 1;
        let last = match self.item()? {
            Item::Character(last) => last,
            Item::Set(_) => return Err(invalid("Illegal character range")),
        };
        if last < first {
            return Err(invalid("Illegal character range"));
        }
        Ok(sets::folded_range(first, last, flags))
    }

    fn item(&mut self) -> Result<Item, PatternError> {
        let token = self
            .peek()
            .ok_or_else(|| invalid("Unclosed character class"))?;
        self.at += 1;
        if token.quoted || token.character != '\\' {
            return Ok(Item::Character(token.character.into()));
        }
        let letter = self
            .take()
            .ok_or_else(|| invalid("Unclosed character class"))?;
        match letter {
            'p' | 'P' => self.property(letter == 'P').map(Item::Set),
            _ => match sets::escape(letter, self.flags.case) {
                Some(set) => Ok(Item::Set(set)),
                None => self.escaped_character(letter).map(Item::Character),
            },
        }
    }

    /// Reads a property behind `\p` or `\P`.
    pub(super) fn property(&mut self, negative: bool) -> Result<ClassUnicode, PatternError> {
        let unknown = || invalid("Unknown character property name");
        let mut name = String::new();
        match self.take().ok_or_else(unknown)? {
            '{' => loop {
                match self.take() {
                    Some('}') => break,
                    Some(character) => name.push(character),
                    None => return Err(invalid("Unclosed character family")),
                }
            },
            letter => name.push(letter),
        }
        if name.is_empty() {
            return Err(invalid("Empty character family"));
        }
        let set = sets::property(&name, self.flags.case)?;
        Ok(if negative { sets::negated(set) } else { set })
    }

    /// Reads an escape that stands for one character, behind the backslash and `letter`.
    pub(super) fn escaped_character(&mut self, letter: char) -> Result<u32, PatternError> {
        Ok(match letter {
            't' => 0x9,
            'n' => 0xa,
            'r' => 0xd,
            'f' => 0xc,
            'a' => 0x7,
            'e' => 0x1b,
            '0' => self.octal()?,
            'x' => self.hexadecimal()?,
            'u' => self.unicode()?,
            'c' => {
                let control = self.take();
                control.map_or_else(
                    || Err(invalid("Illegal control escape sequence")),
                    |control| Ok(u32::from(control) ^ 64),
                )?
            }
            'N' if self.tokens.get(self.at).is_none_or(|t| t.character != '{') => {
                return Err(invalid("Illegal character name escape sequence"));
            }
            'N' => return Err(PatternError::Unsupported("\\N{…}".to_owned())),
            letter if letter.is_ascii_alphabetic() => {
                return Err(invalid("Illegal/unsupported escape sequence"));
            }
            character => character.into(),
        })
    }

    fn digit(&mut self, radix: u32) -> Option<u32> {
        let digit = self.tokens.get(self.at)?.character.to_digit(radix)?;
        self.at += 1;
        Some(digit)
    }

    /// `\0n`, `\0nn`, `\0mnn` with m up to 3.
    fn octal(&mut self) -> Result<u32, PatternError> {
        let error = || invalid("Illegal octal escape sequence");
        let first = self.digit(8).ok_or_else(error)?;
        let Some(second) = self.digit(8) else {
            return Ok(first);
        };
        let two = first * 8 + second;
        let third = if first <= 3 { self.digit(8) } else { None };
        Ok(third.map_or(two, |third| two * 8 + third))
    }

    /// `\xhh` or `\x{h…h}`.
    fn hexadecimal(&mut self) -> Result<u32, PatternError> {
        let error = || invalid("Illegal hexadecimal escape sequence");
        if self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.character == '{')
        {
            self.at += 1;
            let mut value = self.digit(16).ok_or_else(error)?;
            while let Some(digit) = self.digit(16) {
                value = value * 16 + digit;
                if value > 0x10_ffff {
                    return Err(invalid("Hexadecimal codepoint is too big"));
                }
            }
            return match self.take() {
                Some('}') => Ok(value),
                _ => Err(invalid("Unclosed hexadecimal escape sequence")),
            };
        }
        let high = self.digit(16).ok_or_else(error)?;
        let low = self.digit(16).ok_or_else(error)?;
        Ok(high * 16 + low)
    }

    /// `\uhhhh`; a high surrogate joins a low one that follows.
    fn unicode(&mut self) -> Result<u32, PatternError> {
        let high = self.unicode_unit()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(high);
        }
        let mark = self.at;
        let follows = |at: usize, wanted: char| {
            self.tokens
                .get(at)
                .is_some_and(|token| token.character == wanted)
        };
        if follows(mark, '\\') && follows(mark + 1, 'u') {
            self.at += 2;
            let low = self.unicode_unit()?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            self.at = mark;
        }
        Ok(high)
    }

    fn unicode_unit(&mut self) -> Result<u32, PatternError> {
        (0..4).try_fold(0, |value, _| {
            let digit = self.digit(16);
            digit
                .map(|digit| value * 16 + digit)
                .ok_or_else(|| invalid("Illegal Unicode escape sequence"))
        })
    }
}

fn joined(set: Option<ClassUnicode>, more: ClassUnicode) -> ClassUnicode {
    match set {
        Some(set) => sets::union(set, &more),
        None => more,
    }
}
