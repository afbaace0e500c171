//! What parses, into what, and what does not: Flink 1.17's grammar.

use millrace_sql::ast::{
    BinaryOperator, ColumnKind, Expr, ExprKind, GroupItem, JoinKind, QueryBody, Statement,
    TableRefKind,
};
use millrace_sql::{parse, parse_expression, parse_query, parse_type, render};
use proptest::prelude::*;

fn statement(text: &str) -> Statement {
    let mut parsed = parse(text);
    assert!(
        parsed.diagnostics.is_empty(),
        "{}",
        render(&parsed.diagnostics, "a.sql", text, false)
    );
    assert_eq!(parsed.statements.len(), 1, "{text}");
    parsed.statements.remove(0).value
}

/// Writes binary operators as `(left op right)` and takes everything else from the text.
fn shape(expr: &Expr, text: &str) -> String {
    match &expr.kind {
        ExprKind::Binary {
            op,
            left,
            right,
            op_span,
        } => {
            assert_ne!(*op, BinaryOperator::Overlaps);
            let op = &text[op_span.range()];
            format!("({} {op} {})", shape(left, text), shape(right, text))
        }
        ExprKind::Unary { expr: inner, .. } => {
            let op = text[expr.span.range()]
                .split_whitespace()
                .next()
                .unwrap_or_default();
            format!("[{} {}]", &op[..op.len().min(3)], shape(inner, text))
        }
        ExprKind::Is { expr: inner, .. } => format!("is({})", shape(inner, text)),
        ExprKind::Between {
            expr, low, high, ..
        } => {
            format!(
                "between({}, {}, {})",
                shape(expr, text),
                shape(low, text),
                shape(high, text)
            )
        }
        _ => text[expr.span.range()].to_owned(),
    }
}

#[test]
fn operators_bind_as_in_calcite() {
    for (text, expect) in [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a || b + c", "((a || b) + c)"),
        ("NOT a = b", "[NOT (a = b)]"),
        ("NOT a AND b", "([NOT a] AND b)"),
        ("a OR b AND c", "(a OR (b AND c))"),
        ("a = b IS NULL", "is((a = b))"),
        ("a BETWEEN 1 AND 2 AND b", "(between(a, 1, 2) AND b)"),
        (
            "a BETWEEN 1 + 1 AND 2 * 3 OR b",
            "(between(a, (1 + 1), (2 * 3)) OR b)",
        ),
        ("- a + b", "([- a] + b)"),
    ] {
        let expr = parse_expression(text).expect(text);
        assert_eq!(shape(&expr, text), expect);
        assert_eq!(&text[expr.span.range()], text);
    }
}

