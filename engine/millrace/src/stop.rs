//! SIGTERM and Ctrl-C: the first asks for an orderly end, the second ends the process; so does a time-out.

use std::time::Duration;

use anyhow::Context;
use millrace_connector::Cancel;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long an orderly end may take where no setting says so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Signals so soon after the first are the same one: a supervisor that signals a process and its group sends two.
const ECHO: Duration = Duration::from_millis(100);

/// Makes SIGTERM and SIGINT set `stop`; a second signal ends the process at once, and so does the end of `patience`: a broker
/// that does not answer must not hold the process back until it is killed.
///
/// Must be called within a tokio runtime.
pub(crate) fn on_signals(stop: &Cancel, patience: Duration) -> anyhow::Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        let first = next(&mut terminate, &mut interrupt).await;
        tracing::info!(
            signal = first.0,
            "stopping after the running epoch is committed"
        );
        stop.cancel();
        let echo_ends = tokio::time::Instant::now() + ECHO;
        while tokio::time::timeout_at(echo_ends, next(&mut terminate, &mut interrupt))
            .await
            .is_ok()
        {}
        let second = tokio::time::timeout(patience, next(&mut terminate, &mut interrupt)).await;
        crate::screen::set_status(Vec::new());
        let code = match second {
            Ok((signal, number)) => {
                tracing::warn!(signal, "stopping at once; the open epoch is not committed");
                128 + number
            }
            Err(_) => {
                tracing::error!(
                    help = "see the lines above for what did not answer; the next start reads the epoch's rows again",
                    "the open epoch could not be committed within {} s of {}",
                    patience.as_secs(),
                    first.0
                );
                1
            }
        };
        std::process::exit(code);
    });
    Ok(())
}

/// Waits for a signal; returns its name and number.
async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        biased;
        _ = terminate.recv() => ("SIGTERM", 15),
        _ = interrupt.recv() => ("SIGINT", 2),
    }
}
