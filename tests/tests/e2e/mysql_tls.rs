//! mysql-cdc and how it signs in: each mode of TLS with right and wrong certificates, each kind of password.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::mysql::Session;
use crate::pipeline::Pipeline;
use crate::services::Service;

/// Makes an authority, another one, and a server's certificate for `localhost` by the first.
fn certificates(folder: &Path) -> Result<()> {
    let script = "set -e
        for name in ca other; do
          openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout $name.key -out $name.pem -subj /CN=$name \
            -addext basicConstraints=critical,CA:TRUE
        done
        openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server
        printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' >extensions
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out server.pem
        chmod 755 . && chmod 644 *";
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .context("openssl could not be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openssl: {said}");
    Ok(())
}

fn server_options(folder: &Path) -> String {
    let folder = folder.display();
    format!("--ssl-ca={folder}/ca.pem --ssl-cert={folder}/server.pem --ssl-key={folder}/server.key")
}

/// Who signs in, where and how.
struct Attempt<'a> {
    host: &'a str,
    user: &'a str,
    password: &'a str,
    mode: &'a str,
    /// The file of authorities.
    authority: &'a str,
    retrieves_key: bool,
}

impl Attempt<'_> {
    /// Reads a table from a snapshot, which needs a connection of every kind; checks the end, and what was said.
    fn ends(&self, port: u16, folder: &Path, refusal: &[&str]) -> Result<()> {
        let Self {
            host,
            user,
            password,
            mode,
            authority,
            retrieves_key,
        } = self;
        let mut options = format!(
            "'jdbc.properties.sslMode' = '{mode}', 'jdbc.properties.allowPublicKeyRetrieval' = '{retrieves_key}'"
        );
        if !authority.is_empty() {
            options.push_str(&format!(
                ", 'jdbc.properties.trustCertificateKeyStoreUrl' = 'file:{}/{authority}.pem',
                   'jdbc.properties.trustCertificateKeyStoreType' = 'PEM'",
                folder.display()
            ));
        }
        let sql = format!(
            "CREATE TABLE s (id INT, v STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'mysql-cdc',
               'hostname' = '{host}', 'port' = '{port}', 'username' = '{user}', 'password' = '{password}',
               'database-name' = 'd', 'table-name' = 't', 'server-time-zone' = '+00:00', 'scan.startup.mode' = 'snapshot',
               {options});
             CREATE TABLE k (id INT, v STRING) WITH ('connector' = 'print'); INSERT INTO k SELECT * FROM s;"
        );
        let mut running = Pipeline::new("mysql-tls", &sql)?.start()?;
        let code = if refusal.is_empty() { 0 } else { 1 };
        let what = || format!("{user} at {host}, {mode} {authority} {retrieves_key}");
        running
            .ends_with(code, Duration::from_secs(60))
            .with_context(what)?;
        let words = if refusal.is_empty() {
            &["through"]
        } else {
            refusal
        };
        running.says(words).with_context(what)
    }
}

const PLAIN: Attempt<'_> = Attempt {
    host: "127.0.0.1",
    user: "cdc",
    password: "cdc",
    mode: "PREFERRED",
    authority: "",
    retrieves_key: false,
};

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id int PRIMARY KEY, v varchar(20)); INSERT INTO d.t VALUES (1, 'through')";
const RIGHTS: &str = "SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.*";

