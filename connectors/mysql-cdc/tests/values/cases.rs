//! Tables of every type with the extremes of each, and how they are declared.

use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};
use millrace_mysql_cdc::decode::{DeclaredColumn, ValueOptions};

/// A table and its rows.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// `mysql`, `mariadb`, or empty for both.
    pub(crate) server: &'static str,
    /// What stands behind `CREATE TABLE name`.
    pub(crate) create: &'static str,
    /// The declared columns, `name TYPE`.
    pub(crate) declared: &'static [&'static str],
    /// Statements before the table is made.
    pub(crate) before: &'static [&'static str],
    /// What stands in the parentheses of an INSERT.
    pub(crate) rows: &'static [&'static str],
    /// Statements after the inserts.
    pub(crate) after: &'static [&'static str],
    /// The server's zone.
    pub(crate) zone: &'static str,
}

const CASE: Case = Case {
    name: "",
    server: "",
    create: "",
    declared: &[],
    before: &[],
    rows: &[],
    after: &[],
    zone: "UTC",
};

impl Case {
    pub(crate) fn is_for(&self, server: &str) -> bool {
        self.server.is_empty() || self.server == server
    }

    pub(crate) fn declared(&self) -> Vec<DeclaredColumn> {
        let column = |text: &&str| {
            let (name, ty) = text.split_once(' ').expect("a name and a type");
            DeclaredColumn {
                name: name.to_owned(),
                ty: flink(ty),
            }
        };
        self.declared.iter().map(column).collect()
    }

    pub(crate) fn options(&self) -> ValueOptions {
        ValueOptions {
            server_time_zone: TimeZone::get(self.zone).expect("a known zone"),
            ..ValueOptions::default()
        }
    }
}

fn flink(text: &str) -> FlinkType {
    let (name, numbers) = text.split_once('(').unwrap_or((text, ""));
    let numbers: Vec<u8> = numbers
        .trim_end_matches(')')
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    match name {
        "BOOLEAN" => TypeKind::Boolean,
        "TINYINT" => TypeKind::TinyInt,
        "SMALLINT" => TypeKind::SmallInt,
        "INT" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "FLOAT" => TypeKind::Float,
        "DOUBLE" => TypeKind::Double,
        "DECIMAL" => TypeKind::Decimal(numbers[0], numbers[1]),
        "DATE" => TypeKind::Date,
        "TIME" => TypeKind::Time(numbers[0]),
        "TIMESTAMP" => TypeKind::Timestamp(numbers[0]),
        "LTZ" => TypeKind::TimestampLtz(numbers[0]),
        "STRING" => return FlinkType::string(),
        "BYTES" => return FlinkType::bytes(),
        "STRINGS" => TypeKind::Array(Box::new(FlinkType::string())),
        other => panic!("unknown type {other}"),
    }
    .nullable()
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = numbers();
    cases.extend(times());
    cases.extend(texts());
    cases.extend(documents());
    cases
}

