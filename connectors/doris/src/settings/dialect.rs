//! The two dialects: which cluster, which table, which promise.

use millrace_connector::DeliveryGuarantee;

use super::reader::Reader;
use crate::node::{Node, Scheme};

impl Reader<'_> {
    pub(super) fn frontends(&mut self, scheme: Scheme) -> Vec<Node> {
        let faults = self.faults.len();
        let apache = self.nodes("fenodes", ',', scheme);
        let seed = self.nodes("load-url", ';', scheme);
        if self.faults.len() > faults {
            return Vec::new();
        }
        match (apache.is_empty(), seed.is_empty()) {
            (true, true) => {
                self.missing("'fenodes' or 'load-url'", "'fenodes' = 'fe1:8030,fe2:8030'");
            }
            (false, false) if apache != seed => {
                self.contradiction("fenodes", "load-url", "they name different frontends");
            }
            _ => {}
        }
        if apache.is_empty() { seed } else { apache }
    }

    pub(super) fn identifier(&mut self) -> (String, String) {
        let identifier = self.word("table.identifier");
        let parts = (self.word("database-name"), self.word("table-name"));
        let apache = identifier
            .as_deref()
            .map(|text| db_and_table(text).ok_or(()));
        match (apache, parts) {
            (Some(Err(())), _) => {
                let message = "bad value for option 'table.identifier': it is no db.table";
                self.fault("MR0102", "table.identifier", message);
            }
            (Some(Ok(names)), (None, None)) => return names,
            (Some(Ok(names)), (db, name)) => {
                if db.is_some_and(|db| db != names.0) {
                    self.contradiction(
                        "table.identifier",
                        "database-name",
                        "they name different databases",
                    );
                }
                if name.is_some_and(|name| name != names.1) {
                    self.contradiction(
                        "table.identifier",
                        "table-name",
                        "they name different tables",
                    );
                }
                return names;
            }
            (None, (Some(db), Some(name))) if is_name(&db) && is_name(&name) => return (db, name),
            (None, (Some(_), Some(_))) => {
                self.fault(
                    "MR0102",
                    "table-name",
                    "the name of the database or table has characters that no URL takes",
                );
            }
            (None, _) => self.missing(
                "'table.identifier', or 'database-name' and 'table-name'",
                "'table.identifier' = 'db.table'",
            ),
        }
        Default::default()
    }

    pub(super) fn guarantee(&mut self) -> DeliveryGuarantee {
        let exactly = DeliveryGuarantee::ExactlyOnce;
        let at_least = DeliveryGuarantee::AtLeastOnce;
        let pick = |is_exactly| if is_exactly { exactly } else { at_least };
        let is_written = |key: &str| self.options.is_written(key);
        let semantic = self
            .options
            .text("sink.semantic")
            .map(|text| pick(text.eq_ignore_ascii_case("exactly-once")));
        let two_phase =
            is_written("sink.enable-2pc").then(|| pick(self.options.boolean("sink.enable-2pc")));
        let is_batch = self.options.boolean("sink.enable.batch-mode");
        if let (Some(semantic), Some(two_phase)) = (semantic, two_phase)
            && semantic != two_phase
        {
            self.contradiction(
                "sink.semantic",
                "sink.enable-2pc",
                "exactly-once is two-phase commit",
            );
        }
        for (key, asked) in [("sink.semantic", semantic), ("sink.enable-2pc", two_phase)] {
            if is_batch && asked == Some(exactly) {
                self.contradiction(
                    key,
                    "sink.enable.batch-mode",
                    "batches are loaded at least once",
                );
            }
        }
        let by_dialect = pick(self.options.is_written("fenodes"));
        match (semantic.or(two_phase), is_batch) {
            (Some(asked), _) => asked,
            (None, true) => at_least,
            (None, false) => by_dialect,
        }
    }

    /// Returns the addresses of the MySQL protocol in `jdbc-url`, and whether it asks for TLS.
    pub(super) fn query_nodes(&mut self) -> (Vec<Node>, bool) {
        let Some(url) = self.word("jdbc-url") else {
            return (Vec::new(), false);
        };
        let (address, parameters) = url.split_once('?').unwrap_or((&url, ""));
        let wants_tls = parameters.split('&').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.to_ascii_lowercase();
            match name.to_ascii_lowercase().as_str() {
                "usessl" | "requiressl" => value == "true",
                "sslmode" => matches!(value.as_str(), "required" | "verify_ca" | "verify_identity"),
                _ => false,
            }
        });
        let bare = ["jdbc:mysql://", "jdbc:mysql:loadbalance://", "mysql://"]
            .iter()
            .find_map(|prefix| address.strip_prefix(prefix))
            .unwrap_or(address);
        let hosts = bare.split_once('/').map_or(bare, |(hosts, _)| hosts);
        match Node::parse_list(hosts, ',', Scheme::Plain) {
            Ok(nodes) => (nodes, wants_tls),
            Err(why) => {
                let message = format!("bad value for option 'jdbc-url': {why}");
                self.fault("MR0102", "jdbc-url", message);
                (Vec::new(), false)
            }
        }
    }
}

/// Returns the two names of `db.table`, if both can stand in a URL.
pub(super) fn db_and_table(text: &str) -> Option<(String, String)> {
    let (db, table) = text.split_once('.')?;
    (is_name(db) && is_name(table)).then(|| (db.to_owned(), table.to_owned()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}
