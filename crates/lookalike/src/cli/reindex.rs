//! `lookalike reindex`: after a change of encoder, new vectors from the stored originals.

use std::io::{self, Write};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lookalike_engine::{Engine, ReindexProgress};

use super::runtime;
use crate::config::Settings;
use crate::logging;
use crate::server::open_models;

/// Make the vectors of collections anew whose model is served by another encoder now
///
/// Run it while the server is stopped, with the server's own settings. It reads the stored originals, and
/// exchanges the vectors of a collection when all of them are there; stopped half-way, the next run goes on.
#[derive(Debug, Args)]
pub struct Reindex {
    #[command(flatten)]
    settings: Settings,
}

impl Reindex {
    pub fn run(self) -> anyhow::Result<()> {
        let settings = self.settings;
        logging::start(settings.log_format, &settings.log)?;
        runtime::run(async move {
            let models = open_models(&settings).await?;
            let engine = Engine::open_idle(settings.engine_config()?, models).await?;
            let bar = bar();
            let report = engine.reindex(|progress| show(&bar, progress)).await;
            bar.finish_and_clear();
            engine.shutdown().await;
            let report = report?;
            writeln!(
                io::stdout(),
                "collections made anew: {} ({} rows); left as they were: {}",
                report.collections,
                report.rows,
                report.unchanged
            )?;
            Ok(())
        })
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg:30} {wide_bar} {pos}/{len} {per_sec} {eta}")
        .expect("a template without mistakes");
    bar.set_style(style);
    bar
}

fn show(bar: &ProgressBar, progress: &ReindexProgress) {
    if bar.message() != progress.collection {
        bar.set_message(progress.collection.clone());
        bar.reset();
    }
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}
