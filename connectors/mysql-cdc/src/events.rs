//! Events of the binary log that are not rows: what this reader needs of each.

use std::borrow::Cow;
use std::io::Read;

use crate::decode::{Bytes, Charset, charset_of_collation};
use crate::definition::{Change, Dialect, SqlMode, ddl};
use crate::gtid::{Gtid, Source};

/// An event with its header, without its checksum.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawEvent {
    pub(crate) code: u8,
    /// Seconds since the epoch.
    pub(crate) timestamp: u32,
    pub(crate) flags: u16,
    /// The lower 32 bits of the position of the next event; 0 in events that are in no file.
    pub(crate) log_pos: u32,
    /// Bytes in the file, header and checksum included.
    pub(crate) size: u32,
    pub(crate) body: Vec<u8>,
    /// Of events with a GTID in the format with tags.
    pub(crate) gtid: Option<Gtid>,
}

/// The event is in no file: the server made it up for this reader.
const ARTIFICIAL: u16 = 0x20;
/// Who does not know the event may leave it out.
pub(crate) const IGNORABLE: u16 = 0x80;

impl RawEvent {
    pub(crate) fn is_artificial(&self) -> bool {
        self.flags & ARTIFICIAL != 0 || self.log_pos == 0
    }
}

/// The types of events, by their numbers.
pub(crate) mod code {
    pub(crate) const QUERY: u8 = 2;
    pub(crate) const STOP: u8 = 3;
    pub(crate) const ROTATE: u8 = 4;
    pub(crate) const FORMAT_DESCRIPTION: u8 = 15;
    pub(crate) const EXECUTE_LOAD_QUERY: u8 = 18;
    pub(crate) const XID: u8 = 16;
    pub(crate) const TABLE_MAP: u8 = 19;
    pub(crate) const INCIDENT: u8 = 26;
    pub(crate) const HEARTBEAT: u8 = 27;
    pub(crate) const GTID: u8 = 33;
    pub(crate) const ANONYMOUS_GTID: u8 = 34;
    pub(crate) const PREVIOUS_GTIDS: u8 = 35;
    pub(crate) const XA_PREPARE: u8 = 38;
    pub(crate) const TRANSACTION_PAYLOAD: u8 = 40;
    pub(crate) const HEARTBEAT_V2: u8 = 41;
    pub(crate) const GTID_TAGGED: u8 = 42;
    pub(crate) const MARIADB_GTID: u8 = 162;
    pub(crate) const MARIADB_START_ENCRYPTION: u8 = 164;
    pub(crate) const MARIADB_QUERY_COMPRESSED: u8 = 165;

    /// Returns the code of the plain row event that a compressed one of MariaDB stands for.
    pub(crate) fn of_compressed_rows(code: u8) -> Option<u8> {
        match code {
            166..=168 => Some(code - 166 + 23),
            169..=171 => Some(code - 169 + 30),
            _ => None,
        }
    }

    /// Tells whether a statement is in it.
    pub(crate) fn is_query(code: u8) -> bool {
        matches!(code, QUERY | MARIADB_QUERY_COMPRESSED | EXECUTE_LOAD_QUERY)
    }

    /// Tells whether rows are in it.
    pub(crate) fn is_rows(code: u8) -> bool {
        matches!(code, 23..=25 | 30..=32 | 39)
    }

    /// Tells whether nothing in it matters here.
    pub(crate) fn is_passed_over(code: u8) -> bool {
        // Files of LOAD DATA in statement format, variables of statements, texts of row queries, group replication,
        // MariaDB's annotations, checkpoints and lists of GTIDs.
        matches!(code, 5..=14 | 17 | 28 | 29 | 36 | 37 | 160 | 161 | 163)
    }

    /// Returns the type's name, for messages.
    pub(crate) fn name(code: u8) -> String {
        let name = match code {
            QUERY => "QUERY",
            ROTATE => "ROTATE",
            FORMAT_DESCRIPTION => "FORMAT_DESCRIPTION",
            XID => "XID",
            TABLE_MAP => "TABLE_MAP",
            23 | 30 => "WRITE_ROWS",
            24 | 31 => "UPDATE_ROWS",
            25 | 32 => "DELETE_ROWS",
            39 => "PARTIAL_UPDATE_ROWS",
            INCIDENT => "INCIDENT",
            GTID | GTID_TAGGED | MARIADB_GTID => "GTID",
            PREVIOUS_GTIDS => "PREVIOUS_GTIDS",
            XA_PREPARE => "XA_PREPARE",
            TRANSACTION_PAYLOAD => "TRANSACTION_PAYLOAD",
            _ => return format!("event type {code}"),
        };
        name.to_owned()
    }
}

