//! Java's named character sets, as sets of code points.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::syntax::{Lines, PatternError};

/// Which of Java's flags bear on sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CaseFlags {
    /// `i`.
    pub(crate) ignore_case: bool,
    /// `u`.
    pub(crate) unicode_case: bool,
    /// `U`.
    pub(crate) unicode_sets: bool,
}

/// Returns the set of the code points `first..=last`; surrogates are no characters of a text and left out.
pub(crate) fn range(first: u32, last: u32) -> ClassUnicode {
    let start = char::from_u32(first).unwrap_or('\u{e000}');
    let end = char::from_u32(last).unwrap_or('\u{d7ff}');
    if start > end {
        return ClassUnicode::empty();
    }
    ClassUnicode::new([ClassUnicodeRange::new(start, end)])
}

/// Returns `first..=last` widened by the flags: ASCII letters only, or Unicode's simple folds.
pub(crate) fn folded_range(first: u32, last: u32, flags: CaseFlags) -> ClassUnicode {
    let mut set = range(first, last);
    if flags.ignore_case && flags.unicode_case {
        set.case_fold_simple();
    } else if flags.ignore_case {
        let mut ascii = set.clone();
        ascii.intersect(&range(0, 0x7f));
        ascii.case_fold_simple();
        ascii.intersect(&range(0, 0x7f));
        set.union(&ascii);
    }
    set
}

/// Returns the union.
pub(crate) fn union(mut left: ClassUnicode, right: &ClassUnicode) -> ClassUnicode {
    left.union(right);
    left
}

/// Returns the complement.
pub(crate) fn negated(mut set: ClassUnicode) -> ClassUnicode {
    set.negate();
    set
}

/// Returns the set a class in the syntax of the `regex` crate stands for.
///
/// The patterns given are constants of this module or names checked against its lists.
fn parsed(pattern: &str) -> Option<ClassUnicode> {
    let hir = regex_syntax::Parser::new().parse(pattern).ok()?;
    match hir.kind() {
        HirKind::Class(Class::Unicode(set)) => Some(set.clone()),
        HirKind::Class(Class::Bytes(set)) => set.to_unicode_class(),
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let character = u32::from(text.chars().next()?);
            Some(range(character, character))
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => None,
    }
}

fn constant(pattern: &str) -> ClassUnicode {
    parsed(pattern).expect("the class is a constant of this file")
}

/// Returns the characters of a grapheme cluster class.
pub(super) fn grapheme_class(name: &str) -> ClassUnicode {
    constant(&format!(r"\p{{gcb={name}}}"))
}

/// Returns the characters that are pictures.
pub(super) fn pictographs() -> ClassUnicode {
    constant(r"\p{Extended_Pictographic}")
}

/// Returns what `.` matches.
pub(crate) fn dot(dot_all: bool, lines: Lines) -> ClassUnicode {
    match (dot_all, lines) {
        (true, _) => range(0, 0x10_ffff),
        (false, Lines::Unix) => constant(r"[^\n]"),
        (false, Lines::Any) => constant(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
    }
}

/// Returns the set of `\d`, `\s`, `\w`, `\h` or `\v`; a capital letter is the complement.
pub(crate) fn escape(letter: char, flags: CaseFlags) -> Option<ClassUnicode> {
    let set = match letter.to_ascii_lowercase() {
        'd' if flags.unicode_sets => constant(r"\p{Nd}"),
        'd' => constant("[0-9]"),
        's' if flags.unicode_sets => constant(r"\p{White_Space}"),
        's' => constant(r"[ \t\n\x0B\f\r]"),
        'w' if flags.unicode_sets => constant(r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}]"),
        'w' => constant("[a-zA-Z_0-9]"),
        'h' => constant(r"[ \x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]"),
        'v' => constant(r"[\n\x0B\f\r\x{85}\x{2028}\x{2029}]"),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() {
        negated(set)
    } else {
        set
    })
}

