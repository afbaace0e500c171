//! Settings as the runtime wants them.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use millrace_checkpoint::ObjectStoreOptions;
use millrace_connector::grammar::{parse_bool, parse_duration, parse_memory_size};
use millrace_connector::{Diagnostic, ValidateContext};
use millrace_plan::{Setting, Settings};
use millrace_runtime::{OperatorOptions, RuntimeOptions};

use super::check::bad_value;
use super::definitions::{self, ALIASES, key};
use super::{memory, restart};

/// Most rows a batch has; measured best between 1,024 and 16,384: a batch and its columns stay in the second cache.
const BATCH_ROWS_MAX: usize = 2_048;
/// Most bytes a batch has.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// The most lanes a source may have.
const PARALLELISM_MAX: i64 = 1_024;
/// The most processes of one pipeline.
const SLOTS_MAX: i64 = 10_000;
/// The most key groups, as in Flink.
const KEY_GROUPS_MAX: i64 = 32_768;
/// The least memory for queues that can work.
const BUFFERS_MIN: u64 = 4 << 20;

/// What a run needs.
#[derive(Clone, Debug)]
pub(crate) struct RunSettings {
    /// How to run each dataflow.
    pub(crate) runtime: RuntimeOptions,
    /// Where checkpoints lie.
    pub(crate) checkpoints: String,
    /// How to reach them.
    pub(crate) store: ObjectStoreOptions,
    /// Where HTTP is served.
    pub(crate) http: Option<SocketAddr>,
    /// How long an orderly end may take.
    pub(crate) shutdown_timeout: Duration,
}

/// Settings read by canonical names, defaults included.
pub(crate) struct Values<'a>(pub(crate) &'a Settings);

impl<'a> Values<'a> {
    fn entry(&self, key: &str) -> Option<(&'a str, &'a Setting)> {
        let names = std::iter::once(key).chain(
            ALIASES
                .iter()
                .filter(|(_, canonical)| *canonical == key)
                .map(|(alias, _)| *alias),
        );
        let mut found = names.filter_map(|name| Some((name, self.0.entry(name)?)));
        let first = found.next()?;
        // `SET 'restart-strategy'` must not hide behind `restart-strategy.type` of the conf file, nor the other way round.
        let (name, setting) = found.fold(first, |best, other| {
            if rank(&other.1.origin) > rank(&best.1.origin) {
                other
            } else {
                best
            }
        });
        Some((
            definitions::names()
                .find(|known| *known == name)
                .unwrap_or_default(),
            setting,
        ))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match self.entry(key) {
            Some((_, setting)) => Some(setting.value.as_str()),
            None => definitions::find(key).and_then(|def| def.default),
        }
    }

    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        self.text(key).and_then(|text| text.trim().parse().ok())
    }

    pub(crate) fn duration(&self, key: &str) -> Option<Duration> {
        self.text(key).and_then(|text| parse_duration(text).ok())
    }

    fn bytes(&self, key: &str) -> Option<u64> {
        self.text(key).and_then(|text| parse_memory_size(text).ok())
    }

    fn boolean(&self, key: &str) -> bool {
        self.text(key)
            .is_some_and(|text| parse_bool(text).unwrap_or(false))
    }

    fn fault(&self, key: &str, why: &str) -> Option<Diagnostic> {
        self.entry(key)
            .map(|(name, setting)| bad_value(name, setting, why))
    }
}

fn rank(origin: &millrace_plan::Origin) -> u8 {
    use millrace_plan::Origin;
    match origin {
        Origin::File(_) => 0,
        Origin::Environment(_) => 1,
        Origin::Statement { .. } => 2,
        Origin::CommandLine => 3,
    }
}

/// Returns the pipeline's name: `pipeline.name`, else the file's, else its folder's.
pub(crate) fn pipeline_name(settings: &Settings, file: &Path) -> String {
    if let Some(name) = Values(settings)
        .text(key::PIPELINE_NAME)
        .filter(|name| !name.trim().is_empty())
    {
        return name.trim().to_owned();
    }
    let stem = |path: &Path| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let own = stem(file).unwrap_or_default();
    if own != "pipeline" {
        return own;
    }
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    absolute
        .parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or(own)
}

