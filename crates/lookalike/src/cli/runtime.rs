//! The async runtime of the long-running commands, and the signals that end them.

use std::future::Future;
use std::io;

/// Runs a command to its end.
pub fn run(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(command);
    // Work on blocking threads may hold out longer than anyone wants to wait for; what matters is stored
    // already.
    runtime.shutdown_background();
    outcome
}

/// Waits for SIGTERM or Ctrl-C.
#[cfg(unix)]
pub async fn asked_to_stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn asked_to_stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
