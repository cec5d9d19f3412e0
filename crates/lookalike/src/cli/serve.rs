//! `lookalike serve`: the server, with its first words to the person who started it.

use clap::Args;

use super::runtime::{self, StopSignals};
use super::startup;
use crate::config::Settings;
use crate::logging;
use crate::server::Server;

/// Run the server
///
/// Speaks HTTP and HTTPS on one port. Its first lines say which keys work, where the data is, which encoder
/// serves which model, and what to change in a program.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<()> {
        logging::start(self.settings.log_format, &self.settings.log)?;
        runtime::run(async move {
            let mut signals = StopSignals::listen()?;
            let server = Server::start(&self.settings).await?;
            startup::announce(&server)?;
            signals.next().await?;
            tracing::info!("stopping: requests and jobs in progress may finish");
            tokio::select! {
                () = server.stop() => {}
                // Whoever asks twice does not want to wait: what was accepted is stored and runs again at the
                // next start.
                again = signals.next() => again?,
            }
            Ok(())
        })
    }
}
