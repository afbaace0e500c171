//! The first start of a pipeline in a store that others use, too.

use millrace_checkpoint::{DataflowRecord, PipelineRecord, survey};
use millrace_connector::Place;

use super::{Today, refusal};
use crate::failure::Failure;

/// Lists the other pipelines of the store, and refuses to write where one of them does.
pub(super) fn check_first_start(today: &Today<'_>) -> Result<(), Failure> {
    let others = others(today)?;
    if others.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
    tracing::info!(
        pipeline = today.name(),
        others = names.join(", "),
        "first start; the checkpoint store has other pipelines"
    );
    if today.args.copy {
        return Ok(());
    }
    for (name, flows) in &others {
        for flow in flows {
            if let Some(sink) = meets(today, flow) {
                let location = today.store.location();
                return Err(refusal::same_place(today.name(), name, &sink, &location));
            }
        }
    }
    Ok(())
}

/// Returns the other pipelines with what is known of their running dataflows.
fn others(today: &Today<'_>) -> Result<Vec<(String, Vec<DataflowRecord>)>, Failure> {
    let store = &**today.store;
    let mut others: Vec<(String, Vec<DataflowRecord>)> = Vec::new();
    for record in PipelineRecord::all(store).map_err(anyhow::Error::new)? {
        let running = record.running().map(|(_, flow)| flow.clone()).collect();
        let has_moved = record.successor.is_some();
        others.push((
            record.pipeline.clone(),
            if has_moved { Vec::new() } else { running },
        ));
    }
    for found in survey(store, "").map_err(anyhow::Error::new)? {
        if found.newest.closes || others.iter().any(|(name, _)| *name == found.pipeline) {
            continue;
        }
        others.push((found.pipeline.clone(), vec![found.assumed()]));
    }
    others.retain(|(name, _)| name != today.name());
    Ok(others)
}

/// Returns the sink of the file that another dataflow writes to. Of those that an earlier build has left, only names are
/// known: one that has a sink and a source in common is taken for the same.
fn meets(today: &Today<'_>, other: &DataflowRecord) -> Option<String> {
    for flow in &today.flows {
        for sink in &flow.sinks {
            let at = |place: &Option<Place>| {
                place
                    .as_ref()
                    .zip(sink.place.as_ref())
                    .is_some_and(|(was, is)| was.is_at(is))
            };
            if other.sinks.values().any(|known| at(&known.place)) {
                return Some(sink.name.clone());
            }
            let is_assumed = other
                .sinks
                .values()
                .any(|known| known.place.is_none() && known.name == sink.name);
            let reads = flow.sources.iter().any(|source| {
                let mut known = other.sources.values();
                known.any(|known| {
                    known
                        .place
                        .as_ref()
                        .zip(source.place.as_ref())
                        .is_some_and(|(was, is)| was.meets(is))
                })
            });
            if is_assumed && sink.place.is_some() && reads {
                return Some(sink.name.clone());
            }
        }
    }
    None
}
