//! Kafka into two tables of Doris: death at each point of the protocol between prepare and the last commit.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use millrace_dev_doris::{Fault, FaultPoint, Settings, TransactionState};

use crate::broker::{Broker, RowWriter};
use crate::doris::Doris;
use crate::pipeline::{Pipeline, Running};

const PARTITIONS: usize = 2;
const ROWS_EACH: u64 = 5_000;
pub(crate) const TABLES: [&str; 2] = ["checked", "copied"];

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A load is prepared; its manifest may be on its way.
    Prepared,
    /// The manifest is there, no commit was obeyed.
    BeforeCommits,
    /// One of two tables is committed.
    BetweenCommits,
    /// Commits are obeyed, and their answers do not arrive.
    RepliesLost,
    /// The manifest is there, and the process comes back only when Doris has thrown all away.
    Expired,
    /// One of two tables is committed, and Doris throws the other's load away.
    HalfExpired,
}

impl Point {
    /// What Doris does wrong meanwhile, and how many commits pass unharmed before.
    pub(crate) fn fault(self) -> Option<Fault> {
        let (point, after) = match self {
            Self::Prepared => return None,
            Self::BeforeCommits | Self::Expired => (FaultPoint::CommitServerError, 0),
            Self::BetweenCommits | Self::HalfExpired => (FaultPoint::CommitServerError, 1),
            Self::RepliesLost => (FaultPoint::CommitReplyLost, 0),
        };
        let times = u32::MAX;
        Some(Fault {
            point,
            times,
            after,
        })
    }

    pub(crate) fn is_reached(self, states: &[TransactionState]) -> bool {
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        let prepared = count(TransactionState::Precommitted);
        let visible = count(TransactionState::Visible);
        match self {
            Self::Prepared => prepared > 0,
            Self::BeforeCommits | Self::Expired => prepared == 2 && visible == 0,
            Self::BetweenCommits | Self::HalfExpired => prepared == 1 && visible == 1,
            // The first commit is asked for again and again.
            Self::RepliesLost => visible > 0,
        }
    }

    fn lasts_long(self) -> bool {
        matches!(self, Self::Expired | Self::HalfExpired)
    }
}

pub(crate) fn states_since(doris: &Doris, known: usize) -> Result<Vec<TransactionState>> {
    let all = doris.now().transactions()?;
    Ok(all[known..].iter().map(|one| one.state).collect())
}

pub(crate) fn wait_until(
    process: &mut Running,
    what: &str,
    mut is_so: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so()? {
        process.ensure_alive()?;
        ensure!(
            Instant::now() < deadline,
            "{what} did not come\n{}",
            process.log_end()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

#[test]
fn each_row_is_in_both_tables_once_through_a_death_at_every_point() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("doris-points", PARTITIONS as i32)?;
    let mut doris = Doris::start()?;
    doris.create_table(TABLES[1])?;
    let pipeline = Pipeline::new("doris-points", &doris.sql(&broker, &source, &TABLES))?;
    let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    let points = [
        Point::Prepared,
        Point::BeforeCommits,
        Point::BetweenCommits,
        Point::RepliesLost,
        Point::Expired,
        Point::HalfExpired,
    ];
    for point in points {
        writer.write(ROWS_EACH)?;
        let rows: u64 = writer.finish()?.iter().sum();
        let known = doris.now().transactions()?.len();
        let mut process = pipeline.start()?;
        if let Some(fault) = point.fault() {
            // Not before: recovery commits the last epoch once more.
            wait_until(&mut process, "a load", || {
                Ok(!states_since(&doris, known)?.is_empty())
            })?;
            doris.now().add_fault(fault);
        }
        wait_until(&mut process, &format!("{point:?}"), || {
            Ok(point.is_reached(&states_since(&doris, known)?))
        })?;
        if point != Point::Prepared {
            // So that the manifest is written; commits are tried again meanwhile.
            std::thread::sleep(Duration::from_millis(700));
        }
        process.kill()?;
        if point.lasts_long() {
            let is_over = |precommit_timeout_ms| Settings {
                precommit_timeout_ms,
                ..Settings::default()
            };
            doris.now().set_settings(is_over(-1));
            ensure!(
                !states_since(&doris, known)?.contains(&TransactionState::Precommitted),
                "nothing timed out"
            );
        }
        // Its faults and settings end with it.
        doris.kill_and_restart()?;
        let mut next = pipeline.start()?;
        doris.wait_for(
            rows * TABLES.len() as u64,
            Duration::from_secs(60),
            &mut next,
        )?;
        // All rows may be there before it has begun; then it must still recover without a harm.
        while !next.log().contains("starting") {
            next.ensure_alive()?;
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(300));
        next.ends_on_sigterm()?;
        let repeated = next.log().contains("read and written again");
        ensure!(
            repeated == point.lasts_long(),
            "{point:?}: written again: {repeated}\n{}",
            next.log_end()
        );
        eprintln!("{point:?}: {rows} rows");
    }
    let written = writer.finish()?;
    for table in TABLES {
        doris
            .delivered(table, &source)?
            .ensure_exactly_once(&written)
            .with_context(|| format!("table {table}"))?;
    }
    Ok(())
}
