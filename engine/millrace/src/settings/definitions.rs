//! Every setting that means something here, and Flink's settings that mean nothing here.

use millrace_connector::{OptionDef, OptionKind};

/// The keys that code refers to.
pub(crate) mod key {
    pub(crate) const PIPELINE_NAME: &str = "pipeline.name";
    pub(crate) const PARALLELISM: &str = "parallelism.default";
    pub(crate) const INTERVAL: &str = "execution.checkpointing.interval";
    pub(crate) const TIMEOUT: &str = "execution.checkpointing.timeout";
    pub(crate) const CHECKPOINTS: &str = "state.checkpoints.dir";
    pub(crate) const RETAINED: &str = "state.checkpoints.num-retained";
    pub(crate) const RESTART: &str = "restart-strategy.type";
    pub(crate) const FIXED_ATTEMPTS: &str = "restart-strategy.fixed-delay.attempts";
    pub(crate) const FIXED_DELAY: &str = "restart-strategy.fixed-delay.delay";
    pub(crate) const RATE_FAILURES: &str =
        "restart-strategy.failure-rate.max-failures-per-interval";
    pub(crate) const RATE_INTERVAL: &str = "restart-strategy.failure-rate.failure-rate-interval";
    pub(crate) const RATE_DELAY: &str = "restart-strategy.failure-rate.delay";
    pub(crate) const EXPONENTIAL_INITIAL: &str =
        "restart-strategy.exponential-delay.initial-backoff";
    pub(crate) const EXPONENTIAL_MAX: &str = "restart-strategy.exponential-delay.max-backoff";
    pub(crate) const EXPONENTIAL_RESET: &str =
        "restart-strategy.exponential-delay.reset-backoff-threshold";
    pub(crate) const S3_ENDPOINT: &str = "s3.endpoint";
    pub(crate) const S3_REGION: &str = "s3.region";
    pub(crate) const S3_PATH_STYLE: &str = "s3.path.style.access";
    pub(crate) const S3_ACCESS_KEY: &str = "s3.access-key";
    pub(crate) const S3_SECRET_KEY: &str = "s3.secret-key";
    pub(crate) const REST_PORT: &str = "rest.port";
    pub(crate) const REST_ADDRESS: &str = "rest.bind-address";
    pub(crate) const SLOT: &str = "millrace.slot";
    pub(crate) const SLOTS: &str = "millrace.slots";
    pub(crate) const SHUTDOWN: &str = "millrace.shutdown-timeout";
    pub(crate) const BUFFERS: &str = "millrace.memory.buffers";
    pub(crate) const STATE_BYTES: &str = "taskmanager.memory.managed.size";
    pub(crate) const STATE_TTL: &str = "table.exec.state.ttl";
    pub(crate) const KEY_GROUPS: &str = "pipeline.max-parallelism";
    pub(crate) const IDLE_TIMEOUT: &str = "table.exec.source.idle-timeout";
    pub(crate) const WATERMARK_INTERVAL: &str = "pipeline.auto-watermark-interval";
    pub(crate) const UPSERT_MATERIALIZE: &str = "table.exec.sink.upsert-materialize";
}

const fn setting(
    key: &'static str,
    kind: OptionKind,
    default: Option<&'static str>,
    doc: &'static str,
) -> OptionDef {
    OptionDef {
        key,
        kind,
        default,
        required: false,
        secret: false,
        doc,
    }
}

const fn secret(key: &'static str, doc: &'static str) -> OptionDef {
    OptionDef {
        secret: true,
        ..setting(key, Text, None, doc)
    }
}

use OptionKind::{Boolean, Duration, Integer, MemorySize, OneOf, Text};