/// Returns the set of `\p{name}`.
///
/// # Errors
/// Java does not know the name, or this engine does not.
pub(crate) fn property(name: &str, flags: CaseFlags) -> Result<ClassUnicode, PatternError> {
    if let Some((key, value)) = name.split_once('=') {
        return match key.to_ascii_lowercase().as_str() {
            "sc" | "script" => script(value, name),
            "gc" | "general_category" => category(value, flags).ok_or_else(|| unknown(name)),
            "blk" | "block" => block(value, name),
            _ => Err(unknown(name)),
        };
    }
    if let Some(block_name) = name.strip_prefix("In") {
        return block(block_name, name);
    }
    if let Some(rest) = name.strip_prefix("Is") {
        return binary(rest, flags)
            .or_else(|| category(rest, flags))
            .map_or_else(|| script(rest, name), Ok);
    }
    if name.starts_with("java") {
        return java(name);
    }
    if flags.unicode_sets
        && let Some(set) = unicode_posix(name)
    {
        return Ok(set);
    }
    category(name, flags)
        .or_else(|| posix(name, flags))
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> PatternError {
    PatternError::Invalid(format!("Unknown character property name {{{name}}}"))
}

/// The names of POSIX: ASCII only.
fn posix(name: &str, flags: CaseFlags) -> Option<ClassUnicode> {
    Some(constant(match name {
        "ASCII" => r"[\x00-\x7F]",
        "Alnum" => "[0-9A-Za-z]",
        "Alpha" => "[A-Za-z]",
        "Lower" | "Upper" if flags.ignore_case => "[A-Za-z]",
        "Lower" => "[a-z]",
        "Upper" => "[A-Z]",
        "Blank" => r"[ \t]",
        "Cntrl" => r"[\x00-\x1F\x7F]",
        "Digit" => "[0-9]",
        "Graph" => "[!-~]",
        "Print" => "[ -~]",
        "Punct" => r"[!-/:-@\[-`{-~]",
        "Space" => r"[ \t\n\x0B\f\r]",
        "XDigit" => "[0-9A-Fa-f]",
        _ => return None,
    }))
}

/// The names of POSIX under the flag `U`.
fn unicode_posix(name: &str) -> Option<ClassUnicode> {
    Some(constant(match name {
        "Alnum" => r"[\p{Alphabetic}\p{Nd}]",
        "Alpha" => r"\p{Alphabetic}",
        "Lower" => r"\p{Lowercase}",
        "Upper" => r"\p{Uppercase}",
        "Blank" => r"[\t\p{Zs}]",
        "Cntrl" => r"\p{Cc}",
        "Digit" => r"\p{Nd}",
        "Graph" => r"[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]",
        "Print" => r"[\p{Zs}[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]]",
        "Punct" => r"\p{P}",
        "Space" => r"\p{White_Space}",
        "XDigit" => r"[\p{Nd}\p{Hex_Digit}]",
        _ => return None,
    }))
}

/// The binary properties Java knows behind `Is`.
fn binary(name: &str, flags: CaseFlags) -> Option<ClassUnicode> {
    let upper = name.to_ascii_uppercase();
    Some(constant(match upper.as_str() {
        "ALPHABETIC" => r"\p{Alphabetic}",
        "IDEOGRAPHIC" => r"\p{Ideographic}",
        "LETTER" => r"\p{L}",
        "LOWERCASE" | "UPPERCASE" | "TITLECASE" if flags.ignore_case => {
            r"[\p{Lowercase}\p{Uppercase}\p{Lt}]"
        }
        "LOWERCASE" => r"\p{Lowercase}",
        "UPPERCASE" => r"\p{Uppercase}",
        "TITLECASE" => r"\p{Lt}",
        "WHITE_SPACE" | "WHITESPACE" => r"\p{White_Space}",
        "CONTROL" => r"\p{Cc}",
        "PUNCTUATION" => r"\p{P}",
        "HEX_DIGIT" | "HEXDIGIT" => r"[\p{Nd}\p{Hex_Digit}]",
        "ASSIGNED" => r"\P{Cn}",
        "NONCHARACTER_CODE_POINT" | "NONCHARACTERCODEPOINT" => r"\p{Noncharacter_Code_Point}",
        "DIGIT" => r"\p{Nd}",
        "ALNUM" => r"[\p{Alphabetic}\p{Nd}]",
        "BLANK" => r"[\t\p{Zs}]",
        "GRAPH" => r"[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]",
        "PRINT" => r"[\p{Zs}[^\p{White_Space}\p{Cc}\p{Cs}\p{Cn}]]",
        "WORD" => r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}]",
        "JOIN_CONTROL" | "JOINCONTROL" => r"[\x{200C}\x{200D}]",
        _ => return None,
    }))
}

