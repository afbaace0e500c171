//! Looks after the server's log while it is read: how much of it is ahead, and whether it may be purged before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millrace_connector::Cancel;
use mysql::Conn;

use crate::config::Config;
use crate::connection::{Purpose, connect, rows, text, wait};
use crate::events::file_number;
use crate::figures::{Outlook, Reached, ReadFigures, now};
use crate::server::{LogEnd, log_files};

/// How often the server is asked, at the least,
const EVERY_MAX: Duration = Duration::from_secs(10);
/// and at the most.
const EVERY_MIN: Duration = Duration::from_secs(1);
/// How often the same is said.
const WARN_EVERY: Duration = Duration::from_secs(600);

/// How long the server keeps its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Files that were written last so long ago are purged.
    pub(crate) seconds: Option<u64>,
    /// The variable that says so counts days.
    counts_days: bool,
    /// When all files have so many bytes, the oldest are purged.
    pub(crate) bytes: Option<u64>,
}

/// Why what is not yet read may be purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Danger {
    /// With the numbers.
    pub(crate) text: String,
    /// A statement.
    pub(crate) help: String,
}

/// Asks for the server's retention.
pub(crate) fn retention(conn: &mut Conn) -> Result<Retention, mysql::Error> {
    let found = rows(
        conn,
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds','expire_logs_days',\
         'binlog_expire_logs_auto_purge','max_binlog_total_size','binlog_space_limit')",
    )?;
    let variable = |name: &str| {
        let row = found
            .iter()
            .find(|row| text(row, 0).is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
        text(row, 1)
    };
    Ok(of_variables(variable))
}

fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Retention {
    const DAY: f64 = 86_400.0;
    let number = |name: &str| {
        let value = variable(name)?.parse::<f64>().ok()?;
        (value > 0.0).then_some(value)
    };
    let purges = variable("binlog_expire_logs_auto_purge").is_none_or(|value| value != "OFF");
    let seconds = number("binlog_expire_logs_seconds");
    let days = number("expire_logs_days").map(|days| days * DAY);
    Retention {
        seconds: seconds
            .or(days)
            .filter(|_| purges)
            .map(|seconds| seconds as u64),
        counts_days: variable("binlog_expire_logs_seconds").is_none(),
        bytes: number("max_binlog_total_size")
            .or(number("binlog_space_limit"))
            .map(|bytes| bytes as u64),
    }
}

/// Compares how far reading has come with what the server keeps. `files` are its files with their sizes, oldest first.
pub(crate) fn look(
    reached: &Reached,
    files: &[LogEnd],
    keeps: Retention,
    now: u64,
) -> (Outlook, Option<Danger>) {
    let at = &reached.place;
    let number = file_number(&at.file);
    let bytes = |file: &LogEnd| match file_number(&file.file) {
        other if other == number => file.pos.saturating_sub(at.pos),
        other if other > number => file.pos,
        _ => 0,
    };
    let behind: u64 = files.iter().map(bytes).sum();
    let mut outlook = Outlook {
        bytes_behind: behind,
        purge_in: None,
    };
    let (Some(first), Some(last)) = (files.first(), files.last()) else {
        return (outlook, None);
    };
    if file_number(&first.file) > number {
        let text = format!(
            "what follows {at} was purged ({} is the oldest file): reading goes on only while the connection lasts, {behind} bytes are left",
            first.file
        );
        let help =
            "run: PURGE BINARY LOGS only up to files that every reader has passed".to_owned();
        outlook.purge_in = Some(0.0);
        return (outlook, Some(Danger { text, help }));
    }
    // The file that is written to is never purged, and one that is read to its end is not needed.
    if behind == 0 || file_number(&last.file) == number {
        return (outlook, None);
    }
    let age = reached.age(now);
    if let Some(seconds) = keeps.seconds {
        outlook.purge_in = Some(seconds.saturating_sub(age) as f64);
        if age >= seconds / 2 {
            let text = format!(
                "reading is {age} s and {behind} bytes behind at {at}, and the server keeps its binary log for {seconds} s"
            );
            return (
                outlook,
                Some(Danger {
                    text,
                    help: longer(keeps, seconds.max(age)),
                }),
            );
        }
    }
    let all: u64 = files.iter().map(|file| file.pos).sum();
    let passed = all - behind;
    if let Some(max) = keeps.bytes
        && behind >= max / 2
    {
        let text = format!(
            "reading is {behind} bytes behind at {at}, and the server keeps {max} bytes of binary log ({passed} bytes of what it has are read)"
        );
        let help = format!(
            "run: SET GLOBAL max_binlog_total_size={}; or give it more room",
            max * 2
        );
        return (outlook, Some(Danger { text, help }));
    }
    (outlook, None)
}

/// Returns the statement that makes the server keep its log twice as long.
fn longer(keeps: Retention, seconds: u64) -> String {
    if keeps.counts_days {
        let days = (seconds * 2).div_ceil(86_400).min(99);
        return format!("run: SET GLOBAL expire_logs_days={days};");
    }
    format!(
        "run: SET GLOBAL binlog_expire_logs_seconds={};",
        (seconds * 2).min(u64::from(u32::MAX))
    )
}

/// Watches until the source is closed.
pub(crate) fn start(config: &Arc<Config>, figures: &Arc<ReadFigures>, cancel: &Cancel) {
    let mut watch = Watch {
        config: Arc::clone(config),
        warned_at: None,
    };
    let figures = Arc::downgrade(figures);
    let cancel = cancel.clone();
    let every = config.heartbeat.clamp(EVERY_MIN, EVERY_MAX);
    let started = std::thread::Builder::new()
        .name("mysql-watch".to_owned())
        .spawn(move || {
            while !cancel.is_cancelled() {
                let Some(figures) = figures.upgrade() else {
                    return;
                };
                if let Err(error) = watch.look(&figures) {
                    figures.set_outlook(None);
                    tracing::debug!(table = watch.config.table, %error, "could not look at the server's binary logs");
                }
                drop(figures);
                wait(every, &cancel);
            }
        });
    if let Err(error) = started {
        tracing::warn!(table = config.table, %error, "nobody looks after the server's retention: cannot start a thread");
    }
}

struct Watch {
    config: Arc<Config>,
    warned_at: Option<Instant>,
}

impl Watch {
    fn look(&mut self, figures: &ReadFigures) -> Result<(), Box<dyn std::error::Error>> {
        let reached = figures.reached();
        if reached.place.file.is_empty() {
            return Ok(());
        }
        // Not kept: connections may be few, and others need theirs all the time.
        let mut conn = connect(&self.config, Purpose::Plain)?;
        let files = log_files(&mut conn, &self.config)?;
        let keeps = retention(&mut conn)?;
        drop(conn);
        let (outlook, danger) = look(&reached, &files, keeps, now());
        figures.set_outlook(Some(outlook));
        let Some(danger) = danger else {
            return Ok(());
        };
        if self
            .warned_at
            .is_none_or(|warned| warned.elapsed() >= WARN_EVERY)
        {
            self.warned_at = Some(Instant::now());
            ReadFigures::add(&figures.retention_warnings, 1);
            tracing::warn!(
                table = self.config.table,
                help = danger.help,
                connected = figures.is_connected.load(Ordering::Relaxed),
                "the binary log may be purged before it is read: {}",
                danger.text
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Place;

    fn files(list: &[(&str, u64)]) -> Vec<LogEnd> {
        list.iter()
            .map(|(file, pos)| LogEnd {
                file: (*file).to_owned(),
                pos: *pos,
            })
            .collect()
    }

    fn at(file: &str, pos: u64, event_at: u64) -> Reached {
        Reached {
            place: Place::new(file, pos),
            event_at,
            ..Reached::default()
        }
    }

    fn variables(list: &[(&str, &str)]) -> Retention {
        of_variables(|name| {
            let found = list.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const MYSQL: &[(&str, &str)] = &[
        ("binlog_expire_logs_seconds", "1000"),
        ("binlog_expire_logs_auto_purge", "ON"),
        ("expire_logs_days", "0"),
    ];

    #[test]
    fn retention_of_every_kind_of_server() {
        assert_eq!(variables(MYSQL).seconds, Some(1000));
        let days = variables(&[("expire_logs_days", "1.5")]);
        assert_eq!((days.seconds, days.counts_days), (Some(129_600), true));
        assert_eq!(
            variables(&[
                ("binlog_expire_logs_seconds", "0"),
                ("expire_logs_days", "0")
            ]),
            Retention::default()
        );
        let off = [
            ("binlog_expire_logs_seconds", "9"),
            ("binlog_expire_logs_auto_purge", "OFF"),
        ];
        assert_eq!(variables(&off).seconds, None);
        assert_eq!(
            variables(&[("max_binlog_total_size", "77")]).bytes,
            Some(77)
        );
    }

    #[test]
    fn warns_from_half_of_the_retention_on() {
        let all = files(&[("b.000001", 500), ("b.000002", 900), ("b.000003", 70)]);
        let keeps = variables(MYSQL);
        let (outlook, danger) = look(&at("b.000002", 100, 10_000), &all, keeps, 10_499);
        assert_eq!(outlook.bytes_behind, 870);
        assert_eq!((outlook.purge_in, danger), (Some(501.0), None));
        let (outlook, danger) = look(&at("b.000002", 100, 10_000), &all, keeps, 10_500);
        assert_eq!(outlook.purge_in, Some(500.0));
        let danger = danger.unwrap();
        assert!(
            danger
                .text
                .contains("500 s and 870 bytes behind at b.000002:100")
        );
        assert_eq!(
            danger.help,
            "run: SET GLOBAL binlog_expire_logs_seconds=2000;"
        );
        let days = variables(&[("expire_logs_days", "1")]);
        let (_, danger) = look(&at("b.000002", 100, 10_000), &all, days, 110_000);
        assert_eq!(danger.unwrap().help, "run: SET GLOBAL expire_logs_days=3;");
    }

    #[test]
    fn a_quiet_server_is_no_danger() {
        let all = files(&[("b.000001", 500), ("b.000002", 900)]);
        let keeps = variables(MYSQL);
        // The file that is written to, and nothing to read.
        assert_eq!(look(&at("b.000002", 10, 1), &all, keeps, 9_999_999).1, None);
        let read = files(&[("b.000001", 500), ("b.000002", 0)]);
        assert_eq!(
            look(&at("b.000001", 500, 1), &read, keeps, 9_999_999).1,
            None
        );
        // The last event is old, but until a moment ago there was nothing more.
        let idle = Reached {
            idle_at: 9_999_900,
            ..at("b.000001", 400, 1)
        };
        assert_eq!(look(&idle, &all, keeps, 9_999_999).1, None);
    }

    #[test]
    fn tells_what_is_gone_and_what_is_too_much() {
        let all = files(&[("b.000003", 500), ("b.000004", 900)]);
        let (outlook, danger) = look(&at("b.000002", 10, 1), &all, Retention::default(), 2);
        assert_eq!((outlook.bytes_behind, outlook.purge_in), (1400, Some(0.0)));
        assert!(danger.unwrap().text.contains("was purged (b.000003"));
        let total = variables(&[("max_binlog_total_size", "2000")]);
        let (outlook, danger) = look(&at("b.000003", 100, 1), &all, total, 2);
        assert_eq!(outlook.purge_in, None);
        assert!(danger.unwrap().text.contains("1300 bytes behind"));
        assert_eq!(look(&at("b.000003", 450, 1), &all, total, 2).1, None);
    }
}