/// Every setting that means something here.
pub(crate) static SETTINGS: &[OptionDef] = &[
    setting(
        key::PIPELINE_NAME,
        Text,
        None,
        "names checkpoints and transactions; by default the file's name, or its folder's where the file is pipeline.sql",
    ),
    setting(
        key::PARALLELISM,
        Integer,
        None,
        "lanes (threads) for each source; by default 1 on up to two cores, else half the cores",
    ),
    setting(
        key::INTERVAL,
        Duration,
        Some("1 s"),
        "the time between two commits",
    ),
    setting(
        key::SLOTS,
        Integer,
        Some("1"),
        "how many processes share the pipeline's splits; `millrace rescale` changes it",
    ),
    setting(
        key::SLOT,
        Text,
        Some("0"),
        "which of them this one is, counted from 0: a number, or a name that ends with it, as a StatefulSet's pods have",
    ),
    setting(
        key::TIMEOUT,
        Duration,
        Some("10 min"),
        "how long a barrier and its commit may take before the epoch is given up",
    ),
    setting(
        key::SHUTDOWN,
        Duration,
        Some("30 s"),
        "how long after SIGTERM the open epoch may take to be committed; then the process ends without it",
    ),
    setting(
        key::CHECKPOINTS,
        Text,
        Some("./millrace-checkpoints"),
        "where checkpoints lie: a folder, file://, s3://bucket/prefix, or memory:// for trials",
    ),
    setting(
        key::RETAINED,
        Integer,
        Some("3"),
        "how many checkpoints are kept",
    ),
    setting(
        key::RESTART,
        OneOf(&[
            "exponential-delay",
            "fixed-delay",
            "failure-rate",
            "none",
            "exponentialdelay",
            "fixeddelay",
            "failurerate",
            "off",
            "disable",
        ]),
        Some("exponential-delay"),
        "what happens after a failure that may pass",
    ),
    setting(
        key::FIXED_ATTEMPTS,
        Integer,
        Some("2147483647"),
        "fixed-delay: how many restarts",
    ),
    setting(
        key::FIXED_DELAY,
        Duration,
        Some("1 s"),
        "fixed-delay: the wait before each",
    ),
    setting(
        key::RATE_FAILURES,
        Integer,
        Some("1"),
        "failure-rate: failures within the interval that are borne",
    ),
    setting(
        key::RATE_INTERVAL,
        Duration,
        Some("1 min"),
        "failure-rate: the interval",
    ),
    setting(
        key::RATE_DELAY,
        Duration,
        Some("1 s"),
        "failure-rate: the wait before each restart",
    ),
    setting(
        key::EXPONENTIAL_INITIAL,
        Duration,
        Some("1 s"),
        "exponential-delay: the first wait; it doubles",
    ),
    setting(
        key::EXPONENTIAL_MAX,
        Duration,
        Some("1 min"),
        "exponential-delay: the longest wait",
    ),
    setting(
        key::EXPONENTIAL_RESET,
        Duration,
        Some("10 min"),
        "exponential-delay: how long without a failure until the wait is the first one again",
    ),
    setting(
        millrace_plan::LOCAL_TIME_ZONE,
        Text,
        Some("UTC"),
        "the session's time zone, such as Asia/Shanghai; the machine's own zone is never used",
    ),
    setting(
        millrace_plan::NOT_NULL_ENFORCER,
        OneOf(&["error", "drop"]),
        Some("error"),
        "what happens to a NULL for a NOT NULL column of a sink",
    ),
    setting(
        millrace_plan::TYPE_LENGTH_ENFORCER,
        OneOf(&["ignore", "trim_pad"]),
        Some("ignore"),
        "whether texts and bytes are cut and padded to the sink column's length",
    ),
    setting(
        key::UPSERT_MATERIALIZE,
        OneOf(&["auto", "none", "force"]),
        Some("auto"),
        "whether a sink whose key several rows of a source may share is refused; 'none': the last change of a key wins",
    ),
    setting(
        "table.exec.source.cdc-events-duplicate",
        OneOf(&["false"]),
        Some("false"),
        "whether changes that come twice are left out; 'true' needs state, which is not built yet",
    ),
    setting(
        millrace_plan::LEGACY_CAST,
        OneOf(&["enabled", "disabled", "true", "false"]),
        Some("disabled"),
        "whether a CAST that fails gives NULL, as before Flink 1.15",
    ),
    setting(
        millrace_plan::FLINK_VERSION,
        OneOf(&["1.17", "2"]),
        Some("2"),
        "which version's functions and clauses are known: '1.17' refuses the names that Flink got later",
    ),
    setting(
        key::S3_ENDPOINT,
        Text,
        None,
        "an S3-compatible server other than Amazon's, as http(s)://host:port",
    ),
    setting(
        key::S3_REGION,
        Text,
        Some("us-east-1"),
        "the bucket's region",
    ),
    setting(
        key::S3_PATH_STYLE,
        Boolean,
        Some("false"),
        "whether the bucket stands in the path instead of the host name; most S3-compatible servers want true",
    ),
    secret(
        key::S3_ACCESS_KEY,
        "the access key; without it AWS_ACCESS_KEY_ID and the machine's role",
    ),
    secret(
        key::S3_SECRET_KEY,
        "the secret key; without it AWS_SECRET_ACCESS_KEY",
    ),
    setting(
        key::REST_PORT,
        Integer,
        None,
        "the port of /healthz, /readyz, /metrics and /status; without it there is no HTTP server",
    ),
    setting(
        key::REST_ADDRESS,
        Text,
        Some("127.0.0.1"),
        "the address the HTTP server listens on; 0.0.0.0 in a container",
    ),
    setting(
        key::BUFFERS,
        MemorySize,
        Some("96 mb"),
        "the bound on rows in the queues of sources and sinks, all together",
    ),
    setting(
        key::STATE_BYTES,
        MemorySize,
        None,
        "the bound on the state of operators, all together; by default 60 % of the container's memory, or the machine's",
    ),
    setting(
        key::STATE_TTL,
        Duration,
        Some("0 ms"),
        "how long state of a key is kept after its last change; 0: for ever",
    ),
    setting(
        key::KEY_GROUPS,
        Integer,
        Some("128"),
        "how many key groups the keys of states are spread over; state cannot be used with another number",
    ),
    setting(
        key::IDLE_TIMEOUT,
        Duration,
        Some("0 ms"),
        "after how long without rows a split no longer holds the watermark back; 0: never",
    ),
    setting(
        key::WATERMARK_INTERVAL,
        Duration,
        Some("200 ms"),
        "the longest time between two watermarks while rows come; 0: one behind each batch",
    ),
];