#[test]
fn expressions_of_flink_parse() {
    for text in [
        "1.",
        ".5",
        "1e5",
        "X'61'",
        "U&'\\4e2d'",
        "_UTF8'a'",
        "'a''b'",
        "- -1",
        "1 --c\n+1",
        "`a`",
        "t.a.b",
        "a[1]['k'].f",
        "f(x).y",
        "(a, b)",
        "ROW(1, 'a')",
        "ARRAY[1, 2]",
        "MAP['a', 1]",
        "ARRAY[]",
        "CURRENT_TIMESTAMP",
        "LOCALTIME",
        "CURRENT_DATE + interval '1' day",
        "PROCTIME()",
        "LEFT('a', 1)",
        "INTERVAL '1-2' YEAR TO MONTH",
        "INTERVAL -'1 02:03:04.5' DAY(3) TO SECOND(6)",
        "INTERVAL '5' SECONDS",
        "DATE '2024-02-29'",
        "TIME '12:00:00'",
        "TIMESTAMP '2024-01-01 00:00:00.123456789'",
        "{d '2024-01-01'}",
        "CASE a WHEN 1, 2 THEN 'x' ELSE 'y' END",
        "CASE WHEN a THEN b END",
        "CAST(a AS ROW<x INT, y STRING>)",
        "TRY_CAST(a AS TIMESTAMP(3) WITH LOCAL TIME ZONE)",
        "CAST(a AS MAP<STRING, ARRAY<INT>>)",
        "TRIM(LEADING 'x' FROM a)",
        "TRIM(BOTH FROM a)",
        "TRIM('x' FROM a)",
        "TRIM(a)",
        "POSITION('a' IN b)",
        "OVERLAY(a PLACING b FROM 1 FOR 2)",
        "SUBSTRING(a FROM 1 FOR 2)",
        "SUBSTRING(a, 1, 2)",
        "EXTRACT(YEAR FROM a)",
        "FLOOR(a TO DAY)",
        "CEIL(a)",
        "CEILING(a TO MONTH)",
        "TIMESTAMPADD(DAY, 1, a)",
        "TIMESTAMPDIFF(SQL_TSI_DAY, a, b)",
        "(a - b) DAY",
        "a IS NOT DISTINCT FROM b",
        "a IS JSON OBJECT",
        "a NOT LIKE 'x' ESCAPE '!'",
        "a NOT SIMILAR TO 'x'",
        "a NOT IN (1, 2)",
        "a IN (SELECT b FROM c)",
        "EXISTS (SELECT 1)",
        "a > ALL (SELECT b FROM c)",
        "a = ANY (1, 2)",
        "(SELECT MAX(a) FROM b)",
        "(a, b) OVERLAPS (c, d)",
        "a MEMBER OF b",
        "a BETWEEN SYMMETRIC 1 AND 2",
        "COUNT(*)",
        "COUNT(DISTINCT a) FILTER (WHERE b > 1)",
        "LAST_VALUE(a) IGNORE NULLS OVER (ORDER BY t)",
        "SUM(a) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        "RANK() OVER w",
        "LISTAGG(a) WITHIN GROUP (ORDER BY b DESC NULLS LAST)",
        "f(x => 1, y => DEFAULT)",
        "JSON_VALUE(a, '$.b' RETURNING INT NULL ON EMPTY DEFAULT 1 ON ERROR)",
        "JSON_EXISTS(a, '$.b' FALSE ON ERROR)",
        "JSON_QUERY(a, 'lax $.b' WITH CONDITIONAL ARRAY WRAPPER EMPTY ARRAY ON EMPTY NULL ON ERROR)",
        "JSON_OBJECT('a' VALUE 1, KEY 'b' VALUE 2 ABSENT ON NULL)",
        "JSON_OBJECT('a': 1)",
        "JSON_OBJECT()",
        "JSON_ARRAY(1, 'a' NULL ON NULL)",
        "JSON_OBJECTAGG(KEY a VALUE b)",
        "IF(a > 1, b, c)",
        "TRUNCATE(1.5, 0)",
        "`my`.`fn`(1)",
        "a % 2",
        "name",
        "type",
        "data",
        "?",
        "UNKNOWN",
        "SESSION_USER",
        "YEAR(a)",
    ] {
        if let Err(errors) = parse_expression(text) {
            panic!("{}", render(&errors, "expression", text, false));
        }
    }
}

#[test]
fn expressions_that_flink_refuses_do_not_parse() {
    for text in [
        "1 != 2",
        "5 & 2",
        "2 ^ 3",
        "\"a\"",
        "DATE 2024",
        "DATE('2024-01-01')",
        "INT('1')",
        "CONTAINS('a','b')",
        "ARRAY_AGG(1)",
        "TRIM('xxabcxx', 'x')",
        "'abc' REGEXP 'b'",
        "CAST(NULL AS NULL)",
        "INTERVAL '1' WEEK",
        "INTERVAL '1' QUARTER",
        "TIMESTAMPADD(MILLISECOND, 1, a)",
        "EXTRACT(TIMEZONE FROM a)",
        "DATE '2024-02-30'",
        "TIME '25:00:00'",
        "value",
        "a +",
        "",
        "f(a,)",
        "CASE END",
        "a b",
    ] {
        assert!(parse_expression(text).is_err(), "{text}");
    }
}

