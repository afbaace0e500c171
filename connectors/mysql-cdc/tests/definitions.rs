//! Definitions followed through DDL, as servers write it into their logs.

use millrace_mysql_cdc::definition::{
    Applied, Change, ColumnType, Definitions, Dialect, SqlMode, TableDefinition, TableName, ddl,
};

const MARIADB: Dialect = Dialect {
    mode: SqlMode {
        ansi_quotes: false,
        no_backslash_escapes: false,
    },
    is_mariadb: true,
};

/// Applies statements and returns the definitions.
fn follow(statements: &[&str]) -> Definitions {
    follow_on(MARIADB, statements)
}

fn follow_on(dialect: Dialect, statements: &[&str]) -> Definitions {
    let mut definitions = Definitions::new(0, "utf8mb4");
    for statement in statements {
        for change in ddl::parse(statement, "db", dialect) {
            let applied = definitions.apply(&change);
            assert!(
                !matches!(applied, Applied::Unknown(_)),
                "{statement}: {change:?}"
            );
        }
    }
    definitions
}

fn describe(definition: &TableDefinition) -> String {
    let columns = definition.columns.iter().map(|column| {
        let charset = match column.kind.charset() {
            Some(charset) => format!(" {charset}"),
            None => String::new(),
        };
        let null = if column.nullable { "" } else { " not null" };
        format!("{} {}{charset}{null}", column.name, column.kind)
    });
    let key: Vec<&str> = definition
        .primary_key
        .iter()
        .map(|place| definition.columns[*place].name.as_str())
        .collect();
    format!(
        "{} key({})",
        columns.collect::<Vec<_>>().join(", "),
        key.join(", ")
    )
}

fn after(table: &str, statements: &[&str]) -> String {
    let definitions = follow(statements);
    let found = definitions.get(&TableName::new("db", table));
    found.map_or("none".to_owned(), |definition| describe(definition))
}

const CREATE: &str = "CREATE TABLE t (id int primary key, v varchar(50), n int)";

#[test]
fn columns_come_go_and_move() {
    for (statement, expected) in [
        (
            "ALTER TABLE t ADD COLUMN other int, ADD COLUMN extra varchar(20) AFTER id",
            "id int not null, extra varchar(20) utf8mb4, v varchar(50) utf8mb4, n int, other int key(id)",
        ),
        (
            "ALTER TABLE `db`.`t` ADD (a int, b text CHARACTER SET latin1), DROP COLUMN n",
            "id int not null, v varchar(50) utf8mb4, a int, b text latin1 key(id)",
        ),
        (
            "alter table t add x int first, modify v bigint unsigned not null default 5 after n",
            "x int, id int not null, n int, v bigint unsigned not null key(id)",
        ),
        (
            "ALTER TABLE t CHANGE id `key` bigint FIRST, RENAME COLUMN v TO w, DROP n",
            "key bigint not null, w varchar(50) utf8mb4 key(key)",
        ),
        (
            "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (n, id) USING BTREE",
            "id int not null, v varchar(50) utf8mb4, n int not null key(n, id)",
        ),
        (
            "ALTER TABLE t ADD z timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3) \
             COMMENT 'a, b) AFTER', ALGORITHM=INPLACE, LOCK=NONE",
            "id int not null, v varchar(50) utf8mb4, n int, z timestamp(3) key(id)",
        ),
        (
            "ALTER TABLE t COMMENT='x; y -- z', ADD INDEX ix (v(10), n), ADD CONSTRAINT u UNIQUE KEY uq (n)",
            "id int not null, v varchar(50) utf8mb4, n int key(id)",
        ),
        (
            "ALTER TABLE t ADD COLUMN hid int AS (n*2) VIRTUAL, ADD st int GENERATED ALWAYS AS (concat('(', n)) STORED",
            "id int not null, v varchar(50) utf8mb4, n int, hid int, st int key(id)",
        ),
        (
            "ALTER TABLE t CONVERT TO CHARACTER SET gbk COLLATE gbk_bin, ADD c char(3)",
            "id int not null, v varchar(50) gbk, n int, c char(3) gbk key(id)",
        ),
        (
            "/* gh-ost */ ALTER /*!50000 ONLINE */ TABLE t /*M!100 ADD c json */ # end",
            "id int not null, v varchar(50) utf8mb4, n int, c json key(id)",
        ),
        (
            "SET STATEMENT max_statement_time=60 FOR ALTER TABLE t DROP COLUMN IF EXISTS v",
            "id int not null, n int key(id)",
        ),
    ] {
        assert_eq!(after("t", &[CREATE, statement]), expected, "{statement}");
    }
}