/// Returns what connectors may depend on.
pub(crate) fn validate_context(settings: &Settings) -> ValidateContext {
    ValidateContext {
        session_time_zone: settings.session_time_zone_name().to_owned(),
    }
}

impl RunSettings {
    /// Returns the settings of a run, or what is wrong with them beyond their form.
    pub(crate) fn new(settings: &Settings, file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let values = Values(settings);
        let mut faults = Vec::new();
        let mut bounded = |key: &str, low: i64, high: i64, default: i64| -> i64 {
            let value = values.integer(key).unwrap_or(default);
            if !(low..=high).contains(&value) {
                faults
                    .extend(values.fault(key, &format!("{value} is not within {low} and {high}")));
            }
            value.clamp(low, high)
        };
        let parallelism = bounded(key::PARALLELISM, 1, PARALLELISM_MAX, default_parallelism());
        let retained = bounded(key::RETAINED, 1, 10_000, 3);
        let slots = bounded(key::SLOTS, 1, SLOTS_MAX, 1);
        let key_groups = bounded(key::KEY_GROUPS, 1, KEY_GROUPS_MAX, 128);
        let port = bounded(key::REST_PORT, 0, i64::from(u16::MAX), 0);
        let slot = slot(values.text(key::SLOT).unwrap_or("0"), slots).unwrap_or_else(|why| {
            faults.extend(values.fault(key::SLOT, &why));
            0
        });
        let interval = values
            .duration(key::INTERVAL)
            .unwrap_or(Duration::from_secs(1));
        if interval < Duration::from_millis(10) {
            faults.extend(values.fault(key::INTERVAL, "less than 10 ms leaves no time for rows"));
        }
        let buffers = values.bytes(key::BUFFERS).unwrap_or(96 << 20);
        if buffers < BUFFERS_MIN {
            faults.extend(values.fault(key::BUFFERS, "at least 4 mb are needed"));
        }
        let http = match http_address(&values, port) {
            Ok(http) => http,
            Err(why) => {
                faults.extend(values.fault(key::REST_ADDRESS, &why));
                None
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let text = |key: &str| values.text(key).map(str::to_owned);
        Ok(Self {
            runtime: RuntimeOptions {
                pipeline: pipeline_name(settings, file),
                slot,
                slots: u32::try_from(slots).expect("it is within its bounds"),
                parallelism: u32::try_from(parallelism).expect("it is within its bounds"),
                checkpoint_interval: interval,
                checkpoint_timeout: values
                    .duration(key::TIMEOUT)
                    .unwrap_or(Duration::from_secs(600)),
                checkpoints_retained: usize::try_from(retained).expect("it is within its bounds"),
                buffer_bytes_max: buffers,
                batch_rows_max: BATCH_ROWS_MAX,
                batch_bytes_max: BATCH_BYTES_MAX,
                restart: restart::strategy(&values),
                operators: operators(&values, key_groups),
            },
            checkpoints: text(key::CHECKPOINTS).unwrap_or_default(),
            store: ObjectStoreOptions {
                endpoint: text(key::S3_ENDPOINT),
                path_style: values.boolean(key::S3_PATH_STYLE),
                region: text(key::S3_REGION),
                access_key: text(key::S3_ACCESS_KEY),
                secret_key: text(key::S3_SECRET_KEY),
                timeout: None,
            },
            http,
            shutdown_timeout: values
                .duration(key::SHUTDOWN)
                .unwrap_or(crate::stop::PATIENCE),
        })
    }
}

fn operators(values: &Values<'_>, key_groups: i64) -> OperatorOptions {
    let defaults = OperatorOptions::default();
    let state_bytes = values.bytes(key::STATE_BYTES);
    OperatorOptions {
        key_groups: u16::try_from(key_groups).expect("it is within its bounds"),
        state_bytes_max: state_bytes.unwrap_or_else(memory::state_bytes_default),
        idle_timeout: values
            .duration(key::IDLE_TIMEOUT)
            .unwrap_or(defaults.idle_timeout),
        watermark_interval: values
            .duration(key::WATERMARK_INTERVAL)
            .unwrap_or(defaults.watermark_interval),
    }
}

/// Returns the slot that a number, or a name with a number at its end, means.
fn slot(text: &str, slots: i64) -> Result<u32, String> {
    let text = text.trim();
    let number = &text[text.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
    let slot: u32 = number
        .parse()
        .map_err(|_| format!("'{text}' does not end with a number"))?;
    if i64::from(slot) >= slots {
        return Err(format!(
            "{slot} is not below '{}' = {slots}; slots are counted from 0",
            key::SLOTS
        ));
    }
    Ok(slot)
}

/// With a sink, the threads that pack and send use almost as much as a lane does.
fn default_parallelism() -> i64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    i64::try_from((cores / 2).max(1)).unwrap_or(1)
}

fn http_address(values: &Values<'_>, port: i64) -> Result<Option<SocketAddr>, String> {
    if values.text(key::REST_PORT).is_none() {
        return Ok(None);
    }
    let text = values.text(key::REST_ADDRESS).unwrap_or("127.0.0.1");
    let address: IpAddr = match text {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        text => text
            .parse()
            .map_err(|_| format!("'{text}' is not an IP address"))?,
    };
    let port = u16::try_from(port).expect("it is within its bounds");
    Ok(Some(SocketAddr::new(address, port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_plan::Origin;
    use millrace_runtime::RestartStrategy;

    fn settings(list: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in list {
            settings.set(*key, *value, Origin::CommandLine);
        }
        settings
    }

    #[test]
    fn the_name_is_the_files_or_its_folders() {
        let name = |path: &str| pipeline_name(&Settings::default(), Path::new(path));
        assert_eq!(name("/a/orders.sql"), "orders");
        assert_eq!(name("/a/filebeat_sync/pipeline.sql"), "filebeat_sync");
        let named = settings(&[("pipeline.name", " x ")]);
        assert_eq!(pipeline_name(&named, Path::new("a.sql")), "x");
    }

    #[test]
    fn defaults_are_as_documented() {
        let run = RunSettings::new(&Settings::default(), Path::new("a.sql")).unwrap();
        assert_eq!(run.runtime.checkpoint_interval, Duration::from_secs(1));
        assert_eq!(run.runtime.restart, RestartStrategy::default());
        assert_eq!(run.runtime.buffer_bytes_max, 96 << 20);
        assert_eq!(run.checkpoints, "./millrace-checkpoints");
        assert_eq!(run.http, None);
    }

    #[test]
    fn aliases_and_strategies_are_understood() {
        let run = RunSettings::new(
            &settings(&[
                ("execution.checkpointing.dir", "s3://b/p"),
                ("restart-strategy", "fixeddelay"),
                ("restart-strategy.fixed-delay.attempts", "7"),
                ("rest.port", "8081"),
                ("rest.bind-address", "0.0.0.0"),
            ]),
            Path::new("a.sql"),
        )
        .unwrap();
        assert_eq!(run.checkpoints, "s3://b/p");
        let delay = Duration::from_secs(1);
        assert_eq!(
            run.runtime.restart,
            RestartStrategy::FixedDelay {
                attempts_max: 7,
                delay
            }
        );
        assert_eq!(run.http, Some("0.0.0.0:8081".parse().unwrap()));
    }

    #[test]
    fn values_out_of_bounds_are_all_told() {
        let bad = settings(&[
            ("parallelism.default", "0"),
            ("rest.port", "70000"),
            ("millrace.memory.buffers", "1 kb"),
            ("rest.bind-address", "here"),
        ]);
        let faults = RunSettings::new(&bad, Path::new("a.sql")).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
    }
}