/// A statement.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) database: Cow<'a, str>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) dialect: Dialect,
    /// Some of the text is none in the client's charset, or the charset is not known: those characters are U+FFFD.
    pub(crate) is_garbled: bool,
}

/// Reads a statement from an event of any of the kinds of [`code::is_query`]; `None` if it is cut short.
pub(crate) fn query(code: u8, body: &[u8], is_mariadb: bool) -> Option<Query<'_>> {
    let mut cursor = Bytes::new(body);
    cursor.take(8)?;
    let database_length = usize::try_from(cursor.uint(1)?).ok()?;
    cursor.take(2)?;
    let status_length = usize::try_from(cursor.uint(2)?).ok()?;
    if code == code::EXECUTE_LOAD_QUERY {
        // The number of the file, where its name stands in the text, what becomes of duplicates.
        cursor.take(13)?;
    }
    let status = Status::read(cursor.take(status_length)?);
    // Names are kept in UTF-8 whatever the client speaks.
    let database = String::from_utf8_lossy(cursor.take(database_length)?);
    cursor.take(1)?;
    let (text, is_garbled) = if code == code::MARIADB_QUERY_COMPRESSED {
        let text = inflate(cursor.rest())?;
        let (text, is_garbled) = status.text(&text);
        (Cow::Owned(text.into_owned()), is_garbled)
    } else {
        status.text(cursor.rest())
    };
    Some(Query {
        database,
        text,
        dialect: Dialect {
            mode: status.mode,
            is_mariadb,
        },
        is_garbled,
    })
}

impl Query<'_> {
    /// Returns what the statement changes about tables.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let changes = ddl::parse(&self.text, &self.database, self.dialect);
        if !self.is_garbled {
            return changes;
        }
        // Names and members of an ENUM may be other ones.
        let reason = "characters that are none in the charset of the client that ran it";
        let unknown = |change: Change| Change::NotUnderstood {
            tables: change.tables(),
            reason: reason.to_owned(),
        };
        changes.into_iter().map(unknown).collect()
    }
}

/// What the status variables of a statement say about its text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Status {
    mode: SqlMode,
    /// The number of a collation of the charset that the client sent the text in.
    client: Option<u16>,
}

impl Status {
    /// Reads the variables up to the charsets. They come in a fixed order, so that only what may stand before has to be
    /// known.
    fn read(status: &[u8]) -> Self {
        let mut found = Self::default();
        // Cut short, or a variable that is not known: what was found so far stands.
        let _ = found.take(&mut Bytes::new(status));
        found
    }

    fn take(&mut self, cursor: &mut Bytes<'_>) -> Option<()> {
        loop {
            match cursor.uint(1)? {
                // Flags; the increment of AUTO_INCREMENT and its offset.
                0 | 3 => cursor.take(4)?,
                1 => {
                    self.mode = SqlMode::of_bits(cursor.uint(8)?);
                    continue;
                }
                // The catalog, before 5.0.4 with a NUL behind it.
                2 => {
                    let length = usize::try_from(cursor.uint(1)?).ok()?;
                    cursor.take(length + 1)?
                }
                6 => {
                    let length = usize::try_from(cursor.uint(1)?).ok()?;
                    cursor.take(length)?
                }
                4 => {
                    self.client = Some(u16::try_from(cursor.uint(2)?).ok()?);
                    return Some(());
                }
                _ => return None,
            };
        }
    }

    /// Returns the text of a statement, and whether some of it is none.
    fn text<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, bool) {
        let name = self.client.map(charset_of_collation);
        let charset = match name {
            // Servers before the variable; UTF-8 is what is sent by all but old clients.
            None => Charset::find("utf8mb4"),
            Some(name) => name.and_then(Charset::find),
        };
        // What no charset is known for is read as far as it is ASCII, as all charsets of clients are in their lower half.
        match charset.or_else(|| Charset::find("ascii")) {
            Some(charset) => charset.decode_counting(bytes),
            None => (String::from_utf8_lossy(bytes), true),
        }
    }
}

