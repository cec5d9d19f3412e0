//! Log lines: to standard error, for a person or as JSON. Called once, before anything else runs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("cannot understand the log filter: {0}")]
pub struct LogFilterError(#[from] tracing_subscriber::filter::ParseError);

/// Starts logging. A second call in one process changes nothing: tests start several servers.
pub fn start(format: LogFormat, filter: &str) -> Result<(), LogFilterError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
    };
    drop(started);
    Ok(())
}