fn numbers() -> Vec<Case> {
    vec![
        Case {
            name: "integers",
            create: "(id int PRIMARY KEY, a tinyint, au tinyint unsigned, b smallint, bu smallint unsigned, \
                     c mediumint, cu mediumint unsigned, d int, du int unsigned, e bigint, eu bigint unsigned, \
                     y year, bo bool)",
            declared: &[
                "id INT",
                "a TINYINT",
                "au SMALLINT",
                "b SMALLINT",
                "bu INT",
                "c INT",
                "cu INT",
                "d INT",
                "du BIGINT",
                "e BIGINT",
                "eu DECIMAL(20,0)",
                "y INT",
                "bo BOOLEAN",
                "bo TINYINT",
                "du INT",
                "e INT",
                "e STRING",
                "eu STRING",
                "d DOUBLE",
                "d DECIMAL(12,2)",
            ],
            rows: &[
                "1,-128,0,-32768,0,-8388608,0,-2147483648,0,-9223372036854775808,0,1901,0",
                "2,127,255,32767,65535,8388607,16777215,2147483647,4294967295,9223372036854775807,\
                 18446744073709551615,2155,1",
                "3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
                "4,-1,128,-1,32768,-1,8388608,-1,2147483648,-1,9223372036854775808,0,2",
            ],
            after: &[
                "UPDATE integers SET a=5 WHERE id=1",
                "UPDATE integers SET id=40 WHERE id=4",
                "DELETE FROM integers WHERE id=2",
            ],
            ..CASE
        },
        Case {
            name: "floats",
            create: "(id int PRIMARY KEY, f float, d double)",
            declared: &[
                "id INT", "f FLOAT", "d DOUBLE", "d FLOAT", "f DOUBLE", "f STRING", "d STRING",
            ],
            rows: &[
                "1,16777216,1e10",
                "2,3.4028235E38,1.7976931348623157e308",
                "3,-0.0,5e-324",
                "4,0.1,0.1",
            ],
            ..CASE
        },
        Case {
            name: "decimals",
            create: "(id int PRIMARY KEY, a decimal(10,2), b decimal(5,0), c decimal(38,10), d decimal(38,30), \
                     e decimal(65,30), g decimal(18,9), h decimal(9,9))",
            declared: &[
                "id INT",
                "a DECIMAL(10,2)",
                "b DECIMAL(5,0)",
                "c DECIMAL(38,10)",
                "d DECIMAL(38,30)",
                "e STRING",
                "g DECIMAL(18,9)",
                "h DECIMAL(9,9)",
                "a DECIMAL(4,1)",
                "e DECIMAL(38,2)",
                "d STRING",
                "a DOUBLE",
            ],
            rows: &[
                "1,99999999.99,99999,9999999999999999999999999999.9999999999,\
                 12345678.123456789012345678901234567890,\
                 99999999999999999999999999999999999.999999999999999999999999999999,999999999.999999999,0.999999999",
                "2,-99999999.99,-99999,-9999999999999999999999999999.9999999999,\
                 -12345678.999999999999999999999999999999,-0.000000000000000000000000000001,-0.000000001,-0.5",
                "3,0,0,0,0,0,0,0",
                "4,1.15,-1,1.5,0.1,123.455,0.1,0.1",
                "5,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
            ],
            ..CASE
        },
        Case {
            name: "bits",
            create: "(id int PRIMARY KEY, a bit(1), b bit(8), c bit(20), d bit(64))",
            declared: &[
                "id INT",
                "a BOOLEAN",
                "b BYTES",
                "c BYTES",
                "d BYTES",
                "a STRING",
                "a INT",
            ],
            rows: &[
                "1,b'0',b'0',b'0',b'0'",
                "2,b'1',b'11111111',b'11111111111111111111',x'ffffffffffffffff'",
                "3,NULL,NULL,NULL,NULL",
                "4,b'1',b'10000001',b'10000000000000000001',x'8000000000000001'",
            ],
            ..CASE
        },
    ]
}

