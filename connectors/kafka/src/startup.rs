//! Where reading begins and ends.

use std::collections::BTreeMap;
use std::fmt;

use millrace_connector::{Diagnostic, Options, Span};

/// Where the first start begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Startup {
    Earliest,
    Latest,
    Group { reset: Reset },
    Timestamp(i64),
    Specific(BTreeMap<i32, i64>),
}

/// What a group without a committed offset does: `properties.auto.offset.reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    Earliest,
    Latest,
    Fail,
}

/// Where reading ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Unbounded,
    Latest,
    Group,
    Timestamp(i64),
    Specific(BTreeMap<i32, i64>),
}

/// In the words of the options.
impl fmt::Display for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest offset"),
            Self::Latest => f.write_str("latest offset"),
            Self::Group { reset } => {
                let otherwise = match reset {
                    Reset::Earliest => "the earliest offset",
                    Reset::Latest => "the latest offset",
                    Reset::Fail => "a failure",
                };
                write!(f, "the group's offsets; without one, {otherwise}")
            }
            Self::Timestamp(ms) => write!(f, "timestamp {ms} ms"),
            Self::Specific(offsets) => write_offsets(f, offsets),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbounded => f.write_str("never"),
            Self::Latest => f.write_str("latest offset at the start"),
            Self::Group => f.write_str("the group's offsets"),
            Self::Timestamp(ms) => write!(f, "timestamp {ms} ms"),
            Self::Specific(offsets) => write_offsets(f, offsets),
        }
    }
}

fn write_offsets(f: &mut fmt::Formatter<'_>, offsets: &BTreeMap<i32, i64>) -> fmt::Result {
    let offsets = offsets.iter();
    let offsets = offsets.map(|(partition, offset)| format!("partition {partition} at {offset}"));
    f.write_str(&offsets.collect::<Vec<_>>().join(", "))
}

/// Returns where reading begins. `MR0111` is a mode that lacks its companion option.
pub(crate) fn startup(
    options: &Options,
    topics: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Startup {
    let mode = options
        .text("scan.startup.mode")
        .unwrap_or("group-offsets")
        .to_ascii_lowercase();
    match mode.as_str() {
        "earliest-offset" => Startup::Earliest,
        "latest-offset" => Startup::Latest,
        "timestamp" => Startup::Timestamp(timestamp(options, "startup", diagnostics)),
        "specific-offsets" => Startup::Specific(specific(options, "startup", topics, diagnostics)),
        _ => Startup::Group {
            reset: group(options, "scan.startup.mode", diagnostics),
        },
    }
}

/// Returns where reading ends.
pub(crate) fn bound(options: &Options, topics: usize, diagnostics: &mut Vec<Diagnostic>) -> Bound {
    let mode = options
        .text("scan.bounded.mode")
        .unwrap_or("unbounded")
        .to_ascii_lowercase();
    match mode.as_str() {
        "latest-offset" => Bound::Latest,
        "group-offsets" => {
            group(options, "scan.bounded.mode", diagnostics);
            Bound::Group
        }
        "timestamp" => Bound::Timestamp(timestamp(options, "bounded", diagnostics)),
        "specific-offsets" => Bound::Specific(specific(options, "bounded", topics, diagnostics)),
        _ => Bound::Unbounded,
    }
}

fn group(options: &Options, key: &str, diagnostics: &mut Vec<Diagnostic>) -> Reset {
    if options.text("properties.group.id").is_none() {
        diagnostics.push(
            Diagnostic::error("MR0111", format!("'{key}' = 'group-offsets' needs 'properties.group.id'"), span(options, key))
                .help("write 'properties.group.id' = '…', or begin elsewhere: 'scan.startup.mode' = 'earliest-offset'"),
        );
    }
    let key = "properties.auto.offset.reset";
    match options.text(key).map(str::to_ascii_lowercase).as_deref() {
        None | Some("none") => Reset::Fail,
        Some("earliest") => Reset::Earliest,
        Some("latest") => Reset::Latest,
        Some(other) => {
            diagnostics.push(
                Diagnostic::error(
                    "MR0102",
                    format!("bad value for option '{key}'"),
                    span(options, key),
                )
                .label(format!("'{other}' is none of earliest, latest, none")),
            );
            Reset::Fail
        }
    }
}

fn span(options: &Options, key: &str) -> Span {
    options.span(key).unwrap_or_default()
}

fn timestamp(options: &Options, which: &str, diagnostics: &mut Vec<Diagnostic>) -> i64 {
    options
        .integer(&format!("scan.{which}.timestamp-millis"))
        .unwrap_or_else(|| {
            diagnostics.push(companion(options, which, "timestamp", "timestamp-millis"));
            0
        })
}

fn companion(options: &Options, which: &str, mode: &str, missing: &str) -> Diagnostic {
    let key = format!("scan.{which}.mode");
    Diagnostic::error(
        "MR0111",
        format!("'{key}' = '{mode}' needs 'scan.{which}.{missing}'"),
        span(options, &key),
    )
}

fn specific(
    options: &Options,
    which: &str,
    topics: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<i32, i64> {
    let key = format!("scan.{which}.specific-offsets");
    let Some(text) = options.text(&key) else {
        diagnostics.push(companion(
            options,
            which,
            "specific-offsets",
            "specific-offsets",
        ));
        return BTreeMap::new();
    };
    if topics != 1 {
        diagnostics.push(Diagnostic::error(
            "MR0111",
            format!("'{key}' works with one topic only"),
            span(options, &key),
        ));
    }
    parse_offsets(text).unwrap_or_else(|| {
        diagnostics.push(
            Diagnostic::error(
                "MR0102",
                format!("bad value for option '{key}'"),
                span(options, &key),
            )
            .label("expected 'partition:0,offset:42;partition:1,offset:300'"),
        );
        BTreeMap::new()
    })
}

fn parse_offsets(text: &str) -> Option<BTreeMap<i32, i64>> {
    let entry = |part: &str| {
        let (partition, offset) = part.split_once(',')?;
        let partition = partition
            .trim()
            .strip_prefix("partition:")?
            .trim()
            .parse()
            .ok()?;
        Some((
            partition,
            offset.trim().strip_prefix("offset:")?.trim().parse().ok()?,
        ))
    };
    text.split(';')
        .filter(|part| !part.trim().is_empty())
        .map(entry)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_specific_offsets() {
        let offsets = parse_offsets("partition:0,offset:42;partition:1,offset:300;").unwrap();
        assert_eq!(offsets, BTreeMap::from([(0, 42), (1, 300)]));
        assert_eq!(parse_offsets("0:42"), None);
    }
}
