//! The pipelines that millrace was built for parse as they were published, and the broken one says where.

use millrace_sql::{Parsed, line_column, parse, render};

const MYSQL_TO_DORIS: &str = include_str!("../../../tests/seeds/mysql_to_doris.sql");
const FILEBEAT: &str = include_str!("../../../tests/seeds/filebeat.sql");
const MONEYFLOW: &str = include_str!("../../../tests/seeds/moneyflow.sql");
const ADS: &str = include_str!("../../../tests/seeds/ads.sql");

fn check(text: &str, statements: usize) -> Parsed {
    let parsed = parse(text);
    assert!(
        parsed.diagnostics.is_empty(),
        "{}",
        render(&parsed.diagnostics, "seed.sql", text, false)
    );
    assert_eq!(parsed.statements.len(), statements);
    for statement in &parsed.statements {
        let source = &text[statement.span.range()];
        let first = source
            .split_whitespace()
            .next()
            .expect("a statement has words");
        assert!(
            ["CREATE", "INSERT"].contains(&first.to_uppercase().as_str()),
            "{source}"
        );
        assert!(!source.ends_with(';'), "{source}");
    }
    parsed
}

#[test]
fn published_pipelines_parse_unchanged() {
    check(MYSQL_TO_DORIS, 8);
    check(FILEBEAT, 4);
    check(ADS, 4);
}

#[test]
fn third_pipeline_says_which_quotes_are_wrong() {
    let parsed = parse(MONEYFLOW);
    let found: Vec<_> = parsed
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let place = diagnostic.primary.as_ref().expect("a place is known").span;
            let place = line_column(MONEYFLOW, place.start as usize);
            (
                diagnostic.code,
                place.line,
                place.column,
                diagnostic.help[0].as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "MR0203",
                34,
                38,
                "write a quote inside a string twice: `User''s`"
            ),
            (
                "MR0203",
                39,
                43,
                "write a quote inside a string twice: `Character''s`"
            ),
            (
                "MR0202",
                41,
                34,
                "close it with `'` before the end of its line"
            ),
            (
                "MR0203",
                41,
                44,
                "write a quote inside a string twice: `Character''s`"
            ),
            (
                "MR0203",
                42,
                43,
                "write a quote inside a string twice: `Character''s`"
            ),
        ]
    );
    // The statements around the broken comments are understood all the same.
    assert_eq!(parsed.statements.len(), 4);
}

#[test]
fn third_pipeline_parses_once_its_quotes_are_doubled() {
    let text = MONEYFLOW
        .replace("'User's", "'User''s")
        .replace("'Character's", "'Character''s")
        .replace("(cumulative recharge),", "(cumulative recharge)',");
    check(&text, 4);
}

#[test]
fn first_bad_quote_is_shown() {
    let parsed = parse(MONEYFLOW);
    assert_eq!(
        render(&parsed.diagnostics[..1], "moneyflow.sql", MONEYFLOW, false),
        "error[MR0203]: this quote ends the string too early
  --> moneyflow.sql:34:38
   |
34 |   `vopenid` string NULL COMMENT 'User's OPENID number', 
   |                                 -    ^ the string ends here, and `s` follows
   |                                 |
   |                                 the string begins here
   |
   = help: write a quote inside a string twice: `User''s`
"
    );
}