/// Other names of a setting: as newer versions of Flink or its file systems write it.
pub(crate) static ALIASES: &[(&str, &str)] = &[
    ("execution.checkpointing.dir", key::CHECKPOINTS),
    ("execution.checkpointing.num-retained", key::RETAINED),
    ("restart-strategy", key::RESTART),
    ("s3.path-style-access", key::S3_PATH_STYLE),
    ("s3.endpoint.region", key::S3_REGION),
    ("s3.access.key", key::S3_ACCESS_KEY),
    ("s3.secret.key", key::S3_SECRET_KEY),
];

/// Settings of Flink that mean nothing here, by what they begin with, and why.
pub(crate) static MEANINGLESS: &[(&str, &str)] = &[
    ("taskmanager.", "there are no task managers"),
    ("jobmanager.", "there is no job manager"),
    ("jobmanager", "there is no job manager"),
    ("jobstore.", "there is no job manager"),
    ("akka.", "there is no cluster"),
    ("pekko.", "there is no cluster"),
    ("cluster.", "there is no cluster"),
    ("heartbeat.", "there is no cluster"),
    (
        "high-availability",
        "the checkpoint store keeps what a restart needs",
    ),
    ("yarn.", "the process is started directly"),
    (
        "kubernetes.",
        "the process is started directly; see deploy/kubernetes",
    ),
    ("env.", "there is no JVM"),
    ("classloader.", "there is no JVM"),
    ("web.", "there is no web page yet"),
    ("rest.", "only rest.port and rest.bind-address are"),
    ("metrics.", "figures are at /metrics"),
    ("historyserver.", "there is no history server"),
    ("blob.", "there is no cluster"),
    ("queryable-state.", "there is no state to query"),
    ("slotmanager.", "there are no slots to manage"),
    ("slot.", "there are no slots to manage"),
    ("security.", "credentials stand in the tables' options"),
    (
        "state.backend.incremental",
        "each checkpoint writes what has changed, and nothing else",
    ),
    (
        "state.backend.changelog",
        "each checkpoint writes what has changed, and nothing else",
    ),
    (
        "state.backend.local-recovery",
        "state is read from the checkpoint store",
    ),
    (
        "state.backend",
        "state is kept in memory, within taskmanager.memory.managed.size, and in the checkpoint store",
    ),
    (
        "state.storage.",
        "a checkpoint is a small manifest and one object of what has changed",
    ),
    (
        "state.checkpoint-storage",
        "the checkpoint store is where state.checkpoints.dir says",
    ),
    ("state.savepoints.dir", "savepoints are not built yet"),
    (
        "execution.checkpointing.mode",
        "each sink's delivery guarantee decides",
    ),
    (
        "execution.checkpointing.unaligned",
        "lanes have no channels between them",
    ),
    (
        "execution.checkpointing.aligned",
        "lanes have no channels between them",
    ),
    (
        "execution.checkpointing.min-pause",
        "the interval is enough",
    ),
    (
        "execution.checkpointing.max-concurrent-checkpoints",
        "one checkpoint runs at a time",
    ),
    (
        "execution.checkpointing.tolerable-failed-checkpoints",
        "a checkpoint that fails restarts the dataflow",
    ),
    (
        "execution.checkpointing.externalized-checkpoint-retention",
        "checkpoints are always kept",
    ),
    (
        "execution.checkpointing.checkpoints-after-tasks-finish",
        "a bounded source always ends with a checkpoint",
    ),
    (
        "execution.runtime-mode",
        "a bounded source is read to its end, an unbounded one without end",
    ),
    ("execution.target", "the process runs the pipeline itself"),
    ("execution.attached", "the process runs the pipeline itself"),
    (
        "execution.shutdown-on-attached-exit",
        "the process runs the pipeline itself",
    ),
    ("execution.buffer-timeout", "batches go on at once"),
    ("execution.batch.", "there is no batch mode"),
    (
        "execution.savepoint.",
        "a start goes on from the newest checkpoint",
    ),
    (
        "execution.savepoint-",
        "a start goes on from the newest checkpoint",
    ),
    (
        "restart-strategy.exponential-delay.backoff-multiplier",
        "the wait doubles",
    ),
    (
        "restart-strategy.exponential-delay.jitter-factor",
        "there is one process to restart",
    ),
    ("pipeline.object-reuse", "rows are columns here"),
    ("pipeline.operator-chaining", "a lane is one program"),
    ("pipeline.jars", "there is no JVM"),
    ("pipeline.classpaths", "there is no JVM"),
    ("pipeline.generic-types", "there is no JVM"),
    (
        "pipeline.time-characteristic",
        "each query says which time it means",
    ),
    ("parallelism.", "only parallelism.default is"),
    ("sql-client.", "there is no SQL client"),
    ("table.optimizer.", "the planner is another one"),
    ("table.exec.mini-batch.", "rows always come in batches"),
    ("table.exec.resource.", "lanes follow parallelism.default"),
    ("table.exec.async-lookup.", "there are no lookup joins yet"),
    (
        "table.exec.sink.keyed-shuffle",
        "all changes of a key stay in the lane that reads them",
    ),
    ("table.dml-sync", "a run ends when its sources end"),
    (
        "table.dynamic-table-options.enabled",
        "hints are always taken",
    ),
    ("table.generated-code.", "no code is generated"),
    ("table.planner", "there is one planner"),
    ("table.builtin-catalog-name", "there is one catalog"),
    ("table.builtin-database-name", "there is one database"),
    ("table.display.", "there is no SQL client"),
    ("fs.", "checkpoints are reached by the s3.* settings"),
    ("io.tmp.dirs", "nothing is spilled"),
    ("parallelism-overrides", "lanes follow parallelism.default"),
    ("$internal.", "it is internal to Flink"),
];

