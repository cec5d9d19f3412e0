//! `lookalike models pull`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lookalike_embed::catalogue::Catalogue;
use lookalike_embed::library::{HubConfig, ModelLibrary, Origin, PullProgress, Wanted};

use crate::config::hub;

/// Fetch a model's weights; a server finds them from then on
///
/// Fetches from the Hugging Face hub, or from the mirror that `HF_ENDPOINT` names; `HTTPS_PROXY` is honoured, and
/// `HF_TOKEN` opens what is not open to everyone. A pull that was stopped goes on where it was.
#[derive(Debug, Args)]
pub struct Pull {
    /// A model name of the API (see `models list`), or any repository of the hub with a CLIP or a BERT in it
    #[arg(env = "LOOKALIKE_PULL", value_name = "NAME|hf:ORG/REPO[@REVISION]")]
    what: Wanted,

    /// Serve the model NAME with these weights, which come from a repository that the catalogue does not name
    #[arg(long = "as", env = "LOOKALIKE_PULL_AS", value_name = "NAME")]
    serve_as: Option<String>,

    /// Take the files from a folder of this machine instead of the network
    #[arg(long, env = "LOOKALIKE_PULL_FROM", value_name = "DIR")]
    from: Option<PathBuf>,

    /// The hub, or a mirror of it; without this setting `HF_ENDPOINT`, else the hub
    #[arg(long, env = "LOOKALIKE_HF_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
}

impl Pull {
    pub fn run(self, library: &ModelLibrary) -> anyhow::Result<()> {
        let wanted = match &self.serve_as {
            Some(name) => self.what.named(name)?,
            None => self.what,
        };
        let origin = match self.from {
            Some(folder) => Origin::Folder(folder),
            None => Origin::Hub(HubConfig {
                endpoint: self.endpoint.or_else(hub::endpoint),
                token: hub::token(),
            }),
        };
        let (folder, manifest) = library.pull(&wanted, &origin, &mut Bar::default())?;
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{}: {} from {} in {}",
            manifest.name,
            HumanBytes(manifest.bytes()),
            manifest.source,
            folder.display()
        )?;
        let name = wanted.name();
        if Catalogue::embedded().find(name).is_some() {
            writeln!(
                out,
                "A server that uses this folder serves {name} with it from its next start on. Collections that a stand-in filled are then refused until `lookalike reindex` has run."
            )?;
        } else {
            writeln!(
                out,
                "To serve it, give it a model name of the API: --model NAME={}",
                folder.display()
            )?;
        }
        Ok(())
    }
}

/// A bar on a terminal, nothing elsewhere.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl PullProgress for Bar {
    fn start(&mut self, file: &str, bytes: u64) {
        let bar = self.0.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(
                "{msg:30} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            )
            .expect("a template without mistakes");
            bar.set_style(style);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        bar.set_message(file.to_owned());
        bar.set_length(bytes);
        bar.set_position(0);
        bar.reset_eta();
    }

    fn advance(&mut self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
