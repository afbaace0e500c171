//! Which source of today's file goes on from which positions: pure, so that every case can be enumerated.
//!
//! One-to-one: by place first, then by the sinks that a source feeds, then by the name in the file. It never takes the
//! order. Where several remain, nobody guesses.

use std::collections::BTreeSet;

use millrace_connector::Place;
use serde::Serialize;

use crate::record::{PipelineRecord, TableRecord};

/// A table of today's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name in the file.
    pub name: String,
    /// Where it is.
    pub place: Option<Place>,
    /// For a source, the sinks of its flow that it feeds.
    pub feeds: BTreeSet<usize>,
}

/// A dataflow of today's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// Its sources.
    pub sources: Vec<Table>,
    /// Its sinks.
    pub sinks: Vec<Table>,
}

/// What the user says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// `--match old=new`.
    pub matches: Vec<(String, String)>,
    /// `--forget name`.
    pub forgets: BTreeSet<String>,
}

/// A table of the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The dataflow's id.
    pub dataflow: String,
    /// The table's key in it.
    pub key: String,
}

/// A table of the record whose partner in the file is not clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// The table.
    pub known: Known,
    /// Its name when it was recorded.
    pub name: String,
    /// A name that no other table of the record has.
    pub spoken: String,
    /// Which tables of the file it may be.
    pub candidates: Vec<String>,
}

/// A table of the record that nothing in the file goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The table.
    pub known: Known,
    /// Its name when it was recorded.
    pub name: String,
    /// A name that no other table of the record has.
    pub spoken: String,
    /// Where it was.
    pub place: Option<Place>,
    /// Whether it is a source.
    pub is_source: bool,
}

/// Why a source goes on from its positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user said so.
    Told,
    /// It is at the same place.
    Place,
    /// It feeds the same sinks.
    Feeds,
    /// It has the same name.
    Name,
}

/// What belongs to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// For each flow of the file, its sources' partners.
    pub sources: Vec<Vec<Option<(Known, Reason)>>>,
    /// For each flow of the file, its sinks' partners.
    pub sinks: Vec<Vec<Option<(Known, Reason)>>>,
    /// What of the record has no partner.
    pub orphans: Vec<Orphan>,
    /// What may have several.
    pub ambiguous: Vec<Ambiguous>,
    /// What of the user's word means nothing.
    pub unknown: Vec<String>,
    /// What the user lets go.
    pub forgotten: BTreeSet<Known>,
    /// Sources of the file that have no partner, by name.
    pub new_sources: Vec<String>,
    /// Sinks of the file that have no partner, by name.
    pub new_sinks: Vec<String>,
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.dataflow, self.key)
    }
}

struct Old<'a> {
    known: Known,
    table: &'a TableRecord,
    is_forgotten: bool,
    partner: Option<(usize, Reason)>,
}

struct New<'a> {
    at: (usize, usize),
    table: &'a Table,
    partner: Option<usize>,
}

/// Tables of one kind, sources or sinks, of both sides.
struct Sides<'a> {
    is_source: bool,
    old: Vec<Old<'a>>,
    new: Vec<New<'a>>,
}

/// Returns a digest of a file's tables and ways.
#[must_use]
pub fn digest_of(flows: &[Flow]) -> String {
    let text = serde_json::to_string(flows).expect("flows have only texts as keys");
    crate::manifest::digest(&text)
}

