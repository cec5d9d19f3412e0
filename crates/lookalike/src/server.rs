//! A running server: models, engine, keys and listener put together in order, and taken apart in order.
//!
//! Used by `serve`, `demo` and the tests. The invariant: when [`Server::start`] returns, the address is bound
//! and requests are answered; when [`Server::stop`] returns, requests and jobs in progress have ended or are
//! stored to run again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use lookalike_embed::catalogue::Catalogue;
use lookalike_embed::library::ModelLibrary;
use lookalike_embed::{Models, ModelsConfig};
use lookalike_engine::{DataLocation, Engine};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppParts};
use crate::config::{ModelPath, Settings, data_location};
use crate::gateway::authority::Authority;
use crate::gateway::keys::Keys;
use crate::gateway::listener::{self, ListenerLimits};
use crate::gateway::router;
use crate::objects::links::Links;

/// File in the data folder that holds the address in use.
pub const ENDPOINT_FILE: &str = "endpoint";
/// Texts whose vectors are remembered.
const TEXT_CACHE_ENTRIES: u64 = 4096;

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    app: App,
    stop: CancellationToken,
    listening: JoinHandle<()>,
    drain: Duration,
}

impl Server {
    /// Opens everything and listens. Blocks the thread while models load: call it before the first request,
    /// not beside others.
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        settings.compute.hold()?;
        let keys = Keys::new(
            &settings.access_keys,
            &settings.bearer_tokens,
            settings.allow_unsigned,
            settings.listen,
        )?;
        let data = settings.data_location();
        if let Some(folder) = data_location::folder(&data) {
            fs_err::create_dir_all(folder).context("cannot make the data folder")?;
        }
        // Bound first: a port that is taken is said before a model is loaded.
        let socket = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        let address = socket.local_addr()?;

        let models = open_models(settings).await?;
        let engine = Engine::open(settings.engine_config()?, models.clone()).await?;
        let authority = Authority::open(data_location::folder(&data))?;
        let links = Links::open(data_location::folder(&data))
            .context("cannot keep the key of signed links")?;
        let app = App::new(AppParts {
            engine,
            models,
            keys,
            links,
            limits: settings.limits.clone(),
            public_url: settings.public_url.clone(),
            data: data_location::describe(&data),
            certificate_pem: authority.certificate_pem().to_owned(),
            logged_fields: Mutex::default(),
        });
        publish_address(&data, address)?;

        let limits = ListenerLimits {
            max_connections: settings.limits.max_connections,
            handshake_timeout: Duration::from_secs(settings.limits.handshake_timeout_seconds),
            header_timeout: Duration::from_secs(settings.limits.header_timeout_seconds),
            write_timeout: Duration::from_secs(settings.limits.write_timeout_seconds),
        };
        let stop = CancellationToken::new();
        let listening = tokio::spawn(listener::serve(
            socket,
            router(app.clone()),
            Arc::new(authority),
            limits,
            stop.clone(),
        ));
        Ok(Self {
            address,
            app,
            stop,
            listening,
            drain: Duration::from_secs(settings.limits.drain_seconds),
        })
    }

    /// The address in use, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Takes no new connection, lets requests and jobs in progress end within the drain time, closes the
    /// data.
    pub async fn stop(self) {
        self.stop.cancel();
        if tokio::time::timeout(self.drain, self.listening)
            .await
            .is_err()
        {
            tracing::warn!("connections were still open after the drain time");
        }
        self.app.engine.shutdown().await;
    }
}

/// Loads the models on a thread that may block.
pub async fn open_models(settings: &Settings) -> anyhow::Result<Models> {
    let config = models_config(&settings.library(), &settings.models, settings.threads)?;
    let config = settings.compute.apply(config)?;
    Ok(tokio::task::spawn_blocking(move || Models::open(config)).await??)
}

/// The models' configuration: what was pulled, and what the flags name instead of it or beside it.
pub fn models_config(
    library: &ModelLibrary,
    models: &[ModelPath],
    threads: usize,
) -> anyhow::Result<ModelsConfig> {
    let catalogue = Catalogue::embedded();
    let pulled = library
        .names()
        .context("cannot read the folder of pulled models")?
        .into_iter()
        .filter(|name| catalogue.find(name).is_some())
        .filter(|name| !models.iter().any(|model| model.name == *name))
        .map(|name| (library.folder().join(&name), name))
        .map(|(path, name)| (name, path));
    let given = models
        .iter()
        .map(|model| (model.name.clone(), model.path.clone()));
    Ok(ModelsConfig {
        paths: pulled.chain(given).collect(),
        threads,
        text_cache_entries: TEXT_CACHE_ENTRIES,
        ..ModelsConfig::default()
    })
}

/// Writes `host:port` where scripts find it, whole or not at all.
fn publish_address(data: &DataLocation, address: SocketAddr) -> anyhow::Result<()> {
    let Some(folder) = data_location::folder(data) else {
        return Ok(());
    };
    let unfinished = folder.join(format!("{ENDPOINT_FILE}.new"));
    fs_err::write(&unfinished, format!("{address}\n"))?;
    fs_err::rename(&unfinished, folder.join(ENDPOINT_FILE))?;
    Ok(())
}