#[test]
fn old_names_are_those_before_the_statement() {
    const SWAPPED: &str =
        "CREATE TABLE t (id int primary key, a varchar(1), b varchar(2), c varchar(3))";
    for (statement, expected) in [
        (
            "RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "id b1 a2 c3 key(id)",
        ),
        (
            "RENAME COLUMN a TO b, RENAME COLUMN b TO c, RENAME COLUMN c TO a",
            "id b1 c2 a3 key(id)",
        ),
        (
            "CHANGE a b varchar(1), CHANGE b a varchar(2)",
            "id b1 a2 c3 key(id)",
        ),
        (
            "CHANGE a b varchar(1), RENAME COLUMN b TO a",
            "id b1 a2 c3 key(id)",
        ),
        (
            "CHANGE a b varchar(1) AFTER c, CHANGE b a varchar(2)",
            "id a2 c3 b1 key(id)",
        ),
        (
            "CHANGE id a int, CHANGE a id varchar(1)",
            "a id1 b2 c3 key(a)",
        ),
        ("DROP a, ADD a varchar(9)", "id b2 c3 a9 key(id)"),
        ("ADD a varchar(9) AFTER id, DROP a", "id a9 b2 c3 key(id)"),
        ("DROP a, RENAME COLUMN b TO a", "id a2 c3 key(id)"),
        (
            "RENAME COLUMN a TO z, ADD a varchar(9) AFTER z",
            "id z1 a9 b2 c3 key(id)",
        ),
        (
            "RENAME COLUMN a TO b, CHANGE b a varchar(2) AFTER c",
            "id b1 c3 a2 key(id)",
        ),
        (
            "MODIFY a varchar(1) AFTER b, MODIFY b varchar(2) AFTER c",
            "id a1 c3 b2 key(id)",
        ),
        (
            "MODIFY c varchar(3) AFTER id, ADD d varchar(4) FIRST",
            "d4 id c3 a1 b2 key(id)",
        ),
        (
            "ADD x varchar(5) AFTER a, ADD y varchar(6) AFTER a",
            "id a1 y6 x5 b2 c3 key(id)",
        ),
        (
            "ADD COLUMN IF NOT EXISTS a varchar(9), DROP b",
            "id a1 c3 key(id)",
        ),
        (
            "DROP PRIMARY KEY, ADD PRIMARY KEY (b), RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "id b1 a2 c3 key(b)",
        ),
        (
            "ADD PRIMARY KEY (b), DROP PRIMARY KEY, DROP COLUMN id",
            "a1 b2 c3 key(b)",
        ),
    ] {
        let definitions = follow(&[SWAPPED, &format!("ALTER TABLE t {statement}")]);
        let definition = definitions.get(&TableName::new("db", "t")).expect("known");
        let columns = definition.columns.iter().map(|column| match column.kind {
            ColumnType::Varchar { length, .. } => format!("{}{length}", column.name),
            _ => column.name.clone(),
        });
        let key = definition
            .primary_key
            .iter()
            .map(|at| definition.columns[*at].name.as_str());
        let shown = format!(
            "{} key({})",
            columns.collect::<Vec<_>>().join(" "),
            key.collect::<Vec<_>>().join(" ")
        );
        assert_eq!(shown, expected, "{statement}");
    }
}

