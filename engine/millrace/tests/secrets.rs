//! A canary in everything that is secret, and every output of the command: none of it sings.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A connector, what a table needs, and its secrets.
type Table = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const TABLES: [Table; 4] = [
    (
        "kafka",
        &[
            ("topic", "t"),
            ("properties.bootstrap.servers", "127.0.0.1:1"),
            ("format", "json"),
            ("scan.startup.mode", "earliest-offset"),
        ],
        &[
            "properties.sasl.jaas.config",
            "properties.ssl.keystore.password",
            "properties.ssl.key.password",
            "properties.sasl.password",
        ],
    ),
    (
        "upsert-kafka",
        &[
            ("topic", "t"),
            ("properties.bootstrap.servers", "127.0.0.1:1"),
            ("key.format", "json"),
            ("value.format", "json"),
        ],
        &[
            "properties.sasl.jaas.config",
            "properties.ssl.truststore.password",
        ],
    ),
    (
        "doris",
        &[
            ("fenodes", "127.0.0.1:1"),
            ("table.identifier", "d.t"),
            ("username", "root"),
            ("sink.label-prefix", "p"),
        ],
        &["password"],
    ),
    (
        "mysql-cdc",
        &[
            ("hostname", "127.0.0.1"),
            ("port", "1"),
            ("username", "u"),
            ("database-name", "d"),
            ("table-name", "t"),
            ("server-time-zone", "UTC"),
            ("connect.max-retries", "1"),
        ],
        &[
            "password",
            "jdbc.properties.trustCertificateKeyStorePassword",
            "debezium.database.ssl.truststore.password",
        ],
    ),
];

/// What may be wrong beside a secret: each is put into the options of the same line.
const MISTAKES: [&str; 14] = [
    "",
    ",'no.such.option'='x'",
    ",'connector'='x'",
    ",'format'='no-such-format'",
    ",'sink.parallelism'='many'",
    ",'scan.startup.mode'='no-such-mode'",
    ",'topic'='a','topic'='b'",
    ",'unclosed'='x",
    ",unquoted=x",
    ",'a' 'b'",
    ",'x'='${no.such.variable}'",
    ",'fenodes'='user:CANARY-address@h'",
    ",'properties.bootstrap.servers'='user:CANARY-address@h'",
    ")) WITH (",
];

fn statement(connector: &str, options: &[(&str, &str)], secrets: &[&str], mistake: &str) -> String {
    let mut written = vec![format!("'connector'='{connector}'")];
    written.extend(
        options
            .iter()
            .map(|(key, value)| format!("'{key}'='{value}'")),
    );
    written.extend(
        secrets
            .iter()
            .enumerate()
            .map(|(n, key)| format!("'{key}'='CANARY-{n}-value'")),
    );
    let options = written.join(",");
    let table = format!(
        "CREATE TABLE a (id BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH ({options}{mistake});"
    );
    let (other, insert) = match connector {
        "doris" => (
            "CREATE TABLE b (id BIGINT) WITH ('connector'='datagen');",
            "INSERT INTO a SELECT id FROM b;",
        ),
        _ => (
            "CREATE TABLE b (id BIGINT) WITH ('connector'='blackhole');",
            "INSERT INTO b SELECT id FROM a;",
        ),
    };
    format!("{table}\n{other}\n{insert}\n")
}