/// Returns what MariaDB compressed: a byte that tells the length's width, the length, zlib.
pub(crate) fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let head = *bytes.first()?;
    let width = usize::from(head & 7);
    let length = bytes.get(1..=width)?;
    let length = length
        .iter()
        .fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
    let mut out = Vec::with_capacity(length.min(1 << 26));
    let packed = bytes.get(1 + width..)?;
    flate2::read::ZlibDecoder::new(packed)
        .take(1 << 30)
        .read_to_end(&mut out)
        .ok()?;
    (out.len() == length).then_some(out)
}

/// Returns the body of the plain row event that a compressed one of MariaDB stands for.
pub(crate) fn inflate_rows(code: u8, body: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Bytes::new(body);
    cursor.take(8)?;
    if code >= 30 {
        let extra = usize::try_from(cursor.uint(2)?).ok()?;
        cursor.take(extra.checked_sub(2)?)?;
    }
    let bitmap = usize::try_from(cursor.length()?).ok()?.div_ceil(8);
    cursor.take(bitmap)?;
    if matches!(code, 24 | 31) {
        cursor.take(bitmap)?;
    }
    let head = &body[..body.len() - cursor.rest().len()];
    let mut plain = head.to_vec();
    plain.extend(inflate(cursor.rest())?);
    Some(plain)
}

/// Reads a GTID event of MySQL without a tag.
pub(crate) fn gtid(body: &[u8]) -> Option<Gtid> {
    let mut cursor = Bytes::new(body);
    cursor.take(1)?;
    let uuid = cursor.take(16)?.try_into().ok()?;
    let number = cursor.uint(8)?;
    Some(Gtid {
        source: Source {
            uuid,
            tag: String::new(),
        },
        number,
    })
}

/// What MariaDB's GTID event says of the group that it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MariadbGtid {
    /// One event without BEGIN and COMMIT follows.
    pub(crate) is_standalone: bool,
    /// The XA transaction that the group prepares.
    pub(crate) prepares: Option<String>,
}

/// Reads MariaDB's GTID event.
pub(crate) fn mariadb_gtid(body: &[u8]) -> Option<MariadbGtid> {
    let mut cursor = Bytes::new(body);
    cursor.take(12)?;
    let flags = cursor.uint(1)?;
    if flags & 2 != 0 {
        cursor.take(8)?;
    }
    let prepares = if flags & 64 != 0 {
        let format = cursor.uint(4)?;
        let global = usize::try_from(cursor.uint(1)?).ok()?;
        let branch = usize::try_from(cursor.uint(1)?).ok()?;
        let (global, branch) = (cursor.take(global)?, cursor.take(branch)?);
        Some(format!("X'{}',X'{}',{format}", hex(global), hex(branch)))
    } else {
        None
    };
    Some(MariadbGtid {
        is_standalone: flags & 1 != 0,
        prepares,
    })
}

/// Returns bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a ROTATE event: the next file and the position in it.
pub(crate) fn rotate(body: &[u8]) -> Option<(String, u64)> {
    let mut cursor = Bytes::new(body);
    let pos = cursor.uint(8)?;
    let name = cursor.rest();
    Some((file_name(name), pos))
}

/// Returns a file's name without what may stand behind it: MariaDB's first, made-up ROTATE may carry the four bytes of
/// a checksum that the connection does not yet expect. They can be any bytes, dots and digits too; a name ends in a dot
/// and at least six digits.
fn file_name(bytes: &[u8]) -> String {
    const CHECKSUM: usize = 4;
    let is_name = |bytes: &[u8]| {
        let digits = bytes
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        digits >= 6 && bytes[..bytes.len() - digits].ends_with(b".")
    };
    let shorter = &bytes[..bytes.len().saturating_sub(CHECKSUM)];
    let name = if is_name(shorter) { shorter } else { bytes };
    String::from_utf8_lossy(name).into_owned()
}

/// Returns the number behind the dot of a file's name: files compare by it.
pub(crate) fn file_number(name: &str) -> u64 {
    name.rsplit_once('.')
        .and_then(|(_, digits)| digits.parse().ok())
        .unwrap_or(0)
}

/// Returns the transaction's name in an XA statement, as the server writes it: `X'..',X'..',1`.
pub(crate) fn xa_name<'a>(text: &'a str, verb: &str) -> Option<&'a str> {
    let rest = strip_words(text, &["XA", verb])?;
    let end = rest
        .to_ascii_uppercase()
        .find(" ONE PHASE")
        .unwrap_or(rest.len());
    Some(rest[..end].trim())
}

