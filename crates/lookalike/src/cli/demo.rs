//! `lookalike demo`: a server in memory, filled and searched through its own API, to be looked at.

mod photos;
mod tour;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use tokio::net::TcpListener;

use self::photos::Photos;
use self::tour::Tour;
use super::runtime::{self, StopSignals};
use super::startup;
use crate::client::Client;
use crate::config::{AccessKey, LogFormat, ModelPath, Settings};
use crate::gateway::keys::DEFAULT_KEY;
use crate::logging;
use crate::server::Server;

/// The port that the examples of the documentation name.
const USUAL_PORT: u16 = 8443;

/// Start in memory, load example photos through the API, search them, keep serving
///
/// Nothing is kept. What you see is what a program written for the cloud would do: signed calls, an upload of
/// an archive, a job to wait for, searches by text and by image.
#[derive(Debug, Args)]
pub struct Demo {
    /// End after the searches
    #[arg(long, env = "LOOKALIKE_ONCE", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    once: bool,

    /// Address and port to listen on; without it 127.0.0.1:8443, or a free port if that one is taken
    #[arg(long, env = "LOOKALIKE_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Folder with photos (.bmp .jpg .jpeg .png .tiff, at most 100); without it examples/photos
    #[arg(long, env = "LOOKALIKE_PHOTOS", value_name = "DIR")]
    photos: Option<PathBuf>,

    /// `EmbeddingModel` of the demo's collection
    #[arg(
        long = "embedding-model",
        env = "LOOKALIKE_EMBEDDING_MODEL",
        value_name = "NAME",
        default_value = "clip-vit-b-32"
    )]
    embedding_model: String,

    /// Serve the model NAME from the folder PATH
    #[arg(
        long = "model",
        env = "LOOKALIKE_MODEL",
        value_name = "NAME=PATH",
        value_delimiter = ','
    )]
    models: Vec<ModelPath>,

    /// An access key for everyone who may use the demo; without it, on this machine only, the pair
    /// lookalike:lookalike works
    #[arg(
        long = "access-key",
        env = "LOOKALIKE_ACCESS_KEY",
        value_name = "ID:SECRET[:TOKEN]",
        value_delimiter = ',',
        hide_env_values = true
    )]
    access_keys: Vec<AccessKey>,

    /// What is logged, to standard error
    #[arg(
        long,
        env = "LOOKALIKE_LOG",
        value_name = "FILTER",
        default_value = "warn"
    )]
    log: String,
}

impl Demo {
    pub fn run(self) -> anyhow::Result<()> {
        logging::start(LogFormat::Human, &self.log)?;
        let photos = Photos::find(self.photos.as_deref())?;
        runtime::run(async move {
            let mut signals = StopSignals::listen()?;
            let server = Server::start(&self.settings().await?).await?;
            let endpoint = startup::reachable(server.address());
            let (id, secret) = self.key();
            say(&format!(
                "Lookalike listens on {endpoint}, in memory, with the access key {id}."
            ))?;
            let client = Client::new(endpoint.to_string(), id, secret)?;
            let tour = Tour::new(client, &self.embedding_model);
            tokio::select! {
                walked = tour.walk(&photos) => walked.context("the demo's own searches failed")?,
                stopped = signals.next() => return Ok(stopped?),
            }
            if !self.once {
                say(&format!(
                    "\nOpen http://{endpoint}/ in a browser, or point a program at {endpoint}. Ctrl-C ends it."
                ))?;
                signals.next().await?;
            }
            server.stop().await;
            Ok(())
        })
    }

    /// The key that the demo's own calls are signed with: a permanent one, because its client sends no token.
    fn key(&self) -> (&str, &str) {
        let permanent = self
            .access_keys
            .iter()
            .find(|key| key.security_token.is_none());
        permanent.map_or((DEFAULT_KEY, DEFAULT_KEY), |key| (&key.id, &key.secret))
    }

    /// The settings of `serve`, its defaults but for these.
    async fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::from_flags(["--data", ":memory:"])?;
        settings.listen = match self.listen {
            Some(listen) => listen,
            None => usual_or_free_port().await,
        };
        settings.access_keys.clone_from(&self.access_keys);
        settings.models.clone_from(&self.models);
        Ok(settings)
    }
}

async fn usual_or_free_port() -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, USUAL_PORT));
    match TcpListener::bind(usual).await {
        Ok(_free) => usual,
        Err(_taken) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