/// Runs the command for at most so long, and returns all that it wrote.
fn output(folder: &Path, args: &[&str], limit: Duration) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    let file = folder.join("output");
    let out = std::fs::File::create(&file).expect("a file");
    let mut child = command
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(out.try_clone().expect("a second handle"))
        .stdout(out)
        .spawn()
        .expect("the binary is built");
    let begin = Instant::now();
    while child.try_wait().expect("its state").is_none() {
        if begin.elapsed() > limit {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = Vec::new();
    let mut file = std::fs::File::open(file).expect("the file");
    file.read_to_end(&mut text).expect("its text");
    String::from_utf8_lossy(&text).into_owned()
}

fn is_silent(what: &str, text: &str) {
    assert!(!text.is_empty(), "{what}: nothing was said");
    let leak = text.lines().find(|line| line.contains("CANARY"));
    assert_eq!(leak, None, "{what}");
}

#[test]
fn no_mistake_beside_a_secret_shows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.sql");
    for (connector, options, secrets) in TABLES {
        for mistake in MISTAKES {
            let sql = statement(connector, options, secrets, mistake);
            std::fs::write(&file, &sql).expect("a file");
            for args in [
                &["check", "p.sql"][..],
                &["check", "--format", "json", "p.sql"],
                &["explain", "p.sql"],
            ] {
                let text = output(folder.path(), args, Duration::from_secs(20));
                if args.contains(&"json") && text.is_empty() {
                    continue;
                }
                is_silent(&format!("{args:?} of {sql}"), &text);
            }
        }
    }
}

#[test]
fn no_run_shows_a_secret_however_much_is_logged() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("p.sql");
    for (connector, options, secrets) in TABLES {
        // A login that is tried; the rest is of encryption, which is refused before.
        let secrets = &secrets[..1];
        let sql = statement(connector, options, secrets, "");
        let sql = sql.replace(
            "CANARY-0-value'",
            match connector {
                "kafka" | "upsert-kafka" => "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"CANARY-0-value\";','properties.security.protocol'='SASL_PLAINTEXT','properties.sasl.mechanism'='PLAIN'",
                _ => "CANARY-0-value'",
            },
        );
        std::fs::write(&file, &sql).expect("a file");
        let args = [
            "--log",
            "trace",
            "run",
            "p.sql",
            "-D",
            "restart-strategy=none",
            "-D",
            "s3.secret-key=CANARY-s3",
            "-D",
            "s3.access-key=CANARY-key",
            "-D",
            "s3.endpoint=http://127.0.0.1:1",
            "--var",
            "db_password=CANARY-variable",
        ];
        let text = output(folder.path(), &args, Duration::from_secs(4));
        is_silent(&format!("run of {connector}"), &text);
        let mut elsewhere = args.to_vec();
        elsewhere.extend(["-D", "state.checkpoints.dir=s3://ak:CANARY-user@bucket/x"]);
        let text = output(folder.path(), &elsewhere, Duration::from_secs(2));
        is_silent(&format!("run of {connector} with a store"), &text);
    }
    for entry in walk(folder.path()) {
        let name = entry.display().to_string();
        if !name.ends_with("p.sql") {
            let bytes = std::fs::read(&entry).expect("a file");
            assert!(
                !String::from_utf8_lossy(&bytes).contains("CANARY"),
                "{name}"
            );
        }
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn a_bad_value_of_a_setting_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("p.sql"), "SELECT 1;").expect("a file");
    std::fs::write(
        folder.path().join("a.conf"),
        "s3.secret-key: CANARY-conf\nno line CANARY\nx: 'password=CANARY-c'\n",
    )
    .expect("a file");
    for args in [
        &["check", "p.sql", "--conf", "a.conf"][..],
        &["check", "p.sql", "-D", "rest.port=user:CANARY@host"],
        &[
            "check",
            "p.sql",
            "-D",
            "s3.secret-keyy=CANARY-typo",
            "-D",
            "rest.port=x",
        ],
        &[
            "checkpoints",
            "s3://ak:CANARY@b/x",
            "-D",
            "s3.endpoint=http://127.0.0.1:1",
        ],
        &[
            "check",
            "p.sql",
            "-D",
            "state.checkpoints.dir=ftp://ak:CANARY@b/x",
            "-D",
            "rest.port=x",
        ],
    ] {
        let text = output(folder.path(), args, Duration::from_secs(2));
        is_silent(&format!("{args:?}"), &text);
    }
}