/// Returns what follows the given words, whatever their case.
pub(crate) fn strip_words<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    let mut rest = text.trim_start();
    for word in words {
        let head = rest.get(..word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        let tail = &rest[word.len()..];
        if tail.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        rest = tail.trim_start();
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        assert_eq!(file_name(b"binlog.000001"), "binlog.000001");
        assert_eq!(file_name(b"binlog.1000000"), "binlog.1000000");
        assert_eq!(file_name(b"binlog.000001\xb8\x12\x13\x14"), "binlog.000001");
        assert_eq!(file_name(b"binlog.0000011234"), "binlog.000001");
        assert_eq!(file_name(b"binlog.000001.\xff1."), "binlog.000001");
        assert_eq!(file_name(b"a.b-bin.000012"), "a.b-bin.000012");
        assert!(file_number("binlog.1000000") > file_number("binlog.999999"));
    }

    #[test]
    fn names_of_xa_transactions() {
        assert_eq!(
            xa_name("XA START X'61',X'',1", "START"),
            Some("X'61',X'',1")
        );
        assert_eq!(
            xa_name("xa commit X'61',X'',1 ONE PHASE", "COMMIT"),
            Some("X'61',X'',1")
        );
        assert_eq!(xa_name("XA STARTED", "START"), None);
    }

    #[test]
    fn reads_a_query() {
        let mut body = vec![0; 8];
        body.extend([2, 0, 0, 14, 0]);
        body.extend([0, 0, 0, 0, 0]);
        body.push(1);
        body.extend(4_u64.to_le_bytes());
        body.extend(b"db\0BEGIN");
        let read = query(code::QUERY, &body, false).unwrap();
        assert_eq!((&*read.database, &*read.text), ("db", "BEGIN"));
        assert!(read.dialect.mode.ansi_quotes && !read.is_garbled);
        assert!(query(code::QUERY, &body[..12], false).is_none());
    }

    /// A QUERY event of a client whose charset has the collation of this number.
    fn of_client(collation: u16, text: &[u8]) -> Vec<u8> {
        let mut status = vec![0, 0, 0, 0, 0];
        status.push(1);
        status.extend(0_u64.to_le_bytes());
        status.extend(b"\x06\x03std\x03\x01\0\x01\0\x04");
        for number in [collation, 255, 255] {
            status.extend(number.to_le_bytes());
        }
        status.extend(b"\x0c\x01d\0");
        let mut body = vec![0; 8];
        body.extend([1, 0, 0, status.len() as u8, 0]);
        body.extend(status);
        body.extend(b"d\0");
        body.extend(text);
        body
    }

    #[test]
    fn texts_are_in_the_charset_of_their_client() {
        for (collation, text, expected) in [
            (28, &b"x '\xc5\xae'"[..], "x '\u{5973}'"),
            (45, "x '女'".as_bytes(), "x '女'"),
            (8, b"x '\xe9'", "x 'é'"),
            (51, b"x '\xe6'", "x 'ж'"),
            (13, b"x '\x95\x5c'", "x '表'"),
        ] {
            let body = of_client(collation, text);
            let read = query(code::QUERY, &body, false).unwrap();
            assert_eq!((&*read.text, read.is_garbled), (expected, false));
        }
        // A charset that cannot be read, and bytes that are no text: known as such.
        for (collation, text) in [(4, &b"x '\x82'"[..]), (45, b"x '\xc5\xae\xff'")] {
            let body = of_client(collation, text);
            let read = query(code::QUERY, &body, false).unwrap();
            assert!(read.is_garbled && read.text.contains('\u{fffd}'));
        }
        let body = of_client(4, b"ALTER TABLE t ADD x int");
        assert!(!query(code::QUERY, &body, false).unwrap().is_garbled);
    }

    #[test]
    fn reads_the_statement_of_a_file() {
        let text = b"LOAD DATA INFILE 'x' INTO TABLE `t`";
        let mut body = of_client(45, text);
        body.splice(13..13, [0; 13]);
        let read = query(code::EXECUTE_LOAD_QUERY, &body, false).unwrap();
        assert_eq!(read.text.as_bytes(), text);
    }
}
