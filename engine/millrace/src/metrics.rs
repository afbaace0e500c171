//! Figures for Prometheus: the one place that names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_runtime::{
    DataflowStatus, OperatorStatus, Phase, Stage, StateFigures, StatusSnapshot,
};

/// A running dataflow under its name.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// Its name.
    pub(crate) name: String,
    /// Its figures.
    pub(crate) status: Arc<DataflowStatus>,
}

struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&StatusSnapshot) -> Option<f64>,
}

const PHASES: [Phase; 5] = [
    Phase::Starting,
    Phase::Running,
    Phase::Waiting,
    Phase::Finished,
    Phase::Failed,
];

static METRICS: &[Metric] = &[
    Metric {
        name: "millrace_records_read_total",
        kind: "counter",
        help: "Records read from sources.",
        value: |now| Some(now.records_in as f64),
    },
    Metric {
        name: "millrace_bytes_read_total",
        kind: "counter",
        help: "Bytes of records read from sources.",
        value: |now| Some(now.bytes_in as f64),
    },
    Metric {
        name: "millrace_records_written_total",
        kind: "counter",
        help: "Records handed to sinks, committed or not.",
        value: |now| Some(now.records_out as f64),
    },
    Metric {
        name: "millrace_bytes_written_total",
        kind: "counter",
        help: "Bytes handed to sinks, committed or not.",
        value: |now| Some(now.bytes_out as f64),
    },
    Metric {
        name: "millrace_records_committed_total",
        kind: "counter",
        help: "Records handed to sinks whose epoch is committed.",
        value: |now| Some(now.records_committed as f64),
    },
    Metric {
        name: "millrace_records_skipped_total",
        kind: "counter",
        help: "Records left out because they could not be decoded, where the table says so.",
        value: |now| Some(now.records_skipped as f64),
    },
    Metric {
        name: "millrace_lag_records",
        kind: "gauge",
        help: "Records between the committed positions and the end of the source.",
        value: |now| now.lag.map(|lag| lag as f64),
    },
    Metric {
        name: "millrace_checkpoint_epoch",
        kind: "gauge",
        help: "The last committed epoch.",
        value: |now| Some(now.epoch as f64),
    },
    Metric {
        name: "millrace_checkpoints_total",
        kind: "counter",
        help: "Epochs committed by this process.",
        value: |now| Some(now.checkpoints as f64),
    },
    Metric {
        name: "millrace_checkpoint_duration_seconds",
        kind: "gauge",
        help: "How long the last checkpoint took, from barrier to commit.",
        value: |now| (now.checkpoints > 0).then(|| now.checkpoint_ms as f64 / 1000.0),
    },
    Metric {
        name: "millrace_checkpoint_timestamp_seconds",
        kind: "gauge",
        help: "When the last checkpoint was committed, in seconds since the epoch.",
        value: |now| (now.checkpoint_at_ms > 0).then(|| now.checkpoint_at_ms as f64 / 1000.0),
    },
    Metric {
        name: "millrace_restarts_total",
        kind: "counter",
        help: "Restarts after a failure.",
        value: |now| Some(now.restarts as f64),
    },
    Metric {
        name: "millrace_replays_total",
        kind: "counter",
        help: "Epochs that wrote again what a sink had thrown away before its commit.",
        value: |now| Some(now.replays as f64),
    },
];

/// A figure of each operator.
struct OperatorMetric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&OperatorStatus, now_ms: i64) -> Option<f64>,
}