/// Matches today's flows to a record.
#[must_use]
pub fn match_up(record: &PipelineRecord, flows: &[Flow], word: &Word) -> Matching {
    let mut used = BTreeSet::new();
    let mut sinks = Sides::of(record, flows, word, false, &mut used);
    sinks.told(word, &mut used);
    sinks.by_place(|_, _, _| false);
    sinks.settle(Reason::Name, |sides, old, new| {
        sides.are_one(old, new) && sides.named(old, new)
    });
    sinks.settle(Reason::Name, |sides, old, new| {
        sides.has_no_place(old, new) && sides.named(old, new)
    });
    let mut sources = Sides::of(record, flows, word, true, &mut used);
    sources.told(word, &mut used);
    let feeds_same = |sides: &Sides<'_>, old: usize, new: usize| {
        let feeds = |key: &String| {
            let sink = sinks.old.iter().position(|sink| {
                sink.known.key == *key && sink.known.dataflow == sides.old[old].known.dataflow
            })?;
            sinks.old[sink]
                .partner
                .map(|(partner, _)| sinks.new[partner].at)
        };
        let was: BTreeSet<_> = sides.old[old]
            .table
            .feeds
            .iter()
            .filter_map(feeds)
            .collect();
        let flow = sides.new[new].at.0;
        let is: BTreeSet<_> = sides.new[new]
            .table
            .feeds
            .iter()
            .map(|sink| (flow, *sink))
            .collect();
        !was.is_empty() && !was.is_disjoint(&is)
    };
    sources.by_place(feeds_same);
    sources.settle(Reason::Name, |sides, old, new| {
        sides.has_no_place(old, new) && feeds_same(sides, old, new) && sides.named(old, new)
    });
    sources.settle(Reason::Feeds, |sides, old, new| {
        sides.has_no_place(old, new) && feeds_same(sides, old, new)
    });
    sources.settle(Reason::Name, |sides, old, new| {
        sides.has_no_place(old, new) && sides.named(old, new)
    });
    // A pattern, or a list that became another, is the same table where its name says so.
    sources.settle(Reason::Name, |sides, old, new| sides.is_pattern(old, new));
    let mut matching = Matching {
        unknown: word_left(word, &used),
        ..Matching::default()
    };
    sinks.report(&mut matching);
    sources.report(&mut matching);
    matching.sinks = sinks.partners(flows, |flow| flow.sinks.len());
    matching.sources = sources.partners(flows, |flow| flow.sources.len());
    matching
}

fn word_left(word: &Word, used: &BTreeSet<String>) -> Vec<String> {
    let matches = word.matches.iter().map(|(old, new)| format!("{old}={new}"));
    let said = matches.chain(word.forgets.iter().cloned());
    said.filter(|said| !used.contains(said)).collect()
}

impl<'a> Sides<'a> {
    fn of(
        record: &'a PipelineRecord,
        flows: &'a [Flow],
        word: &Word,
        is_source: bool,
        used: &mut BTreeSet<String>,
    ) -> Self {
        let mut old = Vec::new();
        for (id, flow) in record.running() {
            let tables = if is_source {
                &flow.sources
            } else {
                &flow.sinks
            };
            for (key, table) in tables {
                let names = names_of(id, key, table);
                let said = names.iter().find(|name| word.forgets.contains(*name));
                used.extend(said.cloned());
                // A topic of a table is known to whoever reads it.
                let objects = table.place.iter().flat_map(|place| &place.objects);
                used.extend(
                    objects
                        .filter(|object| word.forgets.contains(*object))
                        .cloned(),
                );
                old.push(Old {
                    known: Known {
                        dataflow: id.clone(),
                        key: key.clone(),
                    },
                    table,
                    is_forgotten: said.is_some(),
                    partner: None,
                });
            }
        }
        let mut new = Vec::new();
        for (at, flow) in flows.iter().enumerate() {
            let tables = if is_source {
                &flow.sources
            } else {
                &flow.sinks
            };
            new.extend(tables.iter().enumerate().map(|(index, table)| New {
                at: (at, index),
                table,
                partner: None,
            }));
        }
        Self {
            is_source,
            old,
            new,
        }
    }