#[test]
fn types_print_as_flink_does() {
    for (text, expect) in [
        ("string not null", "VARCHAR(2147483647) NOT NULL"),
        ("DECIMAL(10, 2) NOT NULL", "DECIMAL(10, 2) NOT NULL"),
        ("DEC", "DECIMAL(10, 0)"),
        ("NUMERIC(5)", "DECIMAL(5, 0)"),
        (
            "TIMESTAMP(3) WITH LOCAL TIME ZONE",
            "TIMESTAMP(3) WITH LOCAL TIME ZONE",
        ),
        ("TIMESTAMP_LTZ", "TIMESTAMP(6) WITH LOCAL TIME ZONE"),
        ("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMP(6)"),
        ("TIME", "TIME(0)"),
        ("DOUBLE PRECISION", "DOUBLE"),
        ("CHARACTER VARYING(3)", "VARCHAR(3)"),
        ("CHAR", "CHAR(1)"),
        ("BINARY VARYING(3)", "VARBINARY(3)"),
        ("BYTES", "VARBINARY(2147483647)"),
        ("INT ARRAY", "ARRAY<INT>"),
        (
            "INT NOT NULL MULTISET NOT NULL",
            "MULTISET<INT NOT NULL> NOT NULL",
        ),
        (
            "MAP<STRING, ARRAY<INT>>",
            "MAP<VARCHAR(2147483647), ARRAY<INT>>",
        ),
        (
            "ROW<a INT, `b c` STRING 'note'>",
            "ROW<`a` INT, `b c` VARCHAR(2147483647)>",
        ),
        ("ROW(a INT NOT NULL)", "ROW<`a` INT NOT NULL>"),
        ("ROW<INT, ROW<>>", "ROW<`f0` INT, `f1` ROW<>>"),
        (
            "INTERVAL DAY(3) TO SECOND(6)",
            "INTERVAL DAY(3) TO SECOND(6)",
        ),
        ("INTERVAL YEAR(4) TO MONTH", "INTERVAL YEAR(4) TO MONTH"),
        ("INT NULL", "INT"),
    ] {
        match parse_type(text) {
            Ok(ty) => assert_eq!(ty.to_string(), expect, "{text}"),
            Err(errors) => panic!("{}", render(&errors, "type", text, false)),
        }
    }
}

#[test]
fn create_table_has_all_its_parts() {
    let text = "CREATE TEMPORARY TABLE IF NOT EXISTS c.d.t (
        `id` BIGINT NOT NULL COMMENT 'k',
        ts TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL COMMENT 'm',
        cost AS price * 2,
        price DECIMAL(10, 2),
        CONSTRAINT pk PRIMARY KEY (id) NOT ENFORCED,
        WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
      ) COMMENT 'it''s' PARTITIONED BY (price) WITH ('connector' = 'kafka', 'a' = 'b;c')
      LIKE other (EXCLUDING ALL INCLUDING OPTIONS)";
    let Statement::CreateTable(table) = statement(text) else {
        panic!("it is a table");
    };
    assert!(table.temporary && table.if_not_exists);
    assert_eq!(table.name.to_string(), "c.d.t");
    let kinds: Vec<_> = table
        .columns
        .iter()
        .map(|column| match &column.kind {
            ColumnKind::Physical { .. } => 'p',
            ColumnKind::Metadata {
                is_virtual: true, ..
            } => 'v',
            ColumnKind::Metadata { .. } => 'm',
            ColumnKind::Computed { .. } => 'c',
        })
        .collect();
    assert_eq!(kinds, ['p', 'v', 'c', 'p']);
    let key = table.primary_key.expect("a key is written");
    assert!(key.not_enforced);
    assert_eq!(key.name.map(|name| name.value).as_deref(), Some("pk"));
    assert_eq!(
        table
            .watermark
            .map(|mark| mark.column.to_string())
            .as_deref(),
        Some("ts")
    );
    assert_eq!(
        table.comment.map(|comment| comment.value).as_deref(),
        Some("it's")
    );
    assert_eq!(table.partitioned_by.len(), 1);
    assert_eq!(table.options[1].1.value, "b;c");
    assert_eq!(&text[table.options[1].0.span.range()], "'a'");
    assert_eq!(table.like.map(|like| like.rules.len()), Some(2));
}