static OPERATOR_METRICS: &[OperatorMetric] = &[
    OperatorMetric {
        name: "millrace_operator_state_bytes",
        kind: "gauge",
        help: "About how many bytes the state of an operator has in memory.",
        value: |it, _| it.has_state.then_some(it.state_bytes as f64),
    },
    OperatorMetric {
        name: "millrace_operator_keys",
        kind: "gauge",
        help: "Keys that an operator holds.",
        value: |it, _| it.has_state.then_some(it.keys as f64),
    },
    OperatorMetric {
        name: "millrace_operator_late_rows_total",
        kind: "counter",
        help: "Rows that an operator dropped because they came behind the watermark, since the last start.",
        value: |it, _| it.has_state.then_some(it.late_rows as f64),
    },
    OperatorMetric {
        name: "millrace_operator_watermark_lag_seconds",
        kind: "gauge",
        help: "How far the watermark of an operator is behind the clock.",
        value: |it, now_ms| {
            let watermark_ms = it.watermark_ms.filter(|known| *known < i64::MAX)?;
            Some(now_ms.saturating_sub(watermark_ms) as f64 / 1000.0)
        },
    },
];

/// A figure of the state of a dataflow in the checkpoint store.
struct StateMetric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&StateFigures) -> f64,
}

static STATE_METRICS: &[StateMetric] = &[
    StateMetric {
        name: "millrace_state_written_bytes_total",
        kind: "counter",
        help: "Bytes of changed state written with checkpoints.",
        value: |it| it.delta_bytes as f64,
    },
    StateMetric {
        name: "millrace_state_folded_bytes_total",
        kind: "counter",
        help: "Bytes of state written anew when objects were folded.",
        value: |it| it.folded_bytes as f64,
    },
    StateMetric {
        name: "millrace_state_objects",
        kind: "gauge",
        help: "Objects of state that the newest checkpoint names.",
        value: |it| it.objects as f64,
    },
    StateMetric {
        name: "millrace_state_stored_bytes",
        kind: "gauge",
        help: "Bytes of the objects that the newest checkpoint names.",
        value: |it| it.stored_bytes as f64,
    },
    StateMetric {
        name: "millrace_state_restore_seconds",
        kind: "gauge",
        help: "How long the last restore of state took.",
        value: |it| it.restore_ms as f64 / 1000.0,
    },
];

/// Returns all figures in Prometheus' text format.
pub(crate) fn exposition(pipeline: &str, flows: &[Watched], now_ms: i64) -> String {
    let snapshots: Vec<(String, StatusSnapshot)> = flows
        .iter()
        .map(|flow| {
            let labels = format!(
                "pipeline=\"{}\",dataflow=\"{}\"",
                label(pipeline),
                label(&flow.name)
            );
            (labels, flow.status.snapshot())
        })
        .collect();
    let mut text = String::new();
    for metric in METRICS {
        head(&mut text, metric.name, metric.kind, metric.help);
        for (labels, now) in &snapshots {
            if let Some(value) = (metric.value)(now) {
                line(&mut text, metric.name, labels, value);
            }
        }
    }
    head(
        &mut text,
        "millrace_phase_info",
        "gauge",
        "1 for what the dataflow is doing, else 0.",
    );
    for (labels, now) in &snapshots {
        for phase in PHASES {
            let labels = format!("{labels},phase=\"{}\"", phase.word());
            line(
                &mut text,
                "millrace_phase_info",
                &labels,
                f64::from(u8::from(now.phase == phase)),
            );
        }
    }
    lane_seconds(&mut text, &snapshots);
    operator_figures(&mut text, pipeline, flows, now_ms);
    connector_figures(&mut text, pipeline, flows);
    head(
        &mut text,
        "millrace_build_info",
        "gauge",
        "The version of this process.",
    );
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    line(&mut text, "millrace_build_info", &version, 1.0);
    if let Some(bytes) = crate::output::resident_bytes() {
        head(
            &mut text,
            "process_resident_memory_bytes",
            "gauge",
            "Resident memory of this process.",
        );
        text.push_str(&format!("process_resident_memory_bytes {bytes}\n"));
    }
    if let Some(seconds) = crate::output::cpu_seconds() {
        head(
            &mut text,
            "process_cpu_seconds_total",
            "counter",
            "CPU time of this process.",
        );
        text.push_str(&format!("process_cpu_seconds_total {seconds}\n"));
    }
    text
}