    fn told(&mut self, word: &Word, used: &mut BTreeSet<String>) {
        for (from, to) in &word.matches {
            let is_old = |old: &Old<'_>| {
                let Known { dataflow, key } = &old.known;
                names_of(dataflow, key, old.table).contains(from)
            };
            let olds: Vec<usize> = (0..self.old.len())
                .filter(|old| is_old(&self.old[*old]))
                .collect();
            let news: Vec<usize> = (0..self.new.len())
                .filter(|new| self.new[*new].table.name == *to)
                .collect();
            if let ([old], [new]) = (&olds[..], &news[..]) {
                self.join(*old, *new, Reason::Told);
                used.insert(format!("{from}={to}"));
            }
        }
    }

    fn join(&mut self, old: usize, new: usize, reason: Reason) {
        if self.is_free(old, new) {
            self.old[old].partner = Some((new, reason));
            self.new[new].partner = Some(old);
        }
    }

    fn is_free(&self, old: usize, new: usize) -> bool {
        let old = &self.old[old];
        old.partner.is_none() && !old.is_forgotten && self.new[new].partner.is_none()
    }

    /// By place: first those that are reached as before, then those that are reached otherwise. Of several the one that
    /// feeds the same sinks, and then the one of the same name.
    fn by_place(&mut self, feeds_same: impl Fn(&Self, usize, usize) -> bool) {
        let closeness: [fn(&Self, usize, usize) -> bool; 2] = [
            |sides, old, new| sides.are_at_one(old, new),
            |sides, old, new| sides.are_one(old, new),
        ];
        for is_close in closeness {
            loop {
                let before = self.matched();
                self.settle(Reason::Place, is_close);
                self.settle(Reason::Feeds, |sides, old, new| {
                    is_close(sides, old, new) && feeds_same(sides, old, new)
                });
                if before == self.matched() {
                    self.settle(Reason::Name, |sides, old, new| {
                        is_close(sides, old, new) && sides.named(old, new)
                    });
                }
                if before == self.matched() {
                    break;
                }
            }
        }
    }

    fn matched(&self) -> usize {
        self.old.iter().filter(|old| old.partner.is_some()).count()
    }

    /// Joins what is the only candidate of each other.
    fn settle(&mut self, reason: Reason, is_one: impl Fn(&Self, usize, usize) -> bool) {
        let fits = |sides: &Self, old: usize, new: usize| {
            sides.is_free(old, new) && is_one(sides, old, new)
        };
        let mut pairs = Vec::new();
        for old in 0..self.old.len() {
            let mut news = (0..self.new.len()).filter(|new| fits(self, old, *new));
            let (Some(new), None) = (news.next(), news.next()) else {
                continue;
            };
            let olds = (0..self.old.len()).filter(|old| fits(self, *old, new));
            if olds.count() == 1 {
                pairs.push((old, new));
            }
        }
        for (old, new) in pairs {
            self.join(old, new, reason);
        }
    }

    fn places(&self, old: usize, new: usize) -> Option<(&Place, &Place)> {
        let was = self.old[old].table.place.as_ref();
        was.zip(self.new[new].table.place.as_ref())
    }

    fn are_one(&self, old: usize, new: usize) -> bool {
        self.places(old, new).is_some_and(|(was, is)| was.meets(is))
    }

    fn are_at_one(&self, old: usize, new: usize) -> bool {
        self.places(old, new).is_some_and(|(was, is)| was.is_at(is))
    }

    fn is_pattern(&self, old: usize, new: usize) -> bool {
        let changed = self
            .places(old, new)
            .is_some_and(|(was, is)| was.system == is.system && (was.is_pattern || is.is_pattern));
        changed && self.named(old, new)
    }

    /// Tells whether no place says anything: nothing is known of it, or a record made of an earlier build's checkpoints
    /// does not tell.
    fn has_no_place(&self, old: usize, new: usize) -> bool {
        match (&self.old[old].table.place, &self.new[new].table.place) {
            (None, None) => true,
            (None, Some(_)) => !self.is_source,
            (Some(was), None) => was.system.is_empty(),
            (Some(was), Some(is)) => {
                was.system.is_empty() && (is.is_pattern || was.objects.is_empty())
            }
        }
    }

    fn named(&self, old: usize, new: usize) -> bool {
        let (old, new) = (&self.old[old], &self.new[new].table.name);
        old.table.name == *new
    }

    fn report(&self, matching: &mut Matching) {
        let new = self.new.iter().filter(|new| new.partner.is_none());
        let new = new.map(|new| new.table.name.clone()).collect();
        if self.is_source {
            matching.new_sources = new;
        } else {
            matching.new_sinks = new;
        }
        for (index, old) in self.old.iter().enumerate() {
            if old.partner.is_some() {
                continue;
            }
            if old.is_forgotten {
                matching.forgotten.insert(old.known.clone());
            }
            let name = &old.table.name;
            let namesakes = self.old.iter().filter(|other| other.table.name == *name);
            let spoken = if namesakes.count() == 1 {
                name.clone()
            } else {
                old.known.to_string()
            };
            let fits = |new: &usize| self.is_free(index, *new) && self.are_one(index, *new);
            let candidates: Vec<String> = (0..self.new.len())
                .filter(fits)
                .map(|new| self.new[new].table.name.clone())
                .collect();
            if candidates.is_empty() {
                matching.orphans.push(Orphan {
                    known: old.known.clone(),
                    name: name.clone(),
                    spoken,
                    place: old.table.place.clone(),
                    is_source: self.is_source,
                });
            } else {
                matching.ambiguous.push(Ambiguous {
                    known: old.known.clone(),
                    name: name.clone(),
                    spoken,
                    candidates,
                });
            }
        }
    }

    fn partners(
        &self,
        flows: &[Flow],
        count: impl Fn(&Flow) -> usize,
    ) -> Vec<Vec<Option<(Known, Reason)>>> {
        let mut partners: Vec<Vec<_>> = flows.iter().map(|flow| vec![None; count(flow)]).collect();
        for new in &self.new {
            let old = new.partner.map(|old| &self.old[old]);
            let reason = old.and_then(|old| old.partner).map(|(_, reason)| reason);
            partners[new.at.0][new.at.1] = old.map(|old| old.known.clone()).zip(reason);
        }
        partners
    }
}

