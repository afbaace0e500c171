//! What users are told about typical faults.

use millrace_sql::{parse, parse_expression, parse_query, parse_type, render};

/// Compares the rendered errors of `text` with `expect`.
fn check(text: &str, expect: &str) {
    let parsed = parse(text);
    let shown = render(&parsed.diagnostics, "a.sql", text, false);
    assert_eq!(shown.trim_end(), expect.trim_matches('\n'), "\n{shown}");
}

/// Returns code, line-free place and first help of every error.
fn brief(text: &str) -> Vec<(&'static str, String, Option<String>)> {
    parse(text)
        .diagnostics
        .into_iter()
        .map(|diagnostic| {
            let span = diagnostic.primary.expect("a syntax error has a place").span;
            let help = diagnostic.help.into_iter().next();
            (diagnostic.code, text[span.range()].to_owned(), help)
        })
        .collect()
}

fn codes(text: &str) -> Vec<&'static str> {
    brief(text).into_iter().map(|(code, ..)| code).collect()
}

#[test]
fn missing_comma_between_options() {
    check(
        "CREATE TABLE t (id INT) WITH (\n  'connector' = 'kafka'\n  'topic' = 'a'\n);",
        "
error[MR0209]: a comma is missing
 --> a.sql:2:24
  |
2 |   'connector' = 'kafka'
  |                        ^ `,` is missing here
3 |   'topic' = 'a'
  |   ------- the next item begins here
  |
  = help: separate the items with commas
",
    );
}

#[test]
fn reserved_word_as_column() {
    check(
        "CREATE TABLE t (\n  id INT,\n  date STRING,\n  value INT\n) WITH ('connector' = 'blackhole');",
        "
error[MR0208]: `date` is a reserved word, a column name is expected
 --> a.sql:3:3
  |
3 |   date STRING,
  |   ^^^^ a reserved word
  |
  = help: if it is a name, write it in back-ticks: `date`

error[MR0208]: `value` is a reserved word, a column name is expected
 --> a.sql:4:3
  |
4 |   value INT
  |   ^^^^^ a reserved word
  |
  = help: if it is a name, write it in back-ticks: `value`
",
    );
}

#[test]
fn missing_semicolon() {
    check(
        "CREATE TABLE t (id INT) WITH ('connector' = 'blackhole')\nINSERT INTO t SELECT id FROM s;",
        "
error[MR0212]: a semicolon is missing between two statements
 --> a.sql:1:57
  |
1 | CREATE TABLE t (id INT) WITH ('connector' = 'blackhole')
  |                                                         ^ `;` is missing here
2 | INSERT INTO t SELECT id FROM s;
  | ------ the next statement begins here
  |
  = help: end each statement with `;`
",
    );
}

