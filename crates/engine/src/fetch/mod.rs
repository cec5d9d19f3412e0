//! Fetching the files behind remote `FileUrl`s.
//!
//! Called by jobs and by image queries; own objects never come here. Hostile by assumption: the URL
//! comes from a request, so its address is checked after name resolution and the connection goes to
//! the very address that was checked, at every redirect anew. Time, size and redirects are bounded.
//! Proxies of the environment are not used: behind one, nothing could be checked.

mod address;

use std::{io, net::SocketAddr, sync::OnceLock, time::Instant};

use bytes::Bytes;
use reqwest::{
    Client, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::LOCATION,
    redirect::Policy,
};
use url::{Host, Url};

use crate::config::FetchSettings;

/// Fetches within the settings.
pub(crate) struct Fetcher {
    settings: FetchSettings,
    /// Built when first needed: reading the system's certificates takes a while.
    client: OnceLock<Result<Client, String>>,
}

/// Why a file could not be fetched; the text names the URL's host, never its query, which may hold
/// a signature.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("FileUrl must start with http:// or https://, not '{0}:'")]
    Scheme(String),
    #[error(
        "FileUrl points to {0}, which is not on the public internet; allow it with the setting \
         allow_private_urls"
    )]
    PrivateAddress(String),
    #[error("FileUrl cannot be fetched from {host}: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("FileUrl cannot be fetched: {host} answers {status}")]
    Status { host: String, status: StatusCode },
    #[error("FileUrl redirects more than {0} times (setting max_redirects)")]
    TooManyRedirects(usize),
    #[error("FileUrl took longer than {seconds} s (setting fetch_timeout_seconds)")]
    TooSlow { seconds: u64 },
    #[error("the file behind FileUrl is larger than the limit of {max_bytes} bytes")]
    TooLarge { max_bytes: u64 },
}

/// An answer whose body has not been read.
pub(crate) struct Fetched {
    response: Response,
    host: String,
    deadline: Instant,
    settings: FetchSettings,
    max_bytes: u64,
    read_bytes: u64,
}

impl Fetcher {
    pub(crate) fn new(settings: FetchSettings) -> Self {
        Self {
            settings,
            client: OnceLock::new(),
        }
    }

    /// Asks for a file of at most `max_bytes` and follows redirects to it.
    pub(crate) async fn get(&self, url: &Url, max_bytes: u64) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut url = url.clone();
        for _ in 0..=self.settings.max_redirects {
            let host = self.check(&url)?;
            let request = self.client(&host)?.get(url.clone()).send();
            let response = within(deadline, &self.settings, request).await?;
            let response = response.map_err(|error| send_error(&error, &host))?;
            let status = response.status();
            if let Some(next) = redirect(&response, &url) {
                url = next;
                continue;
            }
            if !status.is_success() {
                return Err(FetchError::Status { host, status });
            }
            if response
                .content_length()
                .is_some_and(|length| length > max_bytes)
            {
                return Err(FetchError::TooLarge { max_bytes });
            }
            let settings = self.settings.clone();
            return Ok(Fetched {
                response,
                host,
                deadline,
                settings,
                max_bytes,
                read_bytes: 0,
            });
        }
        Err(FetchError::TooManyRedirects(self.settings.max_redirects))
    }

    /// Checks what can be checked before a name is resolved and returns the host.
    fn check(&self, url: &Url) -> Result<String, FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme(url.scheme().to_owned()));
        }
        // An address in the URL itself is never resolved, so the resolver would not see it.
        let address = match url.host() {
            None => return Err(FetchError::Scheme(url.scheme().to_owned())),
            Some(Host::Domain(name)) => return Ok(name.to_owned()),
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
        };
        if !self.settings.allow_private_urls && !address::is_public(address) {
            return Err(FetchError::PrivateAddress(address.to_string()));
        }
        Ok(address.to_string())
    }

    fn client(&self, host: &str) -> Result<&Client, FetchError> {
        self.client
            .get_or_init(|| build_client(&self.settings).map_err(|error| chain(&error)))
            .as_ref()
            .map_err(|reason| FetchError::Unreachable {
                host: host.to_owned(),
                reason: reason.clone(),
            })
    }
}

impl Fetched {
    /// The next part of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let chunk = within(self.deadline, &self.settings, self.response.chunk()).await?;
        let chunk = chunk.map_err(|error| send_error(&error, &self.host))?;
        if let Some(chunk) = &chunk {
            self.read_bytes += chunk.len() as u64;
            if self.read_bytes > self.max_bytes {
                return Err(FetchError::TooLarge {
                    max_bytes: self.max_bytes,
                });
            }
        }
        Ok(chunk)
    }

    /// The whole body.
    pub(crate) async fn bytes(mut self) -> Result<Bytes, FetchError> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.into())
    }
}

/// Where a redirect leads; `None` when the answer is none.
fn redirect(response: &Response, from: &Url) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

async fn within<T>(
    deadline: Instant,
    settings: &FetchSettings,
    work: impl Future<Output = T>,
) -> Result<T, FetchError> {
    tokio::time::timeout_at(deadline.into(), work)
        .await
        .map_err(|_| FetchError::TooSlow {
            seconds: settings.timeout.as_secs(),
        })
}

fn build_client(settings: &FetchSettings) -> reqwest::Result<Client> {
    // Fails when another part of the process was first, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(settings.connect_timeout)
            .user_agent(concat!("lookalike/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(CheckingResolver {
                allow_private: settings.allow_private_urls,
            })
    };
    builder().build().or_else(|error| {
        // A minimal container has no certificates. Plain HTTP works without, and HTTPS then says
        // that the issuer is unknown.
        tracing::warn!(
            error = chain(&error),
            "no CA certificates on this machine: https FileUrls will fail"
        );
        builder().tls_certs_only([]).build()
    })
}

/// Resolves names and keeps back addresses that are not allowed. The client connects to what comes
/// out of here and resolves no second time.
struct CheckingResolver {
    allow_private: bool,
}

/// Marks a refusal by [`CheckingResolver`] in the client's chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("{0} resolves to addresses that are not public")]
struct OnlyPrivateAddresses(String);

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|found| allow_private || address::is_public(found.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(OnlyPrivateAddresses(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn send_error(error: &reqwest::Error, host: &str) -> FetchError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<OnlyPrivateAddresses>() {
            return FetchError::PrivateAddress(host.to_owned());
        }
        cause = error.source();
    }
    FetchError::Unreachable {
        host: host.to_owned(),
        reason: chain(error),
    }
}

/// The innermost cause, which says what happened; the outer ones repeat the URL.
fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
