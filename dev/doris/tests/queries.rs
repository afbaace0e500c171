//! The query port, through a client of MySQL.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use millrace_dev_doris::{DorisStandIn, Options};
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, Row, Value};

const PASSWORD: &str = "p@ss w:1";

fn start(folder: &tempfile::TempDir) -> DorisStandIn {
    let options = Options {
        password: PASSWORD.into(),
        ..Options::in_folder(folder.path())
    };
    DorisStandIn::start(options).unwrap()
}

fn options(doris: &DorisStandIn, password: &str, db: Option<&str>) -> OptsBuilder {
    let address: std::net::SocketAddr = doris.query_address().parse().unwrap();
    OptsBuilder::new()
        .ip_or_hostname(Some(address.ip().to_string()))
        .tcp_port(address.port())
        .user(Some("root"))
        .pass(Some(password))
        .db_name(db)
}

fn texts(row: Row) -> Vec<Option<String>> {
    row.unwrap()
        .into_iter()
        .map(|value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
        })
        .collect()
}

/// Returns the result with `|` between values and NULL as `-`.
fn ask(client: &mut Conn, sql: &str) -> Vec<String> {
    let rows: Vec<Row> = client.query(sql).unwrap();
    let line = |row| {
        let cells = texts(row)
            .into_iter()
            .map(|cell| cell.unwrap_or_else(|| "-".into()));
        cells.collect::<Vec<_>>().join("|")
    };
    rows.into_iter().map(line).collect()
}

fn refusal(client: &mut Conn, sql: &str) -> String {
    client.query_drop(sql).unwrap_err().to_string()
}

const TABLE: &str = "CREATE TABLE shop.orders (
  id BIGINT NOT NULL,
  name VARCHAR(20),
  amount DECIMAL(18, 4),
  at DATETIME(3)
) ENGINE=OLAP DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1
PROPERTIES (\"replication_num\" = \"1\")";

fn shop(folder: &tempfile::TempDir) -> (DorisStandIn, Conn) {
    let doris = start(folder);
    let mut client = Conn::new(options(&doris, PASSWORD, None)).unwrap();
    client.query_drop("CREATE DATABASE shop").unwrap();
    client.query_drop(TABLE).unwrap();
    client.query_drop("USE shop").unwrap();
    client
        .query_drop("INSERT INTO orders VALUES (1, 'a', 10.5, '2024-03-01 12:00:00.5'), (2, 'b', 9.25, NULL), (2, NULL, -0.0001, NULL)")
        .unwrap();
    (doris, client)
}

#[test]
fn a_client_logs_in_by_password_only() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let wrong = Conn::new(options(&doris, "wrong", None)).unwrap_err();
    assert!(
        wrong.to_string().contains("Access denied for user 'root'"),
        "{wrong}"
    );
    let wrong = Conn::new(options(&doris, PASSWORD, Some("nowhere"))).unwrap_err();
    assert!(
        wrong.to_string().contains("Unknown database 'nowhere'"),
        "{wrong}"
    );
    let mut client = Conn::new(options(&doris, PASSWORD, Some("information_schema"))).unwrap();
    assert_eq!(ask(&mut client, "SELECT 1"), ["1"]);
    let comment = ask(&mut client, "SELECT @@version_comment LIMIT 1");
    assert!(comment[0].contains("no Doris"), "{comment:?}");
    client.ping().unwrap();
}

#[test]
fn queries_see_what_was_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (doris, mut client) = shop(&folder);
    let client = &mut client;
    assert_eq!(
        ask(client, "SELECT * FROM orders WHERE id = 1"),
        ["1|a|10.5000|2024-03-01 12:00:00.500"]
    );
    assert_eq!(
        ask(
            client,
            "SELECT COUNT(*), COUNT(DISTINCT id), SUM(amount), MIN(amount), MAX(`amount`), COUNT(name) FROM shop.orders"
        ),
        ["3|2|19.7499|-0.0001|10.5000|2"]
    );
    assert_eq!(
        ask(
            client,
            "SELECT id, COUNT(*) c FROM orders GROUP BY id HAVING c > 1 ORDER BY id DESC LIMIT 5"
        ),
        ["2|2"]
    );
    assert_eq!(
        ask(
            client,
            "SELECT COUNT(DISTINCT id, name) FROM orders WHERE name LIKE 'A%' OR amount > 9.5"
        ),
        ["1"]
    );
    // What comes later is seen too, by an old and by a new set of columns.
    client
        .query_drop("INSERT INTO orders (id) SELECT MAX(id) + 1 FROM orders")
        .unwrap();
    assert_eq!(ask(client, "SELECT COUNT(*) FROM orders"), ["4"]);
    assert_eq!(
        ask(client, "SELECT id, at FROM orders ORDER BY id DESC LIMIT 1"),
        ["3|-"]
    );
    let rows: Vec<Row> = client
        .exec(
            "SELECT name FROM orders WHERE id = ? AND amount > ?",
            (2, 0.5),
        )
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(refusal(client, "SELECT x FROM orders").contains("Unknown column 'x'"));
    assert!(refusal(client, "SELECT 1 FROM nowhere").contains("Unknown table 'nowhere'"));
    client.query_drop("TRUNCATE TABLE orders").unwrap();
    assert_eq!(ask(client, "SELECT COUNT(*) FROM orders"), ["0"]);
    drop(doris);
}