#[test]
fn comments_of_mariadb_are_none_of_mysql() {
    let statements = [CREATE, "ALTER TABLE t MODIFY n int /*M!100100 AFTER id */"];
    let order = |definitions: Definitions| {
        let definition = definitions.get(&TableName::new("db", "t")).expect("known");
        let names = definition.columns.iter().map(|column| column.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(order(follow_on(Dialect::default(), &statements)), "id v n");
    assert_eq!(order(follow_on(MARIADB, &statements)), "id n v");
}

#[test]
fn tables_come_go_and_change_names() {
    let t = "id int not null, v varchar(50) utf8mb4, n int key(id)";
    let swap = "RENAME TABLE t TO _t_del, _t_gho TO t";
    let like = "CREATE TABLE _t_gho LIKE t";
    let add = "ALTER TABLE _t_gho ADD x int";
    assert_eq!(
        after("t", &[CREATE, like, add, swap]),
        t.replace("n int", "n int, x int")
    );
    assert_eq!(after("_t_del", &[CREATE, like, add, swap]), t);
    assert_eq!(
        after(
            "t",
            &[CREATE, "DROP TABLE IF EXISTS `t` /* generated by server */"]
        ),
        "none"
    );
    assert_eq!(after("t", &[CREATE, "DROP TEMPORARY TABLE t"]), t);
    assert_eq!(after("t", &[CREATE, "TRUNCATE t"]), t);
    assert_eq!(after("t", &[CREATE, "DROP DATABASE db"]), "none");
    assert_eq!(after("u", &[CREATE, "ALTER TABLE t RENAME TO u"]), t);
    assert_eq!(
        after("t", &[CREATE, "CREATE TABLE IF NOT EXISTS t (x int)"]),
        t
    );
    assert_eq!(
        after("t", &[CREATE, "CREATE OR REPLACE TABLE t (x int)"]),
        "x int key()"
    );
    // As servers log a CREATE … SELECT.
    let select = "CREATE TABLE `t` (\n  `id` int NOT NULL DEFAULT '0',\n  `v` varchar(4) NOT NULL DEFAULT ''\n) \
                  START TRANSACTION";
    assert_eq!(
        after("t", &[select]),
        "id int not null, v varchar(4) utf8mb4 not null key()"
    );
}

#[test]
fn a_table_that_is_there_is_not_made_again_though_its_definition_is_unknown() {
    let mut definitions = Definitions::new(0, "utf8mb4");
    let table = TableName::new("db", "t");
    let create = &ddl::parse("CREATE TABLE IF NOT EXISTS t (x int)", "db", MARIADB)[0];
    definitions.hide(&table);
    assert_eq!(definitions.apply(create), Applied::Nothing);
    assert!(definitions.get(&table).is_none());
    let drop = &ddl::parse("DROP TABLE t", "db", MARIADB)[0];
    definitions.apply(drop);
    definitions.apply(create);
    assert!(definitions.get(&table).is_some());
}

#[test]
fn noise_changes_nothing() {
    for statement in [
        "BEGIN",
        "COMMIT",
        "",
        "# only a comment",
        "CREATE VIEW vw AS SELECT id FROM t",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE DEFINER=`root`@`%` FUNCTION f() RETURNS int DETERMINISTIC RETURN 1",
        "CREATE INDEX ix ON t (n)",
        "DROP INDEX ix ON t",
        "ANALYZE TABLE t",
        "FLUSH LOGS",
        "GRANT SELECT ON db.* TO 'cdc'@'%'",
        "CREATE TEMPORARY TABLE t (id int)",
        "CREATE USER 'x'@'%'",
        "ALTER USER 'x' IDENTIFIED BY 'alter table t drop n'",
        "ALTER TABLE t ENGINE=InnoDB",
        "ALTER TABLE t DROP PARTITION p1, p2",
        "ALTER TABLE t ADD PARTITION (PARTITION p3 VALUES LESS THAN (10))",
        "ALTER TABLE t ALTER COLUMN n SET DEFAULT 5, RENAME INDEX a TO b, DISABLE KEYS",
        "XA START X'61',X'',1",
    ] {
        let changes = ddl::parse(statement, "db", Dialect::default());
        assert_eq!(changes, [], "{statement}");
    }
}

#[test]
fn what_is_not_understood_names_its_table() {
    for statement in [
        "CREATE TABLE t AS SELECT 1 AS x",
        "CREATE TABLE t (id int) SELECT 1 AS id",
        "CREATE TABLE t (id int) (SELECT 1 AS id)",
        "ALTER TABLE t ADD x strange_type",
        "ALTER TABLE t FROBNICATE n",
        "ALTER TABLE t ADD SYSTEM VERSIONING",
    ] {
        let changes = ddl::parse(statement, "db", Dialect::default());
        let [Change::NotUnderstood { tables, .. }] = &changes[..] else {
            panic!("{statement}: {changes:?}");
        };
        assert_eq!(tables[..], [TableName::new("db", "t")], "{statement}");
        let mut definitions = follow(&[CREATE]);
        let applied = definitions.apply(&changes[0]);
        assert_eq!(applied, Applied::Unknown(vec![TableName::new("db", "t")]));
        assert!(definitions.get(&TableName::new("db", "t")).is_none());
    }
    // A column that is not there: the definition was another one.
    let mut definitions = follow(&[CREATE]);
    let changes = ddl::parse(
        "ALTER TABLE t RENAME COLUMN x TO y",
        "db",
        Dialect::default(),
    );
    assert!(matches!(
        definitions.apply(&changes[0]),
        Applied::Unknown(_)
    ));
}

#[test]
fn show_create_of_both_servers() {
    let mysql = "CREATE TABLE `t` (\n  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  \
        `a` varchar(10) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'x''y' COMMENT 'c, d',\n  \
        `b` enum('x','y,z') COLLATE utf8mb4_bin NOT NULL DEFAULT 'x',\n  \
        `c` decimal(10,2) unsigned zerofill DEFAULT '00000000.00',\n  \
        `d` datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),\n  \
        `e` int GENERATED ALWAYS AS ((`id` * 2)) VIRTUAL,\n  \
        `f` json DEFAULT (json_array()),\n  `g` point NOT NULL /*!80003 SRID 4326 */,\n  \
        `h` varchar(5) CHARACTER SET utf8mb3 DEFAULT NULL,\n  `i` int DEFAULT NULL /*!80023 INVISIBLE */,\n  \
        `j` bit(1) DEFAULT b'0',\n  \
        PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a`(5) DESC),\n  KEY `f` ((cast(`f` as unsigned array))),\n  \
        CONSTRAINT `x` FOREIGN KEY (`i`) REFERENCES `u` (`id`) ON DELETE CASCADE,\n  \
        CONSTRAINT `k` CHECK ((`i` > 0))\n) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 \
        COLLATE=utf8mb4_0900_ai_ci COMMENT='it''s'\n/*!50100 PARTITION BY RANGE (cast(`id` as signed))\n\
        (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */";
    let definition = TableDefinition::parse_create("db", mysql).expect("understood");
    assert_eq!(
        describe(&definition),
        "id bigint unsigned not null, a varchar(10) latin1, b enum of 2 utf8mb4 not null, c decimal(10,2), \
         d datetime(6), e int, f json, g geometry not null, h varchar(5) utf8mb3, i int, j bit(1) key(id)"
    );
    let ColumnType::Enum { members, .. } = &definition.columns[2].kind else {
        panic!("an ENUM");
    };
    assert_eq!(members[..], ["x", "y,z"]);
    let mariadb = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `a` tinyint(1) DEFAULT NULL,\n  \
        `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`j`)),\n  \
        `u` uuid DEFAULT uuid(),\n  `v` varchar(5) COLLATE uca1400_ai_ci DEFAULT NULL,\n  \
        `w` timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n  \
        `x` int(11) GENERATED ALWAYS AS (`id` + 1) STORED,\n  `y` mediumtext /*M!100301 COMPRESSED*/ DEFAULT NULL,\n  \
        PRIMARY KEY (`id`,`a`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci";
    let definition = TableDefinition::parse_create("db", mariadb).expect("understood");
    assert_eq!(
        describe(&definition),
        "id int not null, a tinyint(1) not null, j longtext utf8mb4, u uuid, v varchar(5) utf8mb3, \
         w timestamp(0) not null, x int, y mediumtext utf8mb3 key(id, a)"
    );
}

#[test]
fn sql_modes_change_what_quotes_are() {
    let mode = Dialect {
        mode: SqlMode::of_bits(4),
        ..Dialect::default()
    };
    let changes = ddl::parse("CREATE TABLE \"t\" (\"a b\" int)", "db", mode);
    let [Change::Create { definition, .. }] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(definition.columns[0].name, "a b");
}
