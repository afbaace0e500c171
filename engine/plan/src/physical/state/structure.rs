//! What the state of a node depends on, as text that a checkpoint keeps: nothing of it follows the layout of a type in this program.

use millrace_connector::FlinkType;
use millrace_operators::{GroupWindows, JoinKind, RankEnd, WindowAssigner};
use millrace_state::Fingerprint;

use super::StateInput;
use crate::logical::{AggregateCall, FrameBound, SortKey, StateKind};

/// The version of what is written here.
const VERSION: u16 = 1;

/// Keys and computed values of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Structure {
    pub(super) keys: Vec<String>,
    pub(super) computed: Vec<String>,
}

/// Returns the structure of a node without what leads to it.
pub(super) fn fingerprint(
    name: &str,
    structure: Structure,
    inputs: &[StateInput],
    columns: impl Iterator<Item = FlinkType>,
) -> Fingerprint {
    let given = inputs.iter().map(|input| {
        let types: Vec<String> = input.types.iter().map(ToString::to_string).collect();
        format!("{} [{}]", types.join(", "), input.changes)
    });
    Fingerprint {
        kind: name.to_owned(),
        version: VERSION,
        keys: structure.keys,
        inputs: given.collect(),
        aggregates: structure.computed,
        types: columns.map(|ty| ty.to_string()).collect(),
    }
}

fn columns(columns: &[usize]) -> Vec<String> {
    columns.iter().map(|column| format!("#{column}")).collect()
}

fn call(call: &AggregateCall) -> String {
    let mut text = format!("{}(", call.name);
    if call.distinct {
        text.push_str("DISTINCT ");
    }
    text.push_str(&columns(&call.columns).join(", "));
    text.push(')');
    if let Some(filter) = call.filter {
        text.push_str(&format!(" FILTER #{filter}"));
    }
    text
}

fn calls(calls: &[AggregateCall]) -> Vec<String> {
    calls.iter().map(call).collect()
}

fn sort(keys: &[SortKey]) -> String {
    let key = |key: &SortKey| {
        let way = if key.descending { "DESC" } else { "ASC" };
        let nulls = if key.nulls_first { "FIRST" } else { "LAST" };
        format!("#{} {way} NULLS {nulls}", key.column)
    };
    let keys: Vec<String> = keys.iter().map(key).collect();
    format!("ORDER BY {}", keys.join(", "))
}

fn bound(bound: FrameBound) -> String {
    match bound {
        FrameBound::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
        FrameBound::Preceding(count) => format!("{count} PRECEDING"),
        FrameBound::CurrentRow => "CURRENT ROW".to_owned(),
        FrameBound::Following(count) => format!("{count} FOLLOWING"),
        FrameBound::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
    }
}

fn windows(assigner: WindowAssigner) -> String {
    match assigner {
        WindowAssigner::Tumble { size_ms, offset_ms } => format!("TUMBLE({size_ms}, {offset_ms})"),
        WindowAssigner::Hop {
            size_ms,
            slide_ms,
            offset_ms,
        } => format!("HOP({size_ms}, {slide_ms}, {offset_ms})"),
        WindowAssigner::Cumulate {
            size_ms,
            step_ms,
            offset_ms,
        } => format!("CUMULATE({size_ms}, {step_ms}, {offset_ms})"),
    }
}

fn time(rowtime: Option<usize>) -> String {
    rowtime.map_or_else(
        || "BY PROCTIME".to_owned(),
        |column| format!("BY #{column}"),
    )
}

fn join_kind(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "INNER",
        JoinKind::Left => "LEFT",
        JoinKind::Right => "RIGHT",
        JoinKind::Full => "FULL",
        JoinKind::Semi => "SEMI",
        JoinKind::Anti => "ANTI",
    }
}

