//! SIGTERM and Ctrl-C: the first asks for an orderly end, the second ends the process.

use anyhow::Context;
use millrace_connector::Cancel;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Makes SIGTERM and SIGINT set `stop`; a second signal ends the process at once.
///
/// Must be called within a tokio runtime.
pub(crate) fn on_signals(stop: &Cancel) -> anyhow::Result<()> {
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
        let second = next(&mut terminate, &mut interrupt).await;
        tracing::warn!(
            signal = second.0,
            "stopping at once; the open epoch is not committed"
        );
        crate::screen::set_status(Vec::new());
        std::process::exit(128 + second.1);
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