/// Where lanes spend their time; a sink that is slow shows as written seconds that are not busy.
fn lane_seconds(text: &mut String, snapshots: &[(String, StatusSnapshot)]) {
    let name = "millrace_lane_seconds_total";
    head(
        text,
        name,
        "counter",
        "Time of all lanes by stage (read, transform, write, commit) and state (busy on a processor, or waiting).",
    );
    for (labels, now) in snapshots {
        for (stage, time) in Stage::ALL.iter().zip(now.stages) {
            let waiting = time.elapsed.saturating_sub(time.busy);
            for (state, seconds) in [("busy", time.busy), ("waiting", waiting)] {
                let labels = format!("{labels},stage=\"{}\",state=\"{state}\"", stage.word());
                line(text, name, &labels, seconds.as_secs_f64());
            }
        }
    }
}

/// What operators hold, and what became of their state in the store; nothing where a pipeline has no operators.
fn operator_figures(text: &mut String, pipeline: &str, flows: &[Watched], now_ms: i64) {
    let stateful = flows.iter().map(|flow| {
        let labels = format!(
            "pipeline=\"{}\",dataflow=\"{}\"",
            label(pipeline),
            label(&flow.name)
        );
        (labels, flow.status.operators(), flow.status.state())
    });
    let stateful: Vec<_> = stateful
        .filter(|(_, operators, _)| !operators.is_empty())
        .collect();
    if stateful.is_empty() {
        return;
    }
    for metric in OPERATOR_METRICS {
        head(text, metric.name, metric.kind, metric.help);
        for (labels, operators, _) in &stateful {
            for operator in operators {
                if let Some(value) = (metric.value)(operator, now_ms) {
                    let labels = format!("{labels},operator=\"{}\"", label(&operator.name));
                    line(text, metric.name, &labels, value);
                }
            }
        }
    }
    for metric in STATE_METRICS {
        head(text, metric.name, metric.kind, metric.help);
        for (labels, _, state) in &stateful {
            line(text, metric.name, labels, (metric.value)(state));
        }
    }
}

/// Labels and values of one figure.
type Lines = Vec<(String, f64)>;

/// What connectors tell of their own work, each figure once for each table.
fn connector_figures(text: &mut String, pipeline: &str, flows: &[Watched]) {
    let mut figures: BTreeMap<&str, (&str, Lines)> = BTreeMap::new();
    for flow in flows {
        for figure in flow.status.figures() {
            let labels = format!(
                "pipeline=\"{}\",dataflow=\"{}\",table=\"{}\"",
                label(pipeline),
                label(&flow.name),
                label(&figure.table)
            );
            let lines = figures.entry(figure.name);
            let (_, lines) = lines.or_insert((figure.help, Vec::new()));
            lines.push((labels, figure.value));
        }
    }
    for (name, (help, lines)) in figures {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        head(text, name, kind, help);
        for (labels, value) in lines {
            line(text, name, &labels, value);
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

fn line(text: &mut String, name: &str, labels: &str, value: f64) {
    text.push_str(&format!("{name}{{{labels}}} {value}\n"));
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_named_by_the_rule_and_explained_once() {
        let flow = Watched {
            name: "a\"b".into(),
            status: Arc::default(),
        };
        let text = exposition("p", &[flow], 0);
        for metric in METRICS {
            assert!(metric.name.starts_with("millrace_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == "counter",
                "{}",
                metric.name
            );
            assert_eq!(text.matches(&format!("# TYPE {} ", metric.name)).count(), 1);
        }
        assert!(
            text.contains("millrace_records_read_total{pipeline=\"p\",dataflow=\"a\\\"b\"} 0\n")
        );
        assert!(text.contains("phase=\"starting\"} 1\n"));
        let others = OPERATOR_METRICS.iter().map(|it| (it.name, it.kind));
        let others = others.chain(STATE_METRICS.iter().map(|it| (it.name, it.kind)));
        for (name, kind) in others {
            assert!(name.starts_with("millrace_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            assert!(!text.contains(name), "{name}: there are no operators");
        }
    }
}