#[test]
fn every_mode_of_tls_and_every_password_of_mysql() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    certificates(folder)?;
    let server = Service::mysql_with(13_534, &server_options(folder))?;
    let port = server.port();
    let mut session = Session::open(&server)?;
    session.query(&format!(
        "{TABLE}; CREATE USER safe IDENTIFIED BY 'p' REQUIRE SSL; GRANT {RIGHTS} TO safe;
         CREATE USER none IDENTIFIED BY ''; GRANT {RIGHTS} TO none;
         CREATE USER old IDENTIFIED WITH sha256_password BY 'p'; GRANT {RIGHTS} TO old"
    ))?;
    // The server forgets whose password it has seen.
    let mut cold = || session.query("FLUSH PRIVILEGES").map(drop);

    let issuer: &[&str] = &[
        "no TLS connection",
        "UnknownIssuer",
        "trustCertificateKeyStoreUrl",
    ];
    let name: &[&str] = &["no TLS connection", "not valid for name", "'hostname'"];
    for (mode, host, authority, refusal) in [
        ("PREFERRED", "127.0.0.1", "", &[][..]),
        ("REQUIRED", "127.0.0.1", "", &[]),
        ("REQUIRED", "127.0.0.1", "other", &[]),
        ("VERIFY_CA", "127.0.0.1", "", issuer),
        ("VERIFY_CA", "127.0.0.1", "other", issuer),
        ("VERIFY_CA", "127.0.0.1", "ca", &[]),
        ("VERIFY_IDENTITY", "127.0.0.1", "ca", name),
        ("VERIFY_IDENTITY", "localhost", "other", issuer),
        ("VERIFY_IDENTITY", "localhost", "ca", &[]),
    ] {
        cold()?;
        Attempt {
            host,
            mode,
            authority,
            ..PLAIN
        }
        .ends(port, folder, refusal)?;
    }

    // Without TLS: the whole password once, by the server's key or not at all; then a proof is enough.
    let disabled = |retrieves_key| Attempt {
        mode: "DISABLED",
        retrieves_key,
        ..PLAIN
    };
    cold()?;
    disabled(false).ends(
        port,
        folder,
        &["over TLS or encrypted", "allowPublicKeyRetrieval"],
    )?;
    disabled(true).ends(port, folder, &[])?;
    disabled(false).ends(port, folder, &[])?;
    let wrong: &[&str] = &[
        "refused user 'cdc' (error 1045)",
        "check username and password",
    ];
    Attempt {
        password: "wrong",
        ..disabled(true)
    }
    .ends(port, folder, wrong)?;
    Attempt {
        password: "wrong",
        ..PLAIN
    }
    .ends(port, folder, wrong)?;
    cold()?;
    Attempt {
        password: "wrong",
        ..disabled(true)
    }
    .ends(port, folder, wrong)?;

    Attempt {
        user: "none",
        password: "",
        ..disabled(false)
    }
    .ends(port, folder, &[])?;
    // All connections are encrypted: this user has no other.
    let safe = Attempt {
        user: "safe",
        password: "p",
        ..PLAIN
    };
    safe.ends(port, folder, &[])?;
    Attempt {
        mode: "DISABLED",
        retrieves_key: true,
        ..safe
    }
    .ends(port, folder, &["refused user 'safe'"])?;
    let old = Attempt {
        user: "old",
        password: "p",
        ..PLAIN
    };
    old.ends(
        port,
        folder,
        &[
            "sha256_password",
            "ALTER USER 'old'",
            "caching_sha2_password",
        ],
    )
}

#[test]
fn native_passwords_of_mariadb_with_and_without_tls() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    certificates(folder)?;
    let server = Service::mariadb_with(13_535, &server_options(folder))?;
    let port = server.port();
    let mut session = Session::open(&server)?;
    session.query(TABLE)?;
    let plugin = session.query("SELECT plugin FROM mysql.user WHERE user = 'cdc'")?;
    ensure!(plugin == ["mysql_native_password"], "{plugin:?}");
    for (mode, authority) in [
        ("DISABLED", ""),
        ("PREFERRED", ""),
        ("REQUIRED", ""),
        ("VERIFY_CA", "ca"),
    ] {
        Attempt {
            mode,
            authority,
            ..PLAIN
        }
        .ends(port, folder, &[])?;
    }
    Attempt {
        password: "wrong",
        mode: "DISABLED",
        ..PLAIN
    }
    .ends(port, folder, &["refused user 'cdc' (error 1045)"])
}
