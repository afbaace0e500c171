//! `millrace check`: everything that can be found without connecting to anything.

use millrace_connector::Diagnostic;

use crate::cli::{CheckFormat, PipelineArgs};
use crate::failure::{Failure, colours};
use crate::{output, pipeline, screen};

/// Checks a file and tells what was found.
pub(crate) fn command(args: &PipelineArgs, format: CheckFormat) -> Result<u8, Failure> {
    let (diagnostics, text, notes, flows) = match pipeline::load(args) {
        Ok(pipeline) => (
            pipeline.warnings,
            pipeline.text,
            pipeline.notes,
            pipeline.flows.len(),
        ),
        Err(Failure::Refused { diagnostics, text }) => (diagnostics, text, Vec::new(), 0),
        Err(failure) => return Err(failure),
    };
    let errors = diagnostics.iter().filter(|found| found.is_error()).count();
    match format {
        CheckFormat::Json => output::line(text.render_json(&diagnostics)),
        CheckFormat::Text if errors > 0 => return Err(Failure::Refused { diagnostics, text }),
        CheckFormat::Text => {
            screen::print_above(&text.render(&diagnostics, colours()));
            for note in notes {
                screen::print_above(&format!("note: {note}\n"));
            }
            output::line(format!(
                "{}: ok, {}",
                args.file.display(),
                summary(flows, &diagnostics)
            ));
        }
    }
    Ok(if errors > 0 { 2 } else { 0 })
}

fn summary(flows: usize, warnings: &[Diagnostic]) -> String {
    let flows = format!("{flows} dataflow{}", if flows == 1 { "" } else { "s" });
    match warnings.len() {
        0 => flows,
        1 => format!("{flows}, 1 warning"),
        count => format!("{flows}, {count} warnings"),
    }
}