fn times() -> Vec<Case> {
    vec![
        Case {
            name: "temporal",
            create: "(id int PRIMARY KEY, a date, b time, c time(3), d time(6), e datetime, f datetime(3), \
                     g datetime(6), h timestamp NULL, i timestamp(3) NULL, j timestamp(6) NULL)",
            declared: &[
                "id INT",
                "a DATE",
                "b TIME(0)",
                "c TIME(3)",
                "d TIME(6)",
                "e TIMESTAMP(0)",
                "f TIMESTAMP(3)",
                "g TIMESTAMP(6)",
                "h LTZ(0)",
                "i LTZ(3)",
                "j TIMESTAMP(6)",
                "a STRING",
                "d STRING",
                "f STRING",
                "g STRING",
                "i STRING",
                "g TIMESTAMP(2)",
                "g TIMESTAMP(9)",
            ],
            rows: &[
                "1,'1000-01-01','00:00:00','00:00:00.000','00:00:00.000000','1000-01-01 00:00:00',\
                 '1000-01-01 00:00:00.000','1000-01-01 00:00:00.000000','1970-01-01 00:00:01',\
                 '1970-01-01 00:00:01.000','1970-01-01 00:00:01.000000'",
                "2,'9999-12-31','23:59:59','23:59:59.999','23:59:59.999999','9999-12-31 23:59:59',\
                 '9999-12-31 23:59:59.999','9999-12-31 23:59:59.999999','2038-01-19 03:14:07',\
                 '2038-01-19 03:14:07.999','2038-01-19 03:14:07.999999'",
                "3,'2024-02-29','12:34:56','12:34:56.789','12:34:56.789012','2024-02-29 12:34:56',\
                 '2024-02-29 12:34:56.789','2024-02-29 12:34:56.789012','2024-02-29 12:34:56',\
                 '2024-02-29 12:34:56.789','2024-02-29 12:34:56.789012'",
                "4,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
                "5,'1582-10-10','01:02:03','01:02:03.004','01:02:03.000005','1582-10-10 00:00:00',\
                 '1900-01-01 00:00:00.001','1969-12-31 23:59:59.999999','2024-07-01 00:00:00',\
                 '2001-09-09 01:46:40.001','2001-09-09 01:46:40.000001'",
                "6,'0001-01-01','00:00:01','00:00:00.001','00:00:00.000001','0099-12-31 23:59:59',\
                 '1969-12-31 23:59:59.001','1970-01-01 00:00:00.000001','2024-03-31 00:59:59',\
                 '2024-03-31 01:00:00.5','2024-10-27 01:00:00.25'",
            ],
            zone: "Europe/Berlin",
            ..CASE
        },
        Case {
            name: "long_times",
            create: "(id int PRIMARY KEY, a time, b time(1), c time(2), d time(3), e time(4), f time(5), g time(6))",
            declared: &[
                "id INT", "a STRING", "b STRING", "c STRING", "d STRING", "e STRING", "f STRING",
                "g STRING", "g BIGINT",
            ],
            rows: &[
                "1,'838:59:59','838:59:58.9','838:59:58.99','838:59:58.999','838:59:58.9999','838:59:58.99999',\
                 '838:59:58.999999'",
                "2,'-838:59:59','-838:59:58.9','-838:59:58.99','-838:59:58.999','-838:59:58.9999',\
                 '-838:59:58.99999','-838:59:58.999999'",
                "3,'-00:00:01','-00:00:00.1','-00:00:00.01','-00:00:00.001','-00:00:00.0001','-00:00:00.00001',\
                 '-00:00:00.000001'",
                "4,'-12:34:56','-12:34:56.0','-12:34:56.78','-12:34:56.7','-12:34:56.789','-12:34:56.5',\
                 '-12:34:56.500000'",
            ],
            ..CASE
        },
        Case {
            name: "zero_dates",
            create: "(id int PRIMARY KEY, a date, b datetime, c datetime(6), d timestamp NULL, e date, f year, \
                     g datetime, h date NOT NULL, i datetime(3) NOT NULL, j timestamp NOT NULL)",
            declared: &[
                "id INT",
                "a DATE",
                "b TIMESTAMP(0)",
                "c TIMESTAMP(6)",
                "d LTZ(0)",
                "e DATE",
                "f INT",
                "g TIMESTAMP(0)",
                "h DATE",
                "i TIMESTAMP(3)",
                "j TIMESTAMP(0)",
                "a STRING",
                "i STRING",
            ],
            rows: &[
                "1,'0000-00-00','0000-00-00 00:00:00','0000-00-00 00:00:00.000000','0000-00-00 00:00:00',\
                 '2024-00-00','0000','2024-01-00 10:00:00','2024-01-01','2024-01-01','2024-01-01'",
                "2,'2024-00-15','2024-00-15 00:00:00','2024-15-01 00:00:00','2024-01-01 00:00:00','0000-01-01',0,\
                 '0000-00-00 10:00:00','0000-00-00','0000-00-00','0000-00-00'",
                "3,'2023-02-31','2023-02-31 01:02:03',NULL,NULL,NULL,NULL,NULL,'2023-02-31','2023-02-31',\
                 '2024-01-01'",
            ],
            ..CASE
        },
    ]
}

