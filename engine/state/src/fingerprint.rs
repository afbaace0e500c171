//! Whose state it is, by structure.

use serde::{Deserialize, Serialize};

/// The structure of an operator as far as its state depends on it. Two operators with the same one can use each other's
/// state; with another one they cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The kind of operator, such as `group-aggregate`.
    pub kind: String,
    /// The version of the operator's own encoding of its entries.
    pub version: u16,
    /// What its keys are.
    pub keys: Vec<String>,
    /// What its inputs give.
    pub inputs: Vec<String>,
    /// What it computes.
    pub aggregates: Vec<String>,
    /// The types of what it keeps, in Flink's spelling.
    pub types: Vec<String>,
}

impl Fingerprint {
    /// Returns the first difference to `other`, for people.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let of_list = |what: &str, own: &[String], other: &[String]| {
            (own != other).then(|| {
                let (own, other) = (own.join(", "), other.join(", "));
                format!("its {what} were ({own}) and are ({other})")
            })
        };
        let of_word = |what: &str, own: String, other: String| {
            (own != other).then(|| format!("its {what} was {own} and is {other}"))
        };
        of_word("kind", self.kind.clone(), other.kind.clone())
            .or_else(|| of_list("keys", &self.keys, &other.keys))
            .or_else(|| of_list("inputs", &self.inputs, &other.inputs))
            .or_else(|| of_list("aggregates", &self.aggregates, &other.aggregates))
            .or_else(|| of_list("types", &self.types, &other.types))
            .or_else(|| {
                let (own, other) = (self.version.to_string(), other.version.to_string());
                of_word("encoding", own, other)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_makes_a_difference_that_is_told() {
        let one = Fingerprint {
            kind: "group-aggregate".into(),
            version: 1,
            keys: vec!["k".into()],
            inputs: vec!["i".into()],
            aggregates: vec!["COUNT(*)".into()],
            types: vec!["BIGINT".into()],
        };
        assert_eq!(one.difference(&one.clone()), None);
        let changes: [fn(&mut Fingerprint); 6] = [
            |it| it.kind = "join".into(),
            |it| it.version = 2,
            |it| it.keys.push("l".into()),
            |it| it.inputs.clear(),
            |it| it.aggregates[0] = "SUM(v)".into(),
            |it| it.types[0] = "INT".into(),
        ];
        for change in changes {
            let mut other = one.clone();
            change(&mut other);
            assert!(one.difference(&other).is_some(), "{other:?}");
        }
        let mut other = one.clone();
        other.aggregates[0] = "SUM(v)".into();
        assert_eq!(
            one.difference(&other).as_deref(),
            Some("its aggregates were (COUNT(*)) and are (SUM(v))")
        );
    }
}