#[test]
fn statements_of_flink_parse() {
    for (text, expect) in [
        (
            "CREATE VIEW IF NOT EXISTS v (a, b) COMMENT 'c' AS SELECT 1, 2",
            "CreateView",
        ),
        (
            "CREATE TABLE t WITH ('a' = 'b') AS SELECT * FROM s",
            "CreateTable",
        ),
        ("CREATE CATALOG c WITH ('type' = 'jdbc')", "CreateCatalog"),
        ("CREATE DATABASE IF NOT EXISTS d", "CreateDatabase"),
        (
            "CREATE TEMPORARY SYSTEM FUNCTION f AS 'a.B' LANGUAGE JAVA USING JAR 'x.jar'",
            "CreateFunction",
        ),
        ("DROP TEMPORARY TABLE IF EXISTS t", "DropTable"),
        ("DROP VIEW v", "DropView"),
        ("USE CATALOG c", "Use"),
        (
            "INSERT OVERWRITE t PARTITION (d = '1') (a, b) SELECT 1, 2",
            "Insert",
        ),
        ("INSERT INTO t (SELECT 1)", "Insert"),
        (
            "insert into t /*+ OPTIONS('k' = 'v') */ values (1, 'a'), (2, 'b')",
            "Insert",
        ),
        (
            "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;",
            "StatementSet",
        ),
        (
            "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;",
            "StatementSet",
        ),
        ("SET 'a.b' = 'c'", "Set"),
        ("set table.exec.state.ttl=1 h;", "Set"),
        ("RESET", "Reset"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CreateView"),
        (
            "CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1",
            "CreateView",
        ),
        ("CREATE OR REPLACE TABLE t (a INT)", "CreateTable"),
        ("EXPLAIN PLAN FOR SELECT 1", "Explain"),
        ("SHOW CREATE TABLE t", "Unsupported"),
        ("ALTER TABLE t RENAME TO u", "Unsupported"),
        ("SELECT 1", "Query"),
    ] {
        let found = format!("{:?}", statement(text));
        assert!(found.starts_with(expect), "{text}: {found}");
    }
}

#[test]
fn settings_need_no_quotes() {
    for (text, key, value) in [
        ("SET a.interval = 10s", "a.interval", "10s"),
        ("SET a=3min;", "a", "3min"),
        ("set a = 1.5g -- as much as there is", "a", "1.5g"),
        ("SET a = 2048m /* so */ ;", "a", "2048m"),
        ("SET a.b-c = 10 s", "a.b-c", "10 s"),
        ("SET $a$b = $HOME/x?y#z\\", "$a$b", "$HOME/x?y#z\\"),
        ("SET \"a.b\" = \"c\"", "\"a.b\"", "\"c\""),
        ("SET a = k:v,l=w", "a", "k:v,l=w"),
        ("SET a=b=c", "a=b", "c"),
        ("SET a\n=\n1e", "a", "1e"),
        ("SET a = 'b; c'", "a", "b; c"),
        ("SET 'a' = 'b''c'", "a", "b'c"),
        ("SET a = http://h:80/p--q", "a", "http://h:80/p--q"),
    ] {
        match statement(text) {
            Statement::Set {
                key: found,
                value: given,
            } => assert_eq!(
                (found.value.as_str(), given.value.as_str()),
                (key, value),
                "{text}"
            ),
            other => panic!("{text}: {other:?}"),
        }
    }
    match statement("RESET $a.1b;") {
        Statement::Reset { key: Some(key) } => assert_eq!(key.value, "$a.1b"),
        other => panic!("{other:?}"),
    }
    for text in ["SET a = ", "SET a", "SET a = 10s INSERT", "SET = b"] {
        let parsed = parse(&format!("{text}; SELECT 1"));
        let is_read = text.ends_with("INSERT");
        assert_eq!(parsed.diagnostics.is_empty(), is_read, "{text}: {parsed:?}");
        assert!(
            parsed
                .statements
                .iter()
                .any(|s| matches!(s.value, Statement::Query(_)))
        );
    }
}

#[test]
fn queries_of_flink_parse() {
    for text in [
        "SELECT * FROM a, b",
        "SELECT t.*, a.b.*, c AS d, e f FROM t",
        "SELECT a FROM (SELECT 1) UNION ALL SELECT 2 ORDER BY 1 LIMIT 3 OFFSET 1 ROWS",
        "(SELECT 1) EXCEPT (SELECT 2 FETCH FIRST 1 ROWS ONLY)",
        "WITH a (x) AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a JOIN b ON a.x = b.x",
        "SELECT * FROM a LEFT OUTER JOIN b USING (x) CROSS JOIN c NATURAL FULL JOIN d",
        "SELECT * FROM o JOIN c FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.id = c.id",
        "SELECT * FROM t /*+ OPTIONS('scan.startup.mode'='earliest-offset') */ AS x",
        "SELECT /*+ BROADCAST(a), SHUFFLE_HASH(b) */ * FROM a JOIN b ON TRUE",
        "SELECT * FROM t, LATERAL TABLE(split(a)) AS s(w)",
        "SELECT * FROM t LEFT JOIN LATERAL TABLE(split(a)) AS s(w) ON TRUE",
        "SELECT * FROM t CROSS JOIN UNNEST(a) WITH ORDINALITY AS u (x, n)",
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start",
        "SELECT * FROM TABLE(HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '1' MINUTE))",
        "SELECT a FROM t GROUP BY GROUPING SETS ((a, b), (a), ()), CUBE (a, b), ROLLUP (a), b HAVING COUNT(*) > 1",
        "SELECT a, SUM(b) OVER w FROM t WINDOW w AS (PARTITION BY a ORDER BY b RANGE UNBOUNDED PRECEDING)",
        "SELECT TUMBLE_START(ts, INTERVAL '1' DAY) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY b PATTERN (A+) DEFINE A AS TRUE) AS m",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (id, name)",
        "SELECT * FROM ((SELECT 1) UNION (SELECT 2)) AS u",
        "SELECT * FROM (a JOIN b ON a.x = b.x)",
        "SELECT * FROM ((SELECT 1) AS x JOIN y ON TRUE)",
        "TABLE t",
        "SELECT DISTINCT a FROM t WHERE b IS NOT NULL AND c IN ('x', 'y')",
    ] {
        if let Err(errors) = parse_query(text) {
            panic!("{}", render(&errors, "query", text, false));
        }
    }
}

#[test]
fn from_and_group_by_have_the_right_shape() {
    let query = parse_query("SELECT * FROM a JOIN b ON x LEFT JOIN c ON y, d GROUP BY (a, b), ()")
        .expect("it is right");
    let QueryBody::Select(select) = query.body else {
        panic!("it is a select");
    };
    assert_eq!(select.from.len(), 2);
    let TableRefKind::Join { kind, left, .. } = &select.from[0].kind else {
        panic!("it is a join");
    };
    assert_eq!(*kind, JoinKind::Left);
    assert!(matches!(
        left.kind,
        TableRefKind::Join {
            kind: JoinKind::Inner,
            ..
        }
    ));
    let items = select.group_by.expect("it is written").items;
    assert!(
        matches!(&items[..], [GroupItem::Set(two), GroupItem::Set(none)]
        if two.value.len() == 2 && none.value.is_empty())
    );
}

#[test]
fn intersect_binds_tighter_than_union() {
    let query = parse_query("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3").expect("it is right");
    let QueryBody::SetOperation { right, .. } = query.body else {
        panic!("it is a set operation");
    };
    assert!(matches!(*right, QueryBody::SetOperation { .. }));
}

proptest! {
    #[test]
    fn any_text_gives_statements_or_errors(text in "\\PC{0,200}") {
        let parsed = parse(&text);
        prop_assert!(parsed.diagnostics.len() <= millrace_sql::ERRORS_MAX);
    }

    #[test]
    fn pieces_of_sql_in_any_order_give_statements_or_errors(
        pieces in proptest::collection::vec(
            prop::sample::select(vec![
                "SELECT", "FROM", "WHERE", "(", ")", ",", ";", "'", "a", "`b`", "'c'", "CREATE TABLE", "WITH",
                "INSERT INTO", "VALUES", "INTERVAL", "'1'", "DAY", "CASE", "WHEN", "THEN", "END", "AS", "ROW", "<",
                ">", "ARRAY", "[", "]", "1", ".", "*", "/*+", "*/", "--", "\n", "JSON_OBJECT", "KEY", "VALUE", "=",
                "UNION", "JOIN", "ON", "TABLE", "EXECUTE STATEMENT SET BEGIN", "NOT", "NULL", "IN", "OVER", "CAST",
                "U&'\\00'", "X'0'", "é", "`", "SET", "-", "/*", "COMMENT", "PRIMARY KEY", "WATERMARK FOR", "LIKE",
            ]),
            0..60,
        )
    ) {
        let text = pieces.join(" ");
        let parsed = parse(&text);
        let shown = render(&parsed.diagnostics, "a.sql", &text, false);
        prop_assert_eq!(shown.is_empty(), parsed.diagnostics.is_empty());
        for statement in parsed.statements {
            prop_assert!(text.get(statement.span.range()).is_some());
        }
    }
}