/// Returns what a user may call a table of the record.
fn names_of(dataflow: &str, key: &str, table: &TableRecord) -> [String; 3] {
    [
        table.name.clone(),
        key.to_owned(),
        format!("{dataflow}.{key}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::DataflowRecord;

    fn place(text: &str) -> Option<Place> {
        let (address, object) = text.split_once('/').unwrap_or(("k", text));
        (!object.is_empty()).then(|| Place {
            system: "kafka".into(),
            address: address.into(),
            objects: vec![object.into()],
            is_pattern: object.contains('*'),
        })
    }

    /// A flow as `source:place>sink,sink …; sink:place …`.
    fn flow(sources: &[(&str, &str, &[usize])], sinks: &[(&str, &str)]) -> Flow {
        Flow {
            name: sinks[0].0.into(),
            sources: sources
                .iter()
                .map(|(name, at, feeds)| Table {
                    name: (*name).into(),
                    place: place(at),
                    feeds: feeds.iter().copied().collect(),
                })
                .collect(),
            sinks: sinks
                .iter()
                .map(|(name, at)| Table {
                    name: (*name).into(),
                    place: place(at),
                    feeds: BTreeSet::new(),
                })
                .collect(),
        }
    }

    /// What a first run of these flows records.
    fn record(flows: &[Flow]) -> PipelineRecord {
        let mut record = PipelineRecord::default();
        for flow in flows {
            let mut known = DataflowRecord::default();
            let table = |table: &Table| TableRecord {
                name: table.name.clone(),
                place: table.place.clone(),
                feeds: table
                    .feeds
                    .iter()
                    .map(|sink| flow.sinks[*sink].name.clone())
                    .collect(),
            };
            for sink in &flow.sinks {
                known.sinks.insert(sink.name.clone(), table(sink));
            }
            for source in &flow.sources {
                known.sources.insert(source.name.clone(), table(source));
            }
            record.dataflows.insert(flow.name.clone(), known);
        }
        record
    }

    fn partners(before: &[Flow], after: &[Flow]) -> Vec<Vec<String>> {
        let matching = match_up(&record(before), after, &Word::default());
        assert!(matching.ambiguous.is_empty(), "{matching:?}");
        let key = |found: &Option<(Known, Reason)>| {
            found.as_ref().map_or_else(
                || "new".to_owned(),
                |(known, _)| format!("{}.{}", known.dataflow, known.key),
            )
        };
        matching
            .sources
            .iter()
            .map(|flow| flow.iter().map(key).collect())
            .collect()
    }

    #[test]
    fn names_and_order_mean_nothing_where_the_place_is_clear() {
        let a = flow(&[("src", "in", &[0])], &[("snk", "out")]);
        let renamed = flow(&[("quelle", "in", &[0])], &[("ziel", "out")]);
        assert_eq!(partners(&[a.clone()], &[renamed.clone()]), [["snk.src"]]);
        let b = flow(&[("src2", "in2", &[0])], &[("snk2", "out2")]);
        assert_eq!(
            partners(&[a.clone(), b.clone()], &[b.clone(), renamed]),
            [["snk2.src2"], ["snk.src"]]
        );
        // Names that change places.
        let crossed = [
            flow(&[("src2", "in", &[0])], &[("snk2", "out")]),
            flow(&[("src", "in2", &[0])], &[("snk", "out2")]),
        ];
        assert_eq!(
            partners(&[a.clone(), b], &crossed),
            [["snk.src"], ["snk2.src2"]]
        );
        // A changed sink moves no positions.
        let elsewhere = flow(&[("src", "in", &[0])], &[("snk", "neu")]);
        assert_eq!(partners(&[a], &[elsewhere]), [["snk.src"]]);
    }

    #[test]
    fn one_topic_read_twice_is_told_apart_by_sinks_and_then_by_names() {
        let one = flow(&[("s1", "in", &[0])], &[("a", "out1")]);
        let two = flow(&[("s2", "in", &[0])], &[("b", "out2")]);
        let both = [one.clone(), two.clone()];
        let renamed = [
            flow(&[("x", "in", &[0])], &[("b", "out2")]),
            flow(&[("y", "in", &[0])], &[("a", "out1")]),
        ];
        assert_eq!(partners(&both, &renamed), [["b.s2"], ["a.s1"]]);
        // New sinks: the names tell.
        let moved = [
            flow(&[("s2", "in", &[0])], &[("c", "out3")]),
            flow(&[("s1", "in", &[0])], &[("d", "out4")]),
        ];
        assert_eq!(partners(&both, &moved), [["b.s2"], ["a.s1"]]);
        // Another reader of the same topic is new.
        assert_eq!(partners(&[one], &both), [["a.s1"], ["new"]]);
    }

    #[test]
    fn nobody_guesses_where_nothing_tells() {
        let before = [
            flow(&[("s1", "in", &[0])], &[("a", "out1")]),
            flow(&[("s2", "in", &[0])], &[("b", "out2")]),
        ];
        let after = [
            flow(&[("x", "in", &[0])], &[("c", "out3")]),
            flow(&[("y", "in", &[0])], &[("d", "out4")]),
        ];
        let matching = match_up(&record(&before), &after, &Word::default());
        assert_eq!(matching.ambiguous.len(), 2);
        assert_eq!(matching.ambiguous[0].candidates, ["x", "y"]);
        let word = Word {
            matches: vec![("s1".into(), "y".into()), ("s2".into(), "x".into())],
            forgets: ["a".to_owned(), "b".to_owned()].into(),
        };
        let matching = match_up(&record(&before), &after, &word);
        assert!(
            matching.ambiguous.is_empty() && matching.unknown.is_empty(),
            "{matching:?}"
        );
        let known = matching.sources[0][0]
            .as_ref()
            .map(|(known, _)| known.key.as_str());
        assert_eq!(known, Some("s2"));
    }

    #[test]
    fn one_topic_of_two_clusters_is_told_apart_by_the_addresses() {
        let before = [
            flow(&[("s1", "k1/in", &[0])], &[("a", "out1")]),
            flow(&[("s2", "k2/in", &[0])], &[("b", "out2")]),
        ];
        let after = [
            flow(&[("x", "k2/in", &[0])], &[("c", "out3")]),
            flow(&[("y", "k1/in", &[0])], &[("d", "out4")]),
        ];
        assert_eq!(partners(&before, &after), [["b.s2"], ["a.s1"]]);
        // Other addresses of the one cluster.
        let moved = flow(&[("s1", "k9/in", &[0])], &[("a", "out1")]);
        assert_eq!(partners(&before[..1], &[moved]), [["a.s1"]]);
    }

    #[test]
    fn what_has_no_partner_is_told() {
        let before = [flow(&[("src", "in", &[0])], &[("snk", "out")])];
        let after = [flow(&[("src", "other", &[0])], &[("snk", "out")])];
        let matching = match_up(&record(&before), &after, &Word::default());
        assert_eq!(matching.orphans.len(), 1);
        assert!(matching.orphans[0].is_source && matching.orphans[0].name == "src");
        let word = Word {
            forgets: ["nothing".to_owned()].into(),
            ..Word::default()
        };
        assert_eq!(
            match_up(&record(&before), &after, &word).unknown,
            ["nothing"]
        );
    }

    #[test]
    fn what_has_no_place_is_known_by_its_sinks_or_its_name() {
        let before = [flow(&[("values of snk", "", &[0])], &[("snk", "out")])];
        let after = [flow(&[("values of ziel", "", &[0])], &[("ziel", "out")])];
        assert_eq!(partners(&before, &after), [["snk.values of snk"]]);
        let before = [flow(&[("gen", "", &[0])], &[("p", "")])];
        let after = [flow(&[("gen", "", &[0])], &[("q", "")])];
        assert_eq!(partners(&before, &after), [["p.gen"]]);
    }

    #[test]
    fn a_changed_pattern_is_the_table_of_its_name() {
        let before = [flow(&[("src", "a.*", &[0])], &[("snk", "out")])];
        let after = [flow(&[("src", "a.*|b.*", &[0])], &[("snk", "out")])];
        assert_eq!(partners(&before, &after), [["snk.src"]]);
    }
}