/// The general categories and Java's own short names.
fn category(name: &str, flags: CaseFlags) -> Option<ClassUnicode> {
    const NAMES: &[&str] = &[
        "Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Me", "Mc", "Nd", "Nl", "No", "Zs", "Zl", "Zp",
        "Cc", "Cf", "Co", "Pd", "Ps", "Pe", "Pc", "Po", "Sm", "Sc", "Sk", "So", "Pi", "Pf", "L",
        "M", "N", "Z", "C", "P", "S",
    ];
    Some(match name {
        "Lu" | "Ll" | "Lt" if flags.ignore_case => constant(r"[\p{Lu}\p{Ll}\p{Lt}]"),
        "LC" => constant(r"[\p{Lu}\p{Ll}\p{Lt}]"),
        "LD" => constant(r"[\p{L}\p{Nd}]"),
        "L1" => range(0, 0xff),
        "all" => range(0, 0x10_ffff),
        "Cs" => ClassUnicode::empty(),
        _ if NAMES.contains(&name) => parsed(&format!(r"\p{{{name}}}"))?,
        _ => return None,
    })
}

fn script(value: &str, name: &str) -> Result<ClassUnicode, PatternError> {
    let plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    if !plain {
        return Err(unknown(name));
    }
    parsed(&format!(r"\p{{Script={value}}}")).ok_or_else(|| unknown(name))
}

/// The blocks that patterns in practice name.
fn block(value: &str, name: &str) -> Result<ClassUnicode, PatternError> {
    let key: String = value
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Ok(match key.as_str() {
        "basiclatin" => range(0, 0x7f),
        "latin1supplement" => range(0x80, 0xff),
        "latinextendeda" => range(0x100, 0x17f),
        "latinextendedb" => range(0x180, 0x24f),
        "greek" | "greekandcoptic" => range(0x370, 0x3ff),
        "cyrillic" => range(0x400, 0x4ff),
        "hebrew" => range(0x590, 0x5ff),
        "arabic" => range(0x600, 0x6ff),
        "thai" => range(0xe00, 0xe7f),
        "hanguljamo" => range(0x1100, 0x11ff),
        "generalpunctuation" => range(0x2000, 0x206f),
        "cjksymbolsandpunctuation" => range(0x3000, 0x303f),
        "hiragana" => range(0x3040, 0x309f),
        "katakana" => range(0x30a0, 0x30ff),
        "cjkunifiedideographsextensiona" => range(0x3400, 0x4dbf),
        "cjkunifiedideographs" => range(0x4e00, 0x9fff),
        "hangulsyllables" => range(0xac00, 0xd7af),
        "cjkcompatibilityideographs" => range(0xf900, 0xfaff),
        "halfwidthandfullwidthforms" => range(0xff00, 0xffef),
        _ => {
            return Err(PatternError::Unsupported(format!(
                "the block \\p{{{name}}}"
            )));
        }
    })
}

fn java(name: &str) -> Result<ClassUnicode, PatternError> {
    Ok(constant(match name {
        "javaLowerCase" => r"\p{Lowercase}",
        "javaUpperCase" => r"\p{Uppercase}",
        "javaAlphabetic" => r"\p{Alphabetic}",
        "javaIdeographic" => r"\p{Ideographic}",
        "javaTitleCase" => r"\p{Lt}",
        "javaDigit" => r"\p{Nd}",
        "javaDefined" => r"\P{Cn}",
        "javaLetter" => r"\p{L}",
        "javaLetterOrDigit" => r"[\p{L}\p{Nd}]",
        "javaSpaceChar" => r"\p{Z}",
        "javaWhitespace" => {
            r"[\t-\r\x1C-\x1F\x{20}\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{2028}\x{2029}\x{205F}\x{3000}]"
        }
        "javaISOControl" => r"[\x00-\x1F\x7F-\x{9F}]",
        _ => return Err(PatternError::Unsupported(format!("\\p{{{name}}}"))),
    }))
}
