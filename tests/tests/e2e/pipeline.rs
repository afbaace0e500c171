//! A pipeline's files and the process that runs it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// From one topic to another; each row keeps the place it came from.
pub(crate) struct Flow {
    brokers: String,
    source_topic: String,
    sink_topic: String,
    source_options: BTreeMap<String, String>,
    sink_options: BTreeMap<String, String>,
}

impl Flow {
    /// Returns the flow from `source_topic` to `sink_topic`, exactly once.
    pub(crate) fn new(brokers: &str, source_topic: &str, sink_topic: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            source_topic: source_topic.to_owned(),
            sink_topic: sink_topic.to_owned(),
            source_options: BTreeMap::new(),
            sink_options: BTreeMap::new(),
        }
    }

    /// Ends the run at the end that the source has when it starts.
    pub(crate) fn bounded(self) -> Self {
        self.source("scan.bounded.mode", "latest-offset")
    }

    /// Adds an option to the source.
    pub(crate) fn source(mut self, key: &str, value: &str) -> Self {
        self.source_options.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds an option to the sink.
    pub(crate) fn sink(mut self, key: &str, value: &str) -> Self {
        self.sink_options.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Returns the pipeline's text.
    pub(crate) fn sql(&self) -> String {
        let Self {
            brokers,
            source_topic,
            sink_topic,
            ..
        } = self;
        let options = |options: &BTreeMap<String, String>| -> String {
            let line = |(key, value): (&String, &String)| format!(",\n  '{key}' = '{value}'");
            options.iter().map(line).collect()
        };
        format!(
            "CREATE TABLE numbered (
  id BIGINT,
  `name` STRING,
  amount INT,
  src_topic STRING METADATA FROM 'topic' VIRTUAL,
  src_partition INT METADATA FROM 'partition' VIRTUAL,
  src_offset BIGINT METADATA FROM 'offset' VIRTUAL
) WITH (
  'connector' = 'kafka',
  'topic' = '{source_topic}',
  'properties.bootstrap.servers' = '{brokers}',
  'properties.group.id' = '{sink_topic}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'{}
);

CREATE TABLE checked (
  id BIGINT,
  `name` STRING,
  amount INT,
  src_topic STRING,
  src_partition INT,
  src_offset BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '{sink_topic}',
  'properties.bootstrap.servers' = '{brokers}',
  'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '{sink_topic}',
  'properties.transaction.timeout.ms' = '600000'{}
);

INSERT INTO checked
SELECT id, UPPER(`name`), amount * 2, src_topic, src_partition, src_offset FROM numbered;
",
            options(&self.source_options),
            options(&self.sink_options)
        )
    }
}

/// An SQL file with its settings, checkpoints and logs in a folder of its own.
pub(crate) struct Pipeline {
    folder: Arc<TempDir>,
    settings: BTreeMap<String, String>,
    starts: AtomicU32,
}

impl Pipeline {
    /// Returns a pipeline of that text, checkpointing each second into its folder.
    pub(crate) fn new(name: &str, sql: &str) -> Result<Self> {
        let folder = Arc::new(tempfile::tempdir()?);
        std::fs::write(folder.path().join("pipeline.sql"), sql)?;
        let checkpoints = format!("file://{}/checkpoints", folder.path().display());
        let pipeline = Self {
            folder,
            settings: BTreeMap::new(),
            starts: AtomicU32::new(0),
        };
        Ok(pipeline
            .set("pipeline.name", &crate::broker::unique(name))
            .set("state.checkpoints.dir", &checkpoints)
            .set("execution.checkpointing.interval", "1s")
            .set("parallelism.default", "2"))
    }

    /// Sets one setting, given to the binary with `-D`.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Starts a process; several may run at once.
    pub(crate) fn start(&self) -> Result<Running> {
        self.spawn(&self.settings, &[])
    }

    /// Starts a process with one setting of its own.
    pub(crate) fn start_setting(&self, key: &str, value: &str) -> Result<Running> {
        let mut settings = self.settings.clone();
        settings.insert(key.to_owned(), value.to_owned());
        self.spawn(&settings, &[])
    }

    /// Starts a process with further arguments.
    pub(crate) fn start_with(&self, arguments: &[&str]) -> Result<Running> {
        self.spawn(&self.settings, arguments)
    }

    /// Returns a setting.
    pub(crate) fn setting(&self, key: &str) -> &str {
        self.settings.get(key).map_or("", String::as_str)
    }

    /// Gives the file another text.
    pub(crate) fn rewrite(&self, sql: &str) -> Result<()> {
        Ok(std::fs::write(
            self.folder.path().join("pipeline.sql"),
            sql,
        )?)
    }

