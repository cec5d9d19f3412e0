//! Under which address a client reaches this server, and how to say it as bucket and endpoint.
//!
//! The SDKs upload a local file to `https://<Bucket>.<Endpoint>/` and later name it
//! `http://<Bucket>.<Endpoint>/<ObjectKey>`. Both parts are derived from the Host of the client's own
//! request, so that any address it can reach keeps working: an IPv4 address is split at its first dot (`127`
//! and `0.0.1:8443`), a DNS name at its first label. A name of one label (`localhost`, a container's name)
//! has no dot to split at: the address the connection came in on stands in for it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use url::{Host, Url};

use super::listener::Arrival;

/// A host with its port, as in a `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    host: Host<String>,
    port: Option<u16>,
}

/// The two halves of an address that the SDKs join with a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAddress {
    pub bucket: String,
    pub endpoint: String,
}

/// Why an address cannot be said as bucket and endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the Host header is missing or malformed")]
    Host,
    #[error(
        "the address {0} cannot be written as bucket and endpoint; reach the server by an IPv4 address or a name with a dot, or set --public-url"
    )]
    Unsplittable(String),
}

impl HostPort {
    /// Reads a `Host` header.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        // The URL parser knows the forms of a host; anything that adds a path or a user to it is no host.
        let url = Url::parse(&format!("http://{text}/")).map_err(|_| AddressError::Host)?;
        let plain = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.host() {
            Some(host) if plain && !text.is_empty() => Ok(Self {
                host: host.to_owned(),
                port: explicit_port(text),
            }),
            Some(_) | None => Err(AddressError::Host),
        }
    }

    /// The host and port of a URL.
    pub fn of(url: &Url) -> Option<Self> {
        Some(Self {
            host: url.host()?.to_owned(),
            port: url.port_or_known_default(),
        })
    }

    /// The host alone, an IPv6 address in brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The port, where one is named.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Says the port also where the client left it out. The SDKs change between HTTP and HTTPS on their way
    /// through an upload, and this server speaks both on the port that the client used: without the port they
    /// would go elsewhere.
    #[must_use]
    pub fn with_port(self, encrypted: bool) -> Self {
        let usual = if encrypted { 443 } else { 80 };
        Self {
            port: self.port.or(Some(usual)),
            ..self
        }
    }

    /// Splits into what the SDKs join again. `arrival` tells how the client's connection reached the server.
    pub fn split(&self, arrival: Option<Arrival>) -> Result<BucketAddress, AddressError> {
        let host = match &self.host {
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => self.stand_in(IpAddr::V6(*address))?,
            Host::Domain(name) if name.trim_end_matches('.').contains('.') => {
                name.trim_end_matches('.').to_owned()
            }
            Host::Domain(name) if name.eq_ignore_ascii_case("localhost") => {
                Ipv4Addr::LOCALHOST.to_string()
            }
            Host::Domain(_) => {
                let local = arrival
                    .ok_or_else(|| AddressError::Unsplittable(self.to_string()))?
                    .local
                    .ip();
                self.stand_in(local)?
            }
        };
        let (bucket, rest) = host
            .split_once('.')
            .ok_or_else(|| AddressError::Unsplittable(self.to_string()))?;
        let endpoint = match self.port {
            Some(port) => format!("{rest}:{port}"),
            None => rest.to_owned(),
        };
        Ok(BucketAddress {
            bucket: bucket.to_owned(),
            endpoint,
        })
    }

    /// The IPv4 address by which the same machine is reached.
    fn stand_in(&self, address: IpAddr) -> Result<String, AddressError> {
        match address.to_canonical() {
            IpAddr::V4(address) => Ok(address.to_string()),
            IpAddr::V6(address) if address.is_loopback() => Ok(Ipv4Addr::LOCALHOST.to_string()),
            IpAddr::V6(_) => Err(AddressError::Unsplittable(self.to_string())),
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        let host = match address.ip().to_canonical() {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        };
        Self {
            host,
            port: Some(address.port()),
        }
    }
}

/// The port as written: the URL parser drops `:80`, which an HTTPS client would then lose.
fn explicit_port(text: &str) -> Option<u16> {
    let after_address = text.rsplit(']').next().unwrap_or(text);
    after_address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(formatter, "{}:{port}", self.host),
            None => write!(formatter, "{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(local: &str) -> Arrival {
        Arrival {
            peer: "10.0.0.9:5000".parse().unwrap(),
            local: local.parse().unwrap(),
            encrypted: false,
        }
    }

    fn split(host: &str, local: &str) -> Result<(String, String), AddressError> {
        HostPort::parse(host)?
            .split(Some(arrival(local)))
            .map(|address| (address.bucket, address.endpoint))
    }

    #[test]
    fn addresses_and_names_split_at_the_first_dot() {
        for (host, bucket, endpoint) in [
            ("127.0.0.1:8443", "127", "0.0.1:8443"),
            ("10.1.2.3", "10", "1.2.3"),
            ("photos.example.com:9", "photos", "example.com:9"),
            ("gpdb.aliyuncs.com", "gpdb", "aliyuncs.com"),
            ("example.com:80", "example", "com:80"),
        ] {
            assert_eq!(
                split(host, "127.0.0.1:1").unwrap(),
                (bucket.to_owned(), endpoint.to_owned()),
                "{host}"
            );
        }
    }

    #[test]
    fn port_left_out_is_the_one_that_was_used() {
        let host = || HostPort::parse("gpdb.aliyuncs.com").unwrap();
        assert_eq!(host().with_port(true).to_string(), "gpdb.aliyuncs.com:443");
        assert_eq!(host().with_port(false).to_string(), "gpdb.aliyuncs.com:80");
        let explicit = HostPort::parse("gpdb.aliyuncs.com:8443").unwrap();
        assert_eq!(
            explicit.with_port(true).to_string(),
            "gpdb.aliyuncs.com:8443"
        );
        let public = HostPort::of(&Url::parse("https://photos.example").unwrap()).unwrap();
        assert_eq!(public.to_string(), "photos.example:443");
    }

    #[test]
    fn localhost_becomes_the_loopback_address() {
        let expected = ("127".to_owned(), "0.0.1:8443".to_owned());
        assert_eq!(
            split("localhost:8443", "172.17.0.2:8443").unwrap(),
            expected
        );
        assert_eq!(split("[::1]:8443", "[::1]:8443").unwrap(), expected);
    }

    #[test]
    fn other_names_of_one_label_become_the_address_the_connection_came_in_on() {
        assert_eq!(
            split("lookalike:8443", "172.18.0.2:8443").unwrap(),
            ("172".to_owned(), "18.0.2:8443".to_owned())
        );
        assert_eq!(
            split("lookalike:8443", "[::ffff:172.18.0.2]:8443").unwrap(),
            ("172".to_owned(), "18.0.2:8443".to_owned())
        );
    }

    #[test]
    fn ipv6_addresses_of_other_machines_name_the_remedy() {
        let error = split("[2001:db8::1]:8443", "[2001:db8::1]:8443").unwrap_err();
        assert!(error.to_string().contains("--public-url"), "{error}");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "a b", "user@host", "host/path", "host?x"] {
            assert_eq!(HostPort::parse(text), Err(AddressError::Host), "{text}");
        }
    }
}