#[test]
fn tables_say_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (_doris, mut client) = shop(&folder);
    let client = &mut client;
    assert_eq!(
        ask(client, "SHOW DATABASES"),
        ["shop", "information_schema", "mysql"]
    );
    assert_eq!(ask(client, "SHOW TABLES FROM shop LIKE 'ord%'"), ["orders"]);
    let expected = [
        "id|bigint|No|true|-|",
        "name|varchar(20)|Yes|false|-|NONE",
        "amount|decimal(18,4)|Yes|false|-|NONE",
        "at|datetime(3)|Yes|false|-|NONE",
    ];
    assert_eq!(ask(client, "DESC orders"), expected);
    assert_eq!(
        ask(client, "SHOW FULL COLUMNS FROM orders LIKE 'id'"),
        ["id|bigint|-|NO|DUP|-|||"]
    );
    assert_eq!(
        ask(client, "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_KEY, COLUMN_SIZE, DECIMAL_DIGITS
             FROM information_schema.columns WHERE table_schema = 'shop' AND TABLE_NAME = 'orders' ORDER BY ORDINAL_POSITION"),
        [
            "id|bigint|bigint(20)|NO|DUP|19|0",
            "name|varchar|varchar(20)|YES||20|-",
            "amount|decimal|decimalv3(18, 4)|YES||18|4",
            "at|datetime|datetime(3)|YES||-|-",
        ]
    );
    assert_eq!(
        ask(
            client,
            "SELECT TABLE_NAME, ENGINE, TABLE_ROWS FROM information_schema.tables WHERE TABLE_SCHEMA = DATABASE()"
        ),
        ["orders|Doris|3"]
    );
    assert!(ask(client, "SHOW CREATE TABLE orders")[0].contains("DUPLICATE KEY(`id`)"));
    client
        .query_drop("ALTER TABLE orders ADD COLUMN note VARCHAR(5) DEFAULT \"x\" AFTER id")
        .unwrap();
    assert_eq!(
        ask(client, "SELECT note, id FROM orders WHERE id = 1"),
        ["x|1"]
    );
    client.query_drop("DROP TABLE orders").unwrap();
    assert!(refusal(client, "DESC orders").contains("Unknown table 'orders'"));
    client.query_drop("DROP TABLE IF EXISTS orders").unwrap();
    client.query_drop("DROP DATABASE shop").unwrap();
}

#[test]
fn transactions_are_shown_by_id_and_label() {
    let folder = tempfile::tempdir().unwrap();
    let (doris, mut client) = shop(&folder);
    let client = &mut client;
    let all = doris.transactions().unwrap();
    let (id, label) = (all[0].id, all[0].label.clone());
    for sql in [
        format!("SHOW TRANSACTION FROM shop WHERE ID = {id}"),
        format!("SHOW TRANSACTION WHERE label = '{label}'"),
        "SHOW TRANSACTION WHERE status = 'visible'".to_owned(),
    ] {
        let rows = ask(client, &sql);
        assert!(
            rows[0].starts_with(&format!("{id}|{label}|")),
            "{sql}: {rows:?}"
        );
        assert!(rows[0].contains("|VISIBLE|BACKEND_STREAMING|"), "{rows:?}");
    }
    assert!(refusal(client, "SHOW TRANSACTION WHERE id = 1").contains("does not exist"));
    assert!(ask(client, "SHOW TRANSACTION WHERE label = 'none'").is_empty());
    assert_eq!(
        ask(client, "SHOW VARIABLES LIKE 'wait_timeout'"),
        ["wait_timeout|28800"]
    );
    client.query_drop("SET NAMES utf8mb4").unwrap();
    assert!(refusal(client, "UPDATE orders SET id = 1").contains("does not know"));
}