fn texts() -> Vec<Case> {
    vec![
        Case {
            name: "texts",
            create: "(id int PRIMARY KEY, a char(10), b varchar(50), c varchar(50) character set latin1, \
                     d varchar(50) character set utf8mb3, g tinytext, h text, i mediumtext, j longtext, \
                     k varchar(300) character set ascii, l varchar(50) collate utf8mb4_bin, \
                     m char(255) character set utf8mb4, n text character set ucs2, \
                     o varchar(20) character set utf16le) \
                     DEFAULT CHARSET utf8mb4",
            declared: &[
                "id INT", "a STRING", "b STRING", "c STRING", "d STRING", "g STRING", "h STRING",
                "i STRING", "j STRING", "k STRING", "l STRING", "m STRING", "n STRING", "o STRING",
            ],
            rows: &[
                "1,'','','','','','','','','','','','',''",
                "2,'trail   ','trail   ','café ÿ € \u{81}','日本語','ไทย','😀🏳️‍🌈','Ωmega','ﷺ','ascii~',\
                 'ÄÖÜ','😀😀😀😀😀','Ωδ','😀x'",
                "3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
                "4,'a\\0b','tab\\there','nl\\nhere','cr\\rx','\\0','\\Z','%_','{}','x',' lead','  ','x','y'",
                "5,repeat('é',10),repeat('é',50),repeat('ÿ',50),repeat('語',50),repeat('t',255),\
                 repeat('x',300),repeat('m',300),repeat('l',300),repeat('k',300),'l',repeat('語',255),'n','o'",
            ],
            ..CASE
        },
        Case {
            name: "charsets",
            create: "(id int PRIMARY KEY, a varchar(50) character set cp1251, b varchar(50) character set big5, \
                     c varchar(50) character set sjis, d varchar(50) character set euckr, \
                     e varchar(50) character set latin2, f varchar(50) character set cp1256, \
                     g varchar(50) character set tis620, h char(8) character set ucs2, \
                     i varchar(50) character set utf32, k text character set koi8r, \
                     l varchar(50) character set gbk, m varchar(50) character set utf16, \
                     n varchar(50) character set cp932, o varchar(50) character set ujis, \
                     p varchar(50) character set eucjpms, q varchar(50) character set greek, \
                     r varchar(50) character set hebrew, s varchar(50) character set latin5, \
                     t varchar(50) character set latin7, u varchar(50) character set cp1250, \
                     v varchar(50) character set cp1257, w varchar(50) character set koi8u, \
                     x varchar(50) character set gb2312)",
            declared: &[
                "id INT", "a STRING", "b STRING", "c STRING", "d STRING", "e STRING", "f STRING",
                "g STRING", "h STRING", "i STRING", "k STRING", "l STRING", "m STRING", "n STRING",
                "o STRING", "p STRING", "q STRING", "r STRING", "s STRING", "t STRING", "u STRING",
                "v STRING", "w STRING", "x STRING",
            ],
            rows: &[
                "1,'Привет','繁體中文','日本語カナ','한국어','Łódź','مرحبا','ภาษาไทย','Ωδ','😀x','Привет',\
                 '中文汉字','日本😀','～−①','日本〜','日本①','Ωδ','שלום','ığüş','āčė','Łódź','āčė','їґ','中文'",
            ],
            ..CASE
        },
        Case {
            name: "binaries",
            create: "(id int PRIMARY KEY, a binary(4), b varbinary(10), c tinyblob, d blob, e mediumblob, \
                     f longblob, g binary(16), h varbinary(300))",
            declared: &[
                "id INT", "a BYTES", "b BYTES", "c BYTES", "d BYTES", "e BYTES", "f BYTES",
                "g BYTES", "h BYTES", "b STRING",
            ],
            rows: &[
                "1,x'01020304',x'00ff',x'',x'deadbeef',x'00',x'ff',x'000102030405060708090a0b0c0d0e0f',x''",
                "2,x'01',x'',x'00',x'',x'0a',x'0d',x'01',repeat(x'ab',300)",
                "3,x'',NULL,NULL,NULL,NULL,NULL,NULL,NULL",
                "4,NULL,x'ffffffffffffffffffff',repeat(x'ab',255),repeat(x'cd',300),x'',x'',\
                 x'00000000000000000000000000000000',x'00'",
            ],
            ..CASE
        },
        Case {
            name: "members",
            create: "(id int PRIMARY KEY, a enum('x','y','','ไทย'), b set('a','b','c','d e'), \
                     c enum('1','2','10') character set latin1, d set('q') NOT NULL, e set('é','b') character set \
                     latin1) DEFAULT CHARSET utf8mb4",
            declared: &[
                "id INT",
                "a STRING",
                "b STRINGS",
                "c STRING",
                "d STRINGS",
                "e STRING",
                "c INT",
            ],
            rows: &[
                "1,'x','a','1','q','é'",
                "2,'y','a,c','2','','é,b'",
                "3,'','','10','q',''",
                "4,NULL,NULL,NULL,'q',NULL",
                "5,'ไทย','a,b,c,d e','2','q','b'",
            ],
            ..CASE
        },
    ]
}

