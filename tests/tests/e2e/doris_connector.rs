//! The real flink-doris-connector, unmodified in Flink, against the stand-in: it believes it, exactly once through a kill.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use millrace_dev_doris::{DorisStandIn, Options, TransactionState};
use tempfile::TempDir;

const ROWS: u64 = 2_500;
/// So that the job lasts some checkpoints.
const ROWS_A_SECOND: u64 = 500;
const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "p@ss w:1";
const TABLE: &str = "CREATE DATABASE db1; CREATE TABLE db1.numbered (
  id BIGINT NOT NULL, name VARCHAR(40), amount DECIMAL(18, 4), day DATE, at DATETIME(3), maybe INT, text STRING, even BOOLEAN
) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES('replication_num' = '1')";

/// A run of Flink's SQL client with all of Flink in it.
struct Flink {
    child: Child,
    folder: PathBuf,
}

impl Flink {
    fn start(folder: &Path, fenodes: &str, savepoint: Option<&Path>) -> Result<Self> {
        let conf = folder.join("conf");
        std::fs::create_dir_all(&conf)?;
        std::fs::write(conf.join("flink-conf.yaml"), configuration(folder))?;
        std::fs::write(folder.join("job.sql"), job(fenodes, savepoint))?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/flink-doris.sh");
        let child = Command::new(&script)
            .arg("run")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be run", script.display()))?;
        Ok(Self {
            child,
            folder: folder.to_owned(),
        })
    }

    /// Ends it as a power failure would.
    fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn ensure_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("Flink ended too early ({status})\n{}", self.told()),
        }
    }

    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let told = self.told();
                ensure!(
                    status.success() && !told.contains("[ERROR]"),
                    "Flink failed ({status})\n{told}"
                );
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "Flink does not end\n{}",
                self.told()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn told(&mut self) -> String {
        let _ = self.child.kill();
        let mut told = String::new();
        if let Some(stdout) = &mut self.child.stdout {
            let _ = stdout.read_to_string(&mut told);
        }
        if let Some(stderr) = &mut self.child.stderr {
            let _ = stderr.read_to_string(&mut told);
        }
        let log = std::fs::read_to_string(self.folder.join("flink.log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(40).collect();
        told.extend(last.into_iter().rev().flat_map(|line| [line, "\n"]));
        told
    }
}

impl Drop for Flink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "execution.target: local
parallelism.default: 1
rest.bind-port: 0
rest.port: 0
execution.checkpointing.interval: 700ms
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
state.checkpoints.dir: file://{folder}/checkpoints
restart-strategy: none
io.tmp.dirs: {folder}/tmp
"
    )
}

/// The tab is written as `\0009`: in a file, a tab is a key to Flink's SQL client.
fn job(fenodes: &str, savepoint: Option<&Path>) -> String {
    let restore = savepoint.map_or(String::new(), |path| {
        format!(
            "SET 'execution.savepoint.path' = 'file://{}';\n",
            path.display()
        )
    });
    format!(
        "SET 'table.dml-sync' = 'true';
{restore}CREATE TABLE source (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '{ROWS_A_SECOND}',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{ROWS}');
CREATE TABLE numbered (id BIGINT, name STRING, amount DECIMAL(18, 4), `day` DATE, `at` TIMESTAMP(3), maybe INT, `text` STRING, `even` BOOLEAN) WITH (
  'connector' = 'doris',
  'fenodes' = '{fenodes}',
  'table.identifier' = 'db1.numbered',
  'username' = 'root',
  'password' = '{PASSWORD}',
  'sink.properties.format' = 'json',
  'sink.properties.read_json_by_line' = 'true',
  'sink.enable-2pc' = 'true',
  'sink.label-prefix' = 'real'
);
INSERT INTO numbered SELECT id, CONCAT('n-', CAST(id AS STRING)), CAST(id AS DECIMAL(18, 4)) / 8, DATE '2024-02-29',
  TIMESTAMP '2024-03-01 12:34:56.789', CASE WHEN MOD(id, 2) = 0 THEN CAST(NULL AS INT) ELSE CAST(id AS INT) END,
  CONCAT(U&'tab\\0009你\"q', CAST(id AS STRING)), MOD(id, 2) = 0 FROM source;
"
    )
}

/// Returns the newest checkpoint that is whole.
fn newest_checkpoint(folder: &Path) -> Result<PathBuf> {
    let mut found = Vec::new();
    for job in std::fs::read_dir(folder.join("checkpoints"))? {
        for entry in std::fs::read_dir(job?.path())? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Some(number) = name.strip_prefix("chk-")
                && path.join("_metadata").exists()
            {
                found.push((number.parse::<u64>()?, path));
            }
        }
    }
    let newest = found.into_iter().max();
    newest
        .map(|(_, path)| path)
        .context("there is no checkpoint to restore")
}

fn visible_rows(doris: &DorisStandIn) -> Result<u64> {
    let all = doris.transactions()?.into_iter();
    let visible = all.filter(|one| one.state == TransactionState::Visible);
    Ok(visible.map(|one| one.rows).sum())
}

fn has_prepared(doris: &DorisStandIn) -> Result<bool> {
    let all = doris.transactions()?;
    let is_prepared = |state| state == TransactionState::Precommitted;
    // An empty one is the connector's own probe.
    Ok(all.iter().any(|one| is_prepared(one.state) && one.rows > 0))
}

#[test]
fn the_real_connector_loads_each_row_once_through_a_kill() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let data = TempDir::new()?;
    let doris = DorisStandIn::start(Options {
        password: PASSWORD.into(),
        more_http_ports: vec![0],
        more_be_ports: vec![0],
        ..Options::in_folder(data.path())
    })?;
    doris.execute(TABLE)?;
    let fenodes = doris.fe_addresses().join(",");
    let folder = TempDir::new()?;

    let mut first = Flink::start(folder.path(), &fenodes, None)?;
    let deadline = Instant::now() + PATIENCE;
    // Best between prepare and commit; a pipeline that is too quick for that is killed later, anywhere.
    loop {
        let visible = visible_rows(&doris)?;
        if visible > 0 && (has_prepared(&doris)? || visible >= ROWS / 2) {
            break;
        }
        first.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "nothing is committed\n{}",
            first.told()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill()?;
    let during = visible_rows(&doris)?;
    let state = if has_prepared(&doris)? {
        "and more were prepared"
    } else {
        "and nothing was prepared"
    };
    eprintln!("{during} of {ROWS} rows were visible at the kill, {state}");
    ensure!(
        during < ROWS,
        "the kill came too late: the test tests nothing"
    );

    let checkpoint = newest_checkpoint(folder.path())?;
    Flink::start(folder.path(), &fenodes, Some(&checkpoint))?.wait()?;
    let rows = doris.rows("db1", "numbered")?;
    let mut ids: Vec<u64> = rows.iter().filter_map(|row| row["id"].as_u64()).collect();
    ids.sort_unstable();
    ensure!(
        ids == (1..=ROWS).collect::<Vec<_>>(),
        "{} rows, {} different ones",
        rows.len(),
        {
            ids.dedup();
            ids.len()
        }
    );
    let row = rows.iter().find(|row| row["id"] == 7).context("row 7")?;
    ensure!(
        row["amount"] == "0.8750"
            && row["at"] == "2024-03-01 12:34:56.789"
            && row["maybe"] == 7
            && row["text"] == "tab\t你\"q7"
            && row["even"] == false,
        "{row}"
    );
    Ok(())
}