    /// Moves the folder of the checkpoints; later starts look there.
    pub(crate) fn move_checkpoints(mut self, name: &str) -> Result<Self> {
        let from = self.folder.path().join("checkpoints");
        let to = self.folder.path().join(name);
        std::fs::rename(&from, &to)?;
        let location = format!("file://{}", to.display());
        self.settings
            .insert("state.checkpoints.dir".to_owned(), location);
        Ok(self)
    }

    /// Starts `millrace rescale` to so many slots.
    pub(crate) fn rescale(&self, slots: u32) -> Result<Running> {
        let slots = slots.to_string();
        self.spawn_command("rescale", &self.settings, &["--slots", &slots])
    }

    fn spawn(&self, settings: &BTreeMap<String, String>, arguments: &[&str]) -> Result<Running> {
        self.spawn_command("run", settings, arguments)
    }

    fn spawn_command(
        &self,
        name: &str,
        settings: &BTreeMap<String, String>,
        arguments: &[&str],
    ) -> Result<Running> {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.path().join(format!("run-{start}.log"));
        let port = free_port()?;
        let mut command = Command::new(binary()?);
        command
            .arg(name)
            .arg(self.folder.path().join("pipeline.sql"));
        for (key, value) in settings {
            command.arg("-D").arg(format!("{key}={value}"));
        }
        command
            .arg("-D")
            .arg(format!("rest.port={port}"))
            .args(arguments);
        let child = command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()
            .context("the binary could not be started")?;
        Ok(Running {
            child,
            log,
            port,
            _folder: Arc::clone(&self.folder),
        })
    }
}

/// Returns the binary under test.
pub(crate) fn binary() -> Result<PathBuf> {
    let path = match std::env::var_os("MILLRACE_BIN") {
        Some(path) => PathBuf::from(path),
        // This test is <target>/debug/deps/e2e-<hash>.
        None => std::env::current_exe()?
            .ancestors()
            .nth(2)
            .context("the test stands in no target folder")?
            .join("millrace"),
    };
    ensure!(
        path.is_file(),
        "no binary {}: cargo build --workspace --bins",
        path.display()
    );
    Ok(path)
}

/// Returns a port of this machine that is free now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A process; killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    port: u16,
    /// Keeps the pipeline's files as long as the process.
    _folder: Arc<TempDir>,
}

impl Running {
    /// Returns everything that the process has printed.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns the most resident memory that the process has had.
    pub(crate) fn peak_memory_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kilobytes: u64 = kilobytes
            .context("the system does not tell")?
            .trim()
            .parse()?;
        Ok(kilobytes << 10)
    }

    /// Returns the last lines that the process has printed, for a failure's message.
    pub(crate) fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        format!(
            "--- end of the log of process {}\n{end}\n---",
            self.child.id()
        )
    }

    /// Fails when the process has ended.
    pub(crate) fn ensure_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the process ended with {status}\n{}", self.log_end());
        }
        Ok(())
    }

    /// Waits until the process says that it is ready.
    pub(crate) fn wait_until_ready(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !self.get("/readyz").is_ok_and(|(status, _)| status == 200) {
            self.ensure_alive()?;
            ensure!(
                Instant::now() < deadline,
                "not ready after {limit:?}\n{}",
                self.log_end()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Tells whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.ensure_alive()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        self.ensure_alive()?;
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(status.success(), "SIGTERM could not be sent");
        Ok(())
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "the process still runs after {limit:?}\n{}",
                self.log_end()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end and checks the exit code.
    pub(crate) fn ends_with(&mut self, code: i32, limit: Duration) -> Result<()> {
        let status = self.wait(limit)?;
        ensure!(
            status.code() == Some(code),
            "ended with {status} instead of exit code {code}\n{}",
            self.log_end()
        );
        Ok(())
    }

    /// Asks the process to end and checks that it does so in peace.
    pub(crate) fn ends_on_sigterm(&mut self) -> Result<()> {
        self.terminate()?;
        self.ends_with(0, Duration::from_secs(60))
    }

    /// Checks that each of `words` was printed, in any case of letters.
    pub(crate) fn says(&self, words: &[&str]) -> Result<()> {
        let log = self.log().to_lowercase();
        for word in words {
            ensure!(
                log.contains(&word.to_lowercase()),
                "nothing was said of {word:?}\n{}",
                self.log_end()
            );
        }
        Ok(())
    }

    /// Asks the process's HTTP server; returns status and body.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).context("no HTTP status")?.parse()?;
        Ok((status, body.to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when the process has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