fn documents() -> Vec<Case> {
    vec![
        Case {
            name: "json",
            server: "mysql",
            create: "(id int PRIMARY KEY, j json)",
            declared: &["id INT", "j STRING"],
            rows: &[
                r#"1,'{"b":1,"a":"x","longer":2}'"#,
                "2,'[]'",
                "3,'{}'",
                "4,'null'",
                "5,NULL",
                "6,'[true,false,123,-9223372036854775808,18446744073709551615,1.5,1e100,0.1,100.0,1e2,-0.0]'",
                "7,'[1e14,1e15,1e16,123456789012345678,1234567890123456.7,1e-14,1e-15,1e-16,1.5e-7,5e-324,\
                 1.7976931348623157e308,123456789.125,-1e-5,12345678901234567890123]'",
                r#"8,'"\\u00e9 😀 \\"q\\" \\\\ \\/ \\n \\b\\f\\r\\t \\u0001 \\u007f"'"#,
                r#"9,'[1, [2, {"k": [true,false,null]}]]'"#,
                r#"10,'{"":"empty key","ไทย":"😀"}'"#,
                "11,'[-128, 32768, -32769, 2147483648, 65536, 4294967295, 65535]'",
                "12,JSON_OBJECT('d',CAST('2024-02-29' AS DATE),'t',CAST('-12:34:56.5' AS TIME(1)),\
                 'dt',CAST('2024-02-29 12:34:56.789' AS DATETIME(3)),'n',CAST(1.50 AS DECIMAL(10,2)),\
                 'm',CAST(-12345678901234567890.000000001 AS DECIMAL(40,9)),'b',x'deadbeef','y',CAST(2024 AS YEAR))",
                "13,JSON_ARRAY(CAST(repeat('x',200) AS BINARY),b'101',CAST('838:59:59' AS TIME))",
                "14,JSON_ARRAY(repeat('a',200),repeat('b',300),JSON_OBJECT(repeat('k',300),1,'s',\
                 JSON_ARRAY(1,-1,100000,-100000,5000000000)))",
            ],
            after: &[
                "UPDATE json SET j=JSON_SET(j,'$.z',1.50) WHERE id=3",
                "SET binlog_row_value_options=PARTIAL_JSON",
                "UPDATE json SET j=JSON_SET(j,'$.a',CAST('[1, 2]' AS JSON),'$.\"x y\"',true) WHERE id=1",
                "UPDATE json SET j=JSON_REMOVE(JSON_REPLACE(j,'$[1][1].k[0]',5),'$[0]') WHERE id=9",
                "UPDATE json SET j=JSON_ARRAY_INSERT(j,'$[1]','new') WHERE id=11",
                "UPDATE json SET j=JSON_SET(j,'$.n',7), id=120 WHERE id=12",
                "SET binlog_row_value_options=''",
            ],
            ..CASE
        },
        Case {
            name: "geometries",
            create: "(id int PRIMARY KEY, a point, b linestring, c polygon, d geometry, e geometrycollection, \
                     f multipoint, g multilinestring, h multipolygon)",
            declared: &[
                "id INT", "a STRING", "b STRING", "c STRING", "d STRING", "e STRING", "f STRING",
                "g STRING", "h STRING",
            ],
            rows: &[
                "1,ST_GeomFromText('POINT(1 2)'),ST_GeomFromText('LINESTRING(0 0,1 1.5)'),\
                 ST_GeomFromText('POLYGON((0 0,0 4,4 4,4 0,0 0),(1 1,1 2,2 2,2 1,1 1))'),\
                 ST_GeomFromText('POINT(-1.25 1e10)'),\
                 ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'),\
                 ST_GeomFromText('MULTIPOINT(1 1,2 2)'),\
                 ST_GeomFromText('MULTILINESTRING((0 0,1 1),(2 2,3 3))'),\
                 ST_GeomFromText('MULTIPOLYGON(((0 0,0 4,4 4,4 0,0 0)),((9 9,9 10,10 10,10 9,9 9)))')",
                "2,NULL,NULL,NULL,ST_GeomFromText('POINT(1 2)',4326),NULL,NULL,NULL,NULL",
            ],
            ..CASE
        },
        Case {
            name: "vectors",
            server: "mysql",
            create: "(id int PRIMARY KEY, v vector(3))",
            declared: &["id INT", "v BYTES"],
            rows: &["1,STRING_TO_VECTOR('[1,2.5,-3]')", "2,NULL"],
            ..CASE
        },
        Case {
            name: "own_types",
            server: "mariadb",
            create: "(id int PRIMARY KEY, u uuid, i4 inet4, i6 inet6, j json)",
            declared: &["id INT", "u STRING", "i4 STRING", "i6 STRING", "j STRING"],
            rows: &[
                "1,'123e4567-e89b-12d3-a456-426655440000','192.168.0.1','2001:db8::ff00:42:8329','{\"a\": 1}'",
                "2,'ffffffff-ffff-ffff-ffff-fffffffffffe','0.0.0.0','::',NULL",
                "3,NULL,NULL,'::ffff:1.2.3.4','[1,2]'",
            ],
            ..CASE
        },
        Case {
            name: "generated_columns",
            create: "(id int PRIMARY KEY, n int, vi int AS (n*2) VIRTUAL, st int AS (n*3) STORED, last varchar(9))",
            declared: &["id INT", "n INT", "st INT", "last STRING", "nope STRING"],
            rows: &["1,7,DEFAULT,DEFAULT,'x'", "2,NULL,DEFAULT,DEFAULT,'y'"],
            after: &["UPDATE generated_columns SET n=8 WHERE id=1"],
            ..CASE
        },
    ]
}