#[test]
fn unclosed_parenthesis_is_found_where_it_opens() {
    check(
        "SELECT COALESCE(a, UPPER(b) AS c FROM t;",
        "
error[MR0201]: expected `)`, found the reserved word `AS`
 --> a.sql:1:29
  |
1 | SELECT COALESCE(a, UPPER(b) AS c FROM t;
  |                             ^^ expected `)`
",
    );
    assert_eq!(codes("SELECT COALESCE(a, b"), ["MR0210"]);
    assert_eq!(
        codes("CREATE TABLE t (id INT, b INT\nWITH ('a' = 'b');\nSELEC 1;"),
        ["MR0201", "MR0213"]
    );
    assert_eq!(codes("CREATE TABLE t (id INT WITH ('a' = 'b')"), ["MR0201"]);
}

#[test]
fn all_errors_of_a_file_come_at_once() {
    let text = "CREATE TABLE a (id INTT, `n` STRIG, x INT,) WITH ('k' = 1, 'connector' 'kafka', topic = 'x');\n\
        INSRT INTO a SELECT 1;\nINSERT INTO a SELECT a, FROM b WHERE c != 2;\nCREATE TABEL x;";
    let found: Vec<_> = brief(text)
        .into_iter()
        .map(|(code, place, help)| (code, place, help.unwrap_or_default()))
        .collect();
    let expect = [
        ("MR0214", "INTT", "did you mean INT?"),
        ("MR0214", "STRIG", "did you mean STRING?"),
        ("MR0211", ",", "remove the comma"),
        ("MR0220", "1", "write '1'"),
        ("MR0220", "'connector'", "write 'connector' = 'value'"),
        ("MR0220", "topic", "write 'topic'"),
        ("MR0213", "INSRT", "did you mean INSERT?"),
        ("MR0211", ",", "remove the comma"),
        ("MR0207", "!=", "write `<>`"),
        ("MR0213", "CREATE TABEL", "did you mean CREATE TABLE?"),
    ]
    .map(|(code, place, help)| (code, place.to_owned(), help.to_owned()));
    assert_eq!(found, expect);
}

#[test]
fn quotes_that_are_not_closed_do_not_hide_what_follows() {
    let text = "CREATE TABLE t (id INT) WITH (\n 'a' = 'b,\n 'c' = 'd'\n);\nINSRT 1;";
    assert_eq!(codes(text), ["MR0202", "MR0213"]);
}

#[test]
fn faults_of_the_text_have_their_own_codes() {
    for (text, expect) in [
        ("SELECT `a FROM t", "MR0204"),
        ("SELECT 1 /* x", "MR0205"),
        ("SELECT a，b FROM t", "MR0206"),
        ("SELECT \"a\" FROM t", "MR0207"),
        ("SELECT a FROM t WHERE x == 1", "MR0207"),
        ("SELECT DATE '2024-02-30'", "MR0215"),
        ("SELECT INTERVAL 5 MINUTE", "MR0215"),
        ("SELECT X'ABC'", "MR0215"),
        ("SELECT CAST(a AS DECIMAL(39, 2))", "MR0216"),
        ("CREATE TABLE t (a INT, UNIQUE (a))", "MR0218"),
        ("WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a", "MR0218"),
        (
            "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, PRIMARY KEY (a) NOT ENFORCED)",
            "MR0219",
        ),
        (
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;",
            "MR0210",
        ),
        ("SELECT a) FROM t", "MR0210"),
    ] {
        assert_eq!(codes(text).first(), Some(&expect), "{text}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |open: &str, inner: &str, close: &str, times| {
        open.repeat(times) + inner + &close.repeat(times)
    };
    for text in [
        deep("(", "1", ")", 100_000),
        deep("NOT ", "a", "", 100_000),
        deep("- ", "1", "", 100_000),
        deep("ARRAY[", "1", "]", 100_000),
        deep("CASE WHEN ", "a", " THEN 1 END", 100_000),
        deep("(SELECT ", "1", ")", 100_000),
        deep("a + ", "a", "", 100_000),
        deep("a", "", "[1]", 100_000),
    ] {
        let errors = parse_expression(&text).expect_err("it is too deep");
        assert!(
            errors.iter().any(|error| error.code == "MR0217"),
            "{}",
            &text[..20]
        );
    }
    for text in [
        deep("SELECT * FROM (", "SELECT 1", ")", 100_000),
        deep("SELECT 1 UNION ALL ", "SELECT 1", "", 100_000),
        deep("(", "SELECT 1", ")", 100_000),
    ] {
        let errors = parse_query(&text).expect_err("it is too deep");
        assert!(
            errors.iter().any(|error| error.code == "MR0217"),
            "{}",
            &text[..20]
        );
    }
    let errors = parse_type(&deep("ARRAY<", "INT", ">", 100_000)).expect_err("it is too deep");
    assert_eq!(errors[0].code, "MR0217");
    assert!(parse_expression(&deep("(", "1", ")", 30)).is_ok());
    assert!(parse_expression(&deep("a OR ", "a", "", 400)).is_ok());
}
