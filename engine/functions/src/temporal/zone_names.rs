//! Names of time zones as Java 17 has them in English.
//!
//! # Flink
//! `DateFormatSymbols.getZoneStrings()`: the letters `z` of SimpleDateFormat and DateTimeFormatter print and read them.

use std::collections::HashMap;
use std::sync::OnceLock;

/// A line for each set of names, in Java's order of zones: six names between bars, a tabulator, ids between blanks.
static TABLE: &str = include_str!("zone_names.txt");

/// The names that some zones have in common.
#[derive(Debug)]
pub(crate) struct ZoneNames {
    /// The id of the first of these zones.
    pub(crate) first_id: &'static str,
    /// Long and short standard, long and short daylight, long and short generic.
    pub(crate) names: [&'static str; 6],
}

struct Names {
    rows: Vec<ZoneNames>,
    of_id: HashMap<&'static str, usize>,
}

fn all() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut all = Names {
            rows: Vec::new(),
            of_id: HashMap::new(),
        };
        for line in TABLE.lines() {
            let (names, ids) = line.split_once('\t').expect("names, then ids");
            let mut parts = names.split('|');
            let names = std::array::from_fn(|_| parts.next().expect("six names"));
            let ids = ids.split(' ');
            for id in ids.clone() {
                all.of_id.insert(id, all.rows.len());
            }
            let first_id = ids.into_iter().next().expect("at least one id");
            all.rows.push(ZoneNames { first_id, names });
        }
        all
    })
}

impl ZoneNames {
    /// Returns the names of a zone.
    pub(crate) fn of_id(id: &str) -> Option<&'static Self> {
        let all = all();
        Some(&all.rows[*all.of_id.get(id)?])
    }

    /// Returns all sets of names, in Java's order.
    pub(crate) fn all() -> &'static [Self] {
        &all().rows
    }

    /// Returns the name of standard or daylight saving time.
    pub(crate) fn name(&self, is_daylight: bool, is_long: bool) -> &'static str {
        self.names[usize::from(is_daylight) * 2 + usize::from(!is_long)]
    }

    /// Returns which of the first four names `text` begins with, in any case.
    pub(crate) fn match_start(&self, text: &[u8]) -> Option<usize> {
        self.names[..4].iter().position(|name| {
            let start = text.get(..name.len());
            !name.is_empty() && start.is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()))
        })
    }
}

/// Tells whether a zone has that id.
pub(crate) fn is_id(id: &str) -> bool {
    all().of_id.contains_key(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_has_six_names() {
        assert!(ZoneNames::all().len() > 150);
        let shanghai = ZoneNames::of_id("Asia/Shanghai").unwrap();
        assert_eq!(shanghai.name(false, true), "China Standard Time");
        assert_eq!(shanghai.name(true, false), "CDT");
        assert_eq!(ZoneNames::of_id("GMT+8").map(|names| names.first_id), None);
        assert_eq!(shanghai.match_start(b"cst, then"), Some(1));
        assert_eq!(shanghai.match_start(b"CS"), None);
    }
}