/// Returns the definition of `key`, by its own or another name.
pub(crate) fn find(key: &str) -> Option<&'static OptionDef> {
    let canonical = ALIASES
        .iter()
        .find(|(alias, _)| *alias == key)
        .map_or(key, |(_, canonical)| canonical);
    SETTINGS.iter().find(|def| def.key == canonical)
}

/// Returns why a setting of Flink means nothing here.
pub(crate) fn meaningless(key: &str) -> Option<&'static str> {
    MEANINGLESS
        .iter()
        .find(|(prefix, _)| {
            key.strip_prefix(prefix).is_some_and(|rest| {
                rest.is_empty() || prefix.ends_with(['.', '-']) || rest.starts_with(['.', '-'])
            })
        })
        .map(|(_, why)| *why)
}

/// Returns all names that a setting may have.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS
        .iter()
        .map(|def| def.key)
        .chain(ALIASES.iter().map(|(alias, _)| *alias))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_aliases_lead_somewhere() {
        let mut all: Vec<&str> = names().collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        for (alias, canonical) in ALIASES {
            assert_eq!(find(alias).map(|def| def.key), Some(*canonical), "{alias}");
        }
    }

    #[test]
    fn tells_what_means_nothing_from_what_is_unknown() {
        for key in [
            "taskmanager.memory.process.size",
            "state.backend",
            "state.backend.type",
            "jobmanager.rpc.port",
        ] {
            assert!(meaningless(key).is_some(), "{key}");
        }
        for key in [
            "taskmanagers",
            "execution.checkpointing.intervall",
            "pipeline.nam",
        ] {
            assert!(meaningless(key).is_none(), "{key}");
        }
    }

    #[test]
    fn every_default_fits_its_kind() {
        for def in SETTINGS {
            if let Some(default) = def.default {
                assert_eq!(
                    super::super::check::value_fault(def, default),
                    None,
                    "{}",
                    def.key
                );
            }
        }
    }
}
