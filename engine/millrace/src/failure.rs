//! Why a command ends without having done its work, and how that is told.

use std::io::IsTerminal;

use millrace_connector::Diagnostic;

use crate::text::SqlText;
use crate::{logging, output, screen};

/// Why a command ends without having done its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The file or a setting is wrong: exit code 2.
    Refused {
        /// Everything that was found, warnings too.
        diagnostics: Vec<Diagnostic>,
        /// The text that their places are in.
        text: SqlText,
    },
    /// It failed while it ran: exit code 1.
    Failed {
        /// The code, where there is a page about it.
        code: Option<&'static str>,
        /// The error with its causes.
        error: anyhow::Error,
        /// The way out, where one is known.
        help: Option<String>,
    },
}

impl Failure {
    /// Returns a refusal that no text is to blame for.
    pub(crate) fn refused(diagnostic: Diagnostic) -> Self {
        Self::Refused {
            diagnostics: vec![diagnostic],
            text: SqlText::default(),
        }
    }

    /// Returns a failure at run time that has a page.
    pub(crate) fn coded(code: &'static str, error: anyhow::Error, help: Option<String>) -> Self {
        Self::Failed {
            code: Some(code),
            error,
            help,
        }
    }

    /// Tells the user, and returns the exit code.
    pub(crate) fn report(&self) -> u8 {
        match self {
            Self::Refused { diagnostics, text } => {
                screen::print_above(&text.render(diagnostics, colours()));
                let errors = diagnostics.iter().filter(|found| found.is_error()).count();
                let what = if errors == 1 { "error" } else { "errors" };
                let codes = codes(diagnostics);
                screen::print_above(&format!(
                    "\n{errors} {what}; nothing was started. More about a code: millrace explain {codes}\n"
                ));
                2
            }
            Self::Failed { code, error, help } if logging::is_json() => {
                let causes = causes(error);
                tracing::error!(code, help, "{}", causes.join(": "));
                1
            }
            Self::Failed { code, error, help } => {
                screen::print_above(&describe(*code, error, help.as_deref(), colours()));
                1
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed {
            code: None,
            error,
            help: None,
        }
    }
}

/// Tells whether standard error shows colours.
pub(crate) fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn codes(diagnostics: &[Diagnostic]) -> &'static str {
    diagnostics
        .iter()
        .find(|found| found.is_error())
        .map_or("MR0101", |found| found.code)
}

/// Returns the error and its causes, without those that one before has told already.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        let part = output::one_line(&cause.to_string());
        if !told.iter().any(|before| before.contains(&part)) {
            told.push(part);
        }
    }
    told
}

/// Returns the error with its causes, each once, and the way out.
pub(crate) fn describe(
    code: Option<&str>,
    error: &anyhow::Error,
    help: Option<&str>,
    colours: bool,
) -> String {
    let (red, cyan, plain) = if colours {
        ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    let mut text = String::new();
    for (depth, part) in causes(error).iter().enumerate() {
        if depth == 0 {
            let code = code.map_or(String::new(), |code| format!("[{code}]"));
            text.push_str(&format!("{red}error{code}{plain}: {part}\n"));
        } else {
            text.push_str(&format!("  caused by: {part}\n"));
        }
    }
    if let Some(help) = help {
        text.push_str(&format!("  {cyan}help{plain}: {help}\n"));
    }
    if let Some(code) = code {
        text.push_str(&format!("  more about it: millrace explain {code}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let inner = anyhow::anyhow!("no route to host");
        let error = inner
            .context("kafka_in: cannot connect: no route to host")
            .context("outer");
        let text = describe(Some("MR0803"), &error, Some("look at the cable"), false);
        assert_eq!(
            text,
            "error[MR0803]: outer\n  caused by: kafka_in: cannot connect: no route to host\n  help: look at the cable\n  \
             more about it: millrace explain MR0803\n"
        );
    }
}
