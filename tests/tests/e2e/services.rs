//! Servers that one test has for itself, so that it may stop them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::broker::{Broker, unique};
use crate::pipeline::Pipeline;

/// A server run by one of the scripts in `tests/services`; stopped, with its data removed, when dropped.
pub(crate) struct Service {
    script: &'static str,
    variable: &'static str,
    port: u16,
    /// More options of a MySQL or MariaDB server, more lines of a broker's configuration.
    options: String,
}

impl Service {
    /// Starts a second Kafka broker.
    pub(crate) fn kafka(port: u16) -> Result<(Self, Broker)> {
        let service = Self::start_empty("kafka.sh", "KAFKA_PORT", port)?;
        Ok((service, Broker::at(format!("127.0.0.1:{port}"))))
    }

    /// Starts another Kafka broker with more lines of configuration.
    pub(crate) fn kafka_with(port: u16, config: &str) -> Result<(Self, Broker)> {
        let service = Self::start_with("kafka.sh", "KAFKA_PORT", port, config)?;
        Ok((service, Broker::at(format!("127.0.0.1:{port}"))))
    }

    /// Starts a second S3 server.
    pub(crate) fn s3(port: u16) -> Result<(Self, ObjectStore)> {
        let service = Self::start_empty("versitygw.sh", "VERSITYGW_PORT", port)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        Ok((service, ObjectStore { endpoint }))
    }

    /// Starts a MySQL server.
    pub(crate) fn mysql(port: u16) -> Result<Self> {
        Self::start_empty("mysql.sh", "MYSQL_PORT", port)
    }

    /// Starts a MySQL server with more options.
    pub(crate) fn mysql_with(port: u16, options: &str) -> Result<Self> {
        Self::start_with("mysql.sh", "MYSQL_PORT", port, options)
    }

    /// Starts a MariaDB server with more options.
    pub(crate) fn mariadb_with(port: u16, options: &str) -> Result<Self> {
        Self::start_with("mariadb.sh", "MARIADB_PORT", port, options)
    }

    /// Starts a MariaDB server.
    pub(crate) fn mariadb(port: u16) -> Result<Self> {
        Self::start_empty("mariadb.sh", "MARIADB_PORT", port)
    }

    /// Returns the command of the server's own client, as words of a shell.
    pub(crate) fn client(&self) -> String {
        let script = Self::path(self.script);
        format!(
            "env {}={} {} client",
            self.variable,
            self.port,
            script.display()
        )
    }

    /// Returns the server's port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn path(script: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("services")
            .join(script)
    }

    fn start_empty(script: &'static str, variable: &'static str, port: u16) -> Result<Self> {
        Self::start_with(script, variable, port, "")
    }

    fn start_with(
        script: &'static str,
        variable: &'static str,
        port: u16,
        options: &str,
    ) -> Result<Self> {
        let service = Self {
            script,
            variable,
            port,
            options: options.to_owned(),
        };
        service.run("wipe")?;
        service.run("start")?;
        Ok(service)
    }

    /// Starts the server again, on the data it had.
    pub(crate) fn start(&self) -> Result<()> {
        self.run("start")
    }

    /// Stops the server as an operator would.
    pub(crate) fn stop(&self) -> Result<()> {
        self.run("stop")
    }

    /// Ends the server as a power failure would.
    pub(crate) fn kill(&self) -> Result<()> {
        self.run("kill")
    }

    fn run(&self, verb: &str) -> Result<()> {
        let script = Self::path(self.script);
        let output = Command::new(&script)
            .arg(verb)
            .env(self.variable, self.port.to_string())
            .env("MYSQL_OPTS", &self.options)
            .env("MARIADB_OPTS", &self.options)
            .env("KAFKA_CONFIG", &self.options)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{} could not be run", script.display()))?;
        ensure!(
            output.status.success(),
            "{} {verb}: {}",
            self.script,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.run("wipe") {
            eprintln!("{error:#}");
        }
    }
}

/// An S3 server with the keys and the bucket that `versitygw.sh` gives it.
pub(crate) struct ObjectStore {
    endpoint: String,
}

impl ObjectStore {
    /// Returns the server that all tests share.
    pub(crate) fn shared() -> Self {
        let endpoint = std::env::var("MILLRACE_S3_ENDPOINT");
        Self {
            endpoint: endpoint.unwrap_or_else(|_| "http://127.0.0.1:19001".to_owned()),
        }
    }

    /// Makes `pipeline` keep its checkpoints here.
    pub(crate) fn keeps(&self, pipeline: Pipeline) -> Pipeline {
        pipeline
            .set(
                "state.checkpoints.dir",
                &format!("s3://millrace/{}", unique("e2e")),
            )
            .set("s3.endpoint", &self.endpoint)
            .set("s3.path.style.access", "true")
            .set("s3.access-key", "millrace")
            .set("s3.secret-key", "millrace-secret")
            .set("s3.region", "us-east-1")
    }
}
