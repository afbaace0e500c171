//! Whether a server's log is still the one that a position is of: `RESET BINARY LOGS AND GTIDS` begins it again, with the
//! same names of files and the same numbers of transactions for other changes.

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::Conn;

use crate::config::Config;
use crate::dump::{From, Identity};
use crate::events::{code, file_number};
use crate::history;
use crate::position::State;
use crate::server::{self, Server};

/// A file of the log and the second in which it was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) file: String,
    /// 0 if it is not known.
    pub(crate) second: u32,
}

impl Birth {
    /// Returns the file of a position.
    pub(crate) fn of(state: &State) -> Self {
        Self {
            file: state.file.clone(),
            second: state.born,
        }
    }

    /// Checks that the server's log goes on from this file, or went on from it before it was purged.
    ///
    /// # Errors
    /// It began again.
    pub(crate) fn check(
        &self,
        conn: &mut Conn,
        config: &Config,
        server: &Server,
        identity: &Identity,
        cancel: &Cancel,
    ) -> Result<(), ConnectorError> {
        if self.file.is_empty() {
            return Ok(());
        }
        let files = server::log_files(conn, config)?;
        let number = file_number(&self.file);
        let Some(last) = files.last() else {
            return Ok(());
        };
        if file_number(&last.file) < number {
            let reason = format!("its last file is {} now", last.file);
            return Err(began_again(config, &self.file, &reason));
        }
        if self.second == 0 || !files.iter().any(|file| file.file == self.file) {
            return Ok(());
        }
        let mut found = 0;
        let from = From::File {
            file: self.file.clone(),
            pos: 4,
        };
        history::scan(config, server, identity, &from, cancel, |event, _| {
            if event.code == code::FORMAT_DESCRIPTION {
                found = event.timestamp;
            }
            Ok(event.code != code::FORMAT_DESCRIPTION)
        })?;
        self.compare(config, &self.file, found)
    }

    /// Checks what a file says of its begin.
    ///
    /// # Errors
    /// It is this file's name, but another file.
    pub(crate) fn compare(
        &self,
        config: &Config,
        file: &str,
        second: u32,
    ) -> Result<(), ConnectorError> {
        if file != self.file || self.second == 0 || second == 0 || self.second == second {
            return Ok(());
        }
        let time = |second: u32| {
            let at = jiff::Timestamp::from_second(i64::from(second));
            at.map_or_else(|_| second.to_string(), |at| at.to_string())
        };
        let reason = format!(
            "the file was begun at {} when it was read, and there is one of {} now",
            time(self.second),
            time(second)
        );
        Err(began_again(config, file, &reason))
    }
}

fn began_again(config: &Config, file: &str, reason: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Rejected,
        Retry::Never,
        format!(
            "the binary log of MySQL at {} began again since {file} was read (RESET MASTER, RESET BINARY LOGS AND GTIDS, or another data folder): {reason}",
            config.address()
        ),
    )
    .help("what was changed between is not known: correct the tables that were written and start anew with 'initial'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::config;

    #[test]
    fn a_file_of_the_same_name_may_be_another_one() {
        let log = Birth {
            file: "binlog.000001".into(),
            second: 1_700_000_000,
        };
        let is_same = |file: &str, second| log.compare(&config(), file, second).is_ok();
        assert!(is_same("binlog.000001", 1_700_000_000));
        assert!(is_same("binlog.000002", 1_700_000_001));
        assert!(is_same("binlog.000001", 0), "it does not tell");
        assert!(!is_same("binlog.000001", 1_700_000_001));
    }
}
