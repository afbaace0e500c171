//! Every function, called wrongly: the fault has a place and tells the signatures, and nothing panics.

use millrace_connector::Diagnostic;
use millrace_functions::{FunctionDef, registry};
use millrace_plan::{Settings, plan_query};

/// Arguments of many types, each as it is written.
const VALUES: &[&str] = &[
    "1",
    "'x'",
    "TRUE",
    "1.5",
    "1e0",
    "X'01'",
    "DATE '2020-01-01'",
    "TIME '01:02:03'",
    "TIMESTAMP '2020-01-01 00:00:00'",
    "INTERVAL '1' DAY",
    "INTERVAL '1' MONTH",
    "ARRAY[1]",
    "MAP['a', 1]",
    "ROW(1, 'a')",
    "MULTISET['a']",
    "NULL",
    "CAST(NULL AS STRING)",
];

/// Functions with a syntax of their own, which a plain call does not reach or the parser refuses.
const SYNTAX: &[&str] = &[
    "ARRAY",
    "CAST",
    "CEIL",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "EXTRACT",
    "FLOOR",
    "IN",
    "JSON_ARRAY",
    "JSON_EXISTS",
    "JSON_OBJECT",
    "JSON_QUERY",
    "JSON_VALUE",
    "LIKE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MAP",
    "MINUS_DATE",
    "MULTISET",
    "NOT",
    "AND",
    "CEIL_TO",
    "FLOOR_TO",
    "GET_FIELD",
    "ITEM",
    "NEGATE",
    "PLUS_SIGN",
    "OR",
    "OVERLAY",
    "POSITION",
    "ROW",
    "SUBSTRING",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "TRIM",
];

fn functions() -> impl Iterator<Item = &'static FunctionDef> {
    let is_word = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    registry::all()
        .chain(registry::later())
        .filter(move |def| is_word(def.name) && !SYNTAX.contains(&def.name))
}

fn faults(text: &str) -> Vec<Diagnostic> {
    let parsed = millrace_sql::parse(text);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return parsed.diagnostics;
    }
    plan_query(&parsed.statements, &Settings::default())
        .err()
        .unwrap_or_default()
}

/// Tells what is wrong with the faults of a call of `def`, if anything is.
fn complaint(def: &FunctionDef, text: &str) -> Option<String> {
    for fault in faults(text) {
        let is_call = matches!(fault.code, "MR0401" | "MR0402" | "MR0403");
        let place = fault.primary.as_ref().map(|label| label.span);
        let Some(place) = place else {
            return Some(format!("{text}: no place: {fault:?}"));
        };
        if place.end as usize > text.len() {
            return Some(format!("{text}: the place lies outside"));
        }
        let tells = fault.help.iter().any(|help| help.contains("there is: "));
        if is_call && !tells {
            return Some(format!(
                "{text}: {} tells no signature of {}: {fault:?}",
                fault.code, def.name
            ));
        }
    }
    None
}

#[test]
fn calls_without_arguments_tell_the_signatures() {
    let mut refused = 0;
    let mut wrong = Vec::new();
    for def in functions() {
        let text = format!("SELECT {}()", def.name);
        refused += usize::from(!faults(&text).is_empty());
        wrong.extend(complaint(def, &text));
    }
    assert!(refused > 100, "only {refused} functions need arguments");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn calls_with_too_many_arguments_tell_the_signatures() {
    let mut wrong = Vec::new();
    for def in functions() {
        for value in ["1", "'x'", "ARRAY[1]"] {
            let text = format!("SELECT {}({})", def.name, [value; 9].join(", "));
            wrong.extend(complaint(def, &text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn calls_with_absurd_types_tell_the_signatures() {
    let mut wrong = Vec::new();
    for def in functions() {
        for first in VALUES {
            wrong.extend(complaint(def, &format!("SELECT {}({first})", def.name)));
            for second in VALUES {
                let text = format!("SELECT {}({first}, {second})", def.name);
                wrong.extend(complaint(def, &text));
            }
            let text = format!("SELECT {}({first}, {first}, {first})", def.name);
            wrong.extend(complaint(def, &text));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of them:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

#[test]
fn names_that_are_nearly_right_are_told() {
    for def in functions().filter(|def| def.name.len() > 4) {
        let misspelt = format!("{}X", def.name);
        if registry::lookup(&misspelt).is_some() || registry::lookup_later(&misspelt).is_some() {
            continue;
        }
        let found = faults(&format!("SELECT {misspelt}(1)"));
        let unknown = found.iter().find(|fault| fault.code == "MR0305");
        let unknown = unknown.unwrap_or_else(|| panic!("{misspelt}: {found:?}"));
        assert!(
            unknown
                .help
                .iter()
                .any(|help| help.contains("did you mean")),
            "{misspelt}: {unknown:?}"
        );
    }
}