impl StateKind {
    /// Returns what the node's state depends on, beside types.
    pub(super) fn structure(&self) -> Structure {
        match self {
            Self::Normalize { key } => Structure {
                keys: columns(key),
                computed: Vec::new(),
            },
            Self::Watermark { rowtime } | Self::TemporalSort { rowtime, sort: _ } => {
                let mut computed = Vec::new();
                if let Self::TemporalSort { sort: keys, .. } = self {
                    computed.push(sort(keys));
                }
                Structure {
                    keys: columns(&[*rowtime]),
                    computed,
                }
            }
            Self::Aggregate(aggregate) => Structure {
                keys: columns(&aggregate.keys),
                computed: calls(&aggregate.calls),
            },
            Self::Expand(_) | Self::Replicate => Structure::default(),
            Self::SortAll {
                sort: keys,
                offset,
                limit,
            } => Structure {
                keys: Vec::new(),
                computed: vec![sort(keys), format!("OFFSET {offset} LIMIT {limit}")],
            },
            Self::WindowTable(table) => Structure {
                keys: Vec::new(),
                computed: vec![windows(table.assigner), time(table.rowtime)],
            },
            Self::WindowAggregate(aggregate) => {
                let mut computed = calls(&aggregate.calls);
                computed.push(windows(aggregate.window.assigner));
                computed.push(time(aggregate.window.rowtime));
                Structure {
                    keys: columns(&aggregate.keys),
                    computed,
                }
            }
            Self::GroupWindow(window) => {
                let mut computed = calls(&window.calls);
                computed.push(match window.windows {
                    GroupWindows::Fixed(assigner) => windows(assigner),
                    GroupWindows::Session { gap_ms } => format!("SESSION({gap_ms})"),
                });
                computed.push(time(window.rowtime));
                Structure {
                    keys: columns(&window.keys),
                    computed,
                }
            }
            Self::Over(over) => {
                let mut computed = calls(&over.calls);
                computed.push(sort(&over.sort));
                if let Some(frame) = &over.frame {
                    let unit = if frame.rows { "ROWS" } else { "RANGE" };
                    let (start, end) = (bound(frame.start), bound(frame.end));
                    computed.push(format!("{unit} {start} TO {end}"));
                }
                Structure {
                    keys: columns(&over.keys),
                    computed,
                }
            }
            Self::Rank(rank) => {
                let end = match &rank.end {
                    RankEnd::Constant(end) => end.to_string(),
                    RankEnd::Column(column) => format!("#{column}"),
                };
                let number = rank.number.clone().unwrap_or_default();
                Structure {
                    keys: columns(&rank.partition),
                    computed: vec![
                        sort(&rank.sort),
                        format!("RANKS {} TO {end} {number}", rank.start),
                    ],
                }
            }
            Self::Join(join) => {
                let key = |(left, right, nulls): &(usize, usize, bool)| {
                    let way = if *nulls { "IS" } else { "=" };
                    format!("#{left} {way} #{right}")
                };
                let mut computed = vec![join_kind(join.kind).to_owned()];
                computed.extend(join.condition.iter().map(shown));
                if let Some(interval) = &join.interval {
                    let (lower, upper) = (interval.lower_ms, interval.upper_ms);
                    computed.push(format!("WITHIN {lower} TO {upper}"));
                }
                Structure {
                    keys: join.keys.iter().map(key).collect(),
                    computed,
                }
            }
            Self::Temporal(temporal) => {
                let key = |(left, right): &(usize, usize)| format!("#{left} = #{right}");
                let kind = if temporal.outer { "LEFT" } else { "INNER" };
                let (left, right) = temporal.rowtimes;
                let mut computed = vec![format!("{kind} AS OF #{left}, #{right}")];
                computed.extend(temporal.condition.iter().map(shown));
                Structure {
                    keys: temporal.keys.iter().map(key).collect(),
                    computed,
                }
            }
        }
    }
}

/// Returns a condition whose columns are told by their numbers.
fn shown(expr: &millrace_program::ExprRef) -> String {
    let mut columns = Vec::new();
    millrace_program::for_each_column(expr, &mut |column| columns.push(column));
    let width = columns.into_iter().max().map_or(0, |last| last + 1);
    let names: Vec<String> = (0..width).map(|column| format!("#{column}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = millrace_program::ShownExpr {
        expr,
        names: &names,
    };
    shown.to_string()
}
