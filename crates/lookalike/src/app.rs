//! What every handler shares, built once at start.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lookalike_embed::Models;
use lookalike_engine::Engine;
use url::Url;

use crate::config::Limits;
use crate::gateway::keys::Keys;
use crate::objects::links::Links;

/// Unknown request fields that are remembered as logged. Stops a client that invents names from using up the
/// memory.
const MAX_REMEMBERED_FIELDS: usize = 1024;

/// The handle that handlers get; cheap to clone.
#[derive(Clone)]
pub struct App {
    shared: Arc<AppParts>,
}

/// The parts of an [`App`].
pub struct AppParts {
    pub engine: Engine,
    pub models: Models,
    pub keys: Keys,
    pub links: Links,
    pub limits: Limits,
    pub public_url: Option<Url>,
    /// Where data is, for people.
    pub data: String,
    /// The certificate authority, for clients to fetch.
    pub certificate_pem: String,
    /// Request fields of no known meaning that were logged already.
    pub logged_fields: Mutex<HashSet<(&'static str, String)>>,
}

impl App {
    pub fn new(parts: AppParts) -> Self {
        Self {
            shared: Arc::new(parts),
        }
    }

    /// Longest wait for the next byte of a body.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.limits.body_timeout_seconds)
    }

    /// Says once for each action and field that a client sent something of no known meaning.
    pub fn note_unknown_field(&self, action: &'static str, field: &str) {
        let mut logged = self
            .logged_fields
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if logged.len() < MAX_REMEMBERED_FIELDS && logged.insert((action, field.to_owned())) {
            tracing::warn!(
                action,
                field,
                "a request field of no known meaning is ignored"
            );
        }
    }
}

impl Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.shared
    }
}
