//! Why a run stops before it reads anything: each reason names a way out that works.

use millrace_checkpoint::Surveyed;
use millrace_checkpoint::matching::{Matching, Orphan};
use millrace_connector::Diagnostic;

use crate::failure::Failure;

fn refused(code: &'static str, text: String, help: String) -> Failure {
    Failure::refused(Diagnostic::global(code, text).help(help))
}

/// Refuses what has no partner or several.
pub(super) fn check(matching: &Matching, file: &str) -> Result<(), Failure> {
    let mut diagnostics = Vec::new();
    for word in &matching.unknown {
        tracing::warn!(
            word,
            "an option names what neither the checkpoint nor the file has: 'millrace checkpoints {file} --positions' lists what there is"
        );
    }
    for one in &matching.ambiguous {
        let pairs: Vec<String> = one
            .candidates
            .iter()
            .map(|new| format!("--match {}={new}", one.spoken))
            .collect();
        diagnostics.push(
            Diagnostic::global(
                "MR0854",
                format!(
                    "'{}' of the checkpoint may be any of '{}': they are at the same place",
                    one.name,
                    one.candidates.join("', '")
                ),
            )
            .help(format!(
                "say which one goes on from it: {}",
                pairs.join(", or ")
            ))
            .help(format!(
                "or --forget {}: its positions are dropped",
                one.spoken
            )),
        );
    }
    for orphan in matching
        .orphans
        .iter()
        .filter(|orphan| is_owed(orphan, matching))
    {
        diagnostics.push(orphaned(orphan, matching));
    }
    if diagnostics.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused {
        diagnostics,
        text: Default::default(),
    })
}

/// Tells whether somebody has to say that it may go: not of what a checkpoint keeps nothing of.
fn is_owed(orphan: &Orphan, matching: &Matching) -> bool {
    let told = matching.forgotten.contains(&orphan.known);
    orphan.place.is_some() && !told
}

fn orphaned(orphan: &Orphan, matching: &Matching) -> Diagnostic {
    let kind = if orphan.is_source { "source" } else { "sink" };
    let place = orphan
        .place
        .as_ref()
        .map_or_else(String::new, |place| format!(" ({place})"));
    let name = &orphan.spoken;
    let loss = if orphan.is_source {
        "its positions are dropped, and whatever the file reads instead begins where its startup mode says"
    } else {
        "it gets no more rows; positions stay where they are"
    };
    let mut told = Diagnostic::global(
        "MR0853",
        format!(
            "{kind} '{}' of the checkpoint{place} has no partner in the file",
            orphan.name
        ),
    );
    let new = if orphan.is_source {
        &matching.new_sources
    } else {
        &matching.new_sinks
    };
    for new in new {
        let what = if orphan.is_source {
            "its positions go on there, as far as the topics are the same"
        } else {
            "rows go there from now on"
        };
        told = told.help(format!(
            "--match {name}={new}: it is that table now, and {what}"
        ));
    }
    told.help(format!("--forget {name}: {loss}"))
}

pub(super) fn needs_name(name: &str, location: &str) -> Failure {
    refused(
        "MR0851",
        format!("the checkpoints of '{name}' in {location} are those of another file: no source and sink of them is in this one"),
        "give this pipeline a name of its own: -D pipeline.name=…; the file's name is enough only while it cannot be mistaken".to_owned(),
    )
}

pub(super) fn same_place(name: &str, other: &str, sink: &str, location: &str) -> Failure {
    let diagnostic = Diagnostic::global(
        "MR0852",
        format!("pipeline '{other}' in {location} writes to the place of '{sink}' already, and this is the first start of '{name}'"),
    )
    .help(format!("--from pipeline:{other}: it is the same pipeline under a new name; it goes on from there, and the old name is closed"))
    .help("--copy: both are to run; this one begins where its startup modes say".to_owned());
    Failure::refused(diagnostic)
}

pub(super) fn nothing_there(name: &str, location: &str) -> Failure {
    refused(
        "MR0852",
        format!("there are no checkpoints of pipeline '{name}' in {location}"),
        "'millrace checkpoints DIR' lists what is there; without --from the pipeline starts anew"
            .to_owned(),
    )
}

pub(super) fn renamed(name: &str, successor: &str) -> Failure {
    refused(
        "MR0852",
        format!("pipeline '{name}' was renamed to '{successor}'"),
        format!(
            "start it with -D pipeline.name={successor}, or go back: -D pipeline.name={name}-2 --from pipeline:{successor}"
        ),
    )
}

pub(super) fn shared_folder(found: &Surveyed, location: &str) -> Failure {
    refused(
        "MR0852",
        format!(
            "the folder '{}' in {location} holds checkpoints of several pipelines, '{}' among them: an earlier build spelled their names alike",
            found.folder, found.pipeline
        ),
        "--from none starts this one anew, in a folder of its own; what it has written is in its output".to_owned(),
    )
}

pub(super) fn elsewhere(was: &str, is: &str) -> Failure {
    let diagnostic = Diagnostic::global(
        "MR0855",
        format!("these checkpoints were written in {was}, and lie in {is} now"),
    )
    .help("--moved: the folder was moved or is mounted elsewhere, and nobody uses the old one")
    .help("--copy: it is a copy, and the original goes on; this pipeline gets names of its own and never fences the original");
    Failure::refused(diagnostic)
}

pub(super) fn earlier(file: &str) -> Failure {
    refused(
        "MR0856",
        format!(
            "{file} is as it was before the last change: another process may run the newer file"
        ),
        "start it with the newer file, or go back to this one: --roll-back".to_owned(),
    )
}

pub(super) fn needs_command(what: &str, file: &str, slots: u32) -> Failure {
    refused(
        "MR0857",
        format!("{what}, and the pipeline has {slots} slots"),
        format!(
            "stop all processes, then run 'millrace rescale {file} --slots {slots}' with the options of 'millrace run', and start them again"
        ),
    )
}
