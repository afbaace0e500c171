//! Splits the first record of a message into fields, as Jackson's CSV reader does.

use super::options::CsvOptions;

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// It stands in the message like this.
    Slice(usize, usize),
    /// Quotes or escapes had to be taken out.
    Made(Vec<u8>),
}

/// Why a message has no record.
pub(super) type RecordFault = String;

/// Appends the fields of the record at the start of `message`.
///
/// # Errors
/// There is none, or it is malformed; Jackson's words.
pub(super) fn split(
    message: &[u8],
    options: &CsvOptions,
    fields: &mut Vec<Field>,
) -> Result<(), RecordFault> {
    let mut reader = Reader {
        text: message,
        at: 0,
        options,
    };
    if options.allow_comments {
        reader.skip_comments();
    }
    if reader.at == message.len() {
        return Err("No content to map due to end-of-input".to_owned());
    }
    loop {
        let (field, goes_on) = if reader.stands(options.quote) {
            reader.quoted()?
        } else {
            reader.unquoted()?
        };
        fields.push(field);
        if !goes_on {
            return Ok(());
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    options: &'a CsvOptions,
}

impl Reader<'_> {
    /// Skips comments, with what is blank at the start of a line, as Jackson does where comments are allowed.
    fn skip_comments(&mut self) {
        let delimiter = self.options.delimiter;
        loop {
            let blank = |byte: &u8| *byte <= b' ' && char::from(*byte) != delimiter;
            while self.text.get(self.at).is_some_and(blank) {
                self.at += 1;
            }
            if self.text.get(self.at) != Some(&b'#') {
                return;
            }
            while self.text.get(self.at).is_some_and(|b| !is_line_end(*b)) {
                self.at += 1;
            }
            while self.text.get(self.at).is_some_and(|b| is_line_end(*b)) {
                self.at += 1;
            }
        }
    }

    /// Tells whether the character stands here.
    fn stands(&self, character: Option<char>) -> bool {
        let mut utf8 = [0; 4];
        character
            .is_some_and(|c| self.text[self.at..].starts_with(c.encode_utf8(&mut utf8).as_bytes()))
    }

    /// Ends a field at the delimiter, the line's end or the message's; `None` where none of them is here.
    fn end(&mut self) -> Option<bool> {
        if self.stands(Some(self.options.delimiter)) {
            self.at += self.options.delimiter.len_utf8();
            return Some(true);
        }
        match self.text.get(self.at) {
            None => Some(false),
            Some(b) if is_line_end(*b) => Some(false),
            Some(_) => None,
        }
    }

    fn unquoted(&mut self) -> Result<(Field, bool), RecordFault> {
        let start = self.at;
        let mut made: Option<Vec<u8>> = None;
        loop {
            let end = self.at;
            if let Some(goes_on) = self.end() {
                let field = made.map_or(Field::Slice(start, end), Field::Made);
                return Ok((field, goes_on));
            }
            if self.stands(self.options.escape) {
                let text = made.get_or_insert_with(|| self.text[start..end].to_vec());
                let mut text = std::mem::take(text);
                self.escaped(&mut text)?;
                made = Some(text);
                continue;
            }
            if let Some(text) = &mut made {
                text.push(self.text[self.at]);
            }
            self.at += 1;
        }
    }

    fn quoted(&mut self) -> Result<(Field, bool), RecordFault> {
        let quote = self.options.quote.unwrap_or('"');
        self.at += quote.len_utf8();
        let start = self.at;
        let mut made: Option<Vec<u8>> = None;
        let end = loop {
            if self.at >= self.text.len() {
                return Err("Missing closing quote for value".to_owned());
            }
            if self.stands(Some(quote)) {
                let end = self.at;
                self.at += quote.len_utf8();
                if !(self.at < self.text.len() && self.stands(Some(quote))) {
                    break end;
                }
                // A doubled quote is one.
                let text = made.get_or_insert_with(|| self.text[start..end].to_vec());
                let mut utf8 = [0; 4];
                text.extend_from_slice(quote.encode_utf8(&mut utf8).as_bytes());
                self.at += quote.len_utf8();
            } else if self.stands(self.options.escape) {
                let mut text = made
                    .take()
                    .unwrap_or_else(|| self.text[start..self.at].to_vec());
                self.escaped(&mut text)?;
                made = Some(text);
            } else {
                if let Some(text) = &mut made {
                    text.push(self.text[self.at]);
                }
                self.at += 1;
            }
        };
        let field = made.map_or(Field::Slice(start, end), Field::Made);
        // Blanks may stand between the closing quote and the delimiter.
        loop {
            if let Some(goes_on) = self.end() {
                return Ok((field, goes_on));
            }
            if self.text[self.at] > b' ' {
                return Err(format!(
                    "Unexpected character ('{}' (code {})): Expected column separator character or end-of-line",
                    char::from(self.text[self.at]),
                    self.text[self.at]
                ));
            }
            self.at += 1;
        }
    }

    /// Appends the character behind the escape that stands here.
    fn escaped(&mut self, out: &mut Vec<u8>) -> Result<(), RecordFault> {
        self.at += self.options.escape.map_or(1, char::len_utf8);
        let Some(&byte) = self.text.get(self.at) else {
            return Err("Unexpected EOF in escaped character".to_owned());
        };
        self.at += 1;
        out.push(match byte {
            b'0' => 0,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => other,
        });
        Ok(())
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
