//! The server's own certificate authority, and the certificates it signs.
//!
//! The CA's certificate and key live in the data folder (`ca.pem`, `ca-key.pem`, the key readable by its
//! owner only) and stay the same for the folder's life, because clients are told to trust them. Certificates
//! of the server are never stored: one is made when a name is first asked for and made anew before it
//! expires, so no client ever meets an old one or one that lacks its name.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::private_file;

/// File name of the CA's certificate in the data folder.
pub const CA_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca-key.pem";

/// Days a certificate of the server is valid: what browsers accept at most.
const LEAF_DAYS: i64 = 397;
/// Days before its end at which a certificate is made anew.
const RENEW_DAYS: i64 = 30;
/// Names for which certificates are kept; beyond it they are made for each connection. Stops a scan over
/// server names from using up the memory.
const MAX_KEPT: usize = 256;

/// Regions whose object-store names are in every certificate, so that a client whose DNS or hosts file points
/// the cloud's names here finds a certificate for them. A wildcard covers one label only, which is why each
/// region needs its own. `DescribeRegions` lists them.
pub const REGIONS: [&str; 30] = [
    "cn-hangzhou",
    "cn-shanghai",
    "cn-beijing",
    "cn-shenzhen",
    "cn-zhangjiakou",
    "cn-huhehaote",
    "cn-wulanchabu",
    "cn-qingdao",
    "cn-chengdu",
    "cn-guangzhou",
    "cn-heyuan",
    "cn-nanjing",
    "cn-fuzhou",
    "cn-wuhan",
    "cn-hongkong",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "eu-central-1",
    "eu-west-1",
    "us-east-1",
    "us-west-1",
    "me-east-1",
    "me-central-1",
];

/// Why the CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("cannot keep the certificate authority: {0}")]
    Io(#[from] io::Error),
    #[error(
        "{path} is damaged ({reason}); delete {CA_FILE} and {KEY_FILE} to make a new certificate authority, which clients must then be told to trust"
    )]
    Damaged { path: PathBuf, reason: String },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("cannot use the certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// The CA and the TLS configurations made from it so far.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    config: Arc<ServerConfig>,
    renew_at: Timestamp,
}

impl Authority {
    /// Opens the CA of a data folder, making it on the first start. Without a folder it lives in memory.
    pub fn open(folder: Option<&Path>) -> Result<Self, AuthorityError> {
        let (certificate_pem, key) = match folder {
            Some(folder) => load_or_make(folder)?,
            None => make()?,
        };
        Ok(Self {
            issuer: Issuer::new(ca_params(), key),
            certificate_pem,
            kept: Mutex::default(),
        })
    }

    /// The CA's certificate, for clients to trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The TLS configuration for a connection that asked for `server_name`, or came in on `address` without
    /// naming one (a client that connects to an IP address sends no name).
    pub fn server_config(
        &self,
        server_name: Option<&str>,
        address: IpAddr,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let name = match server_name {
            Some(name) => name.to_ascii_lowercase(),
            None => address.to_canonical().to_string(),
        };
        let now = Timestamp::now();
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = kept.get(&name)
                && now < entry.renew_at
            {
                return Ok(entry.config.clone());
            }
        }
        let config = Arc::new(self.make_config(&name, now)?);
        let renew_at = now + Span::new().hours((LEAF_DAYS - RENEW_DAYS) * 24);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT || kept.contains_key(&name) {
            kept.insert(
                name,
                Kept {
                    config: config.clone(),
                    renew_at,
                },
            );
        }
        Ok(config)
    }

    fn make_config(&self, name: &str, now: Timestamp) -> Result<ServerConfig, AuthorityError> {
        let names = subject_names(name);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = distinguished_name("Lookalike");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now);
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The path at which a data folder keeps its CA certificate, made if it is not there yet.
pub fn certificate_path(folder: &Path) -> Result<PathBuf, AuthorityError> {
    load_or_make(folder)?;
    Ok(folder.join(CA_FILE))
}

fn load_or_make(folder: &Path) -> Result<(String, KeyPair), AuthorityError> {
    let (certificate_path, key_path) = (folder.join(CA_FILE), folder.join(KEY_FILE));
    if !certificate_path.exists() && !key_path.exists() {
        fs_err::create_dir_all(folder)?;
        let (certificate_pem, key) = make()?;
        private_file::create(&key_path, &key.serialize_pem())?;
        fs_err::write(&certificate_path, &certificate_pem)?;
        return Ok((certificate_pem, key));
    }
    let key = KeyPair::from_pem(&fs_err::read_to_string(&key_path)?).map_err(|error| {
        AuthorityError::Damaged {
            path: key_path,
            reason: error.to_string(),
        }
    })?;
    let certificate_pem = fs_err::read_to_string(&certificate_path)?;
    if !certificate_pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(AuthorityError::Damaged {
            path: certificate_path,
            reason: "no certificate in it".to_owned(),
        });
    }
    Ok((certificate_pem, key))
}

fn make() -> Result<(String, KeyPair), AuthorityError> {
    let key = KeyPair::generate()?;
    let certificate = ca_params().self_signed(&key)?;
    Ok((certificate.pem(), key))
}

/// Fixed, so that the same issuer can be built again from the key alone.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name("Lookalike local CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Lookalike");
    name.push(DnType::CommonName, common_name);
    name
}

/// From yesterday, for clients whose clock is behind, to [`LEAF_DAYS`] from now.
fn set_validity(params: &mut CertificateParams, now: Timestamp) {
    let part = |value: i8| u8::try_from(value).expect("months and days are positive");
    let date = |hours: i64| {
        let day = (now + Span::new().hours(hours))
            .to_zoned(TimeZone::UTC)
            .date();
        rcgen::date_time_ymd(i32::from(day.year()), part(day.month()), part(day.day()))
    };
    params.not_before = date(-24);
    params.not_after = date(LEAF_DAYS * 24);
}

/// What a certificate covers: this machine, the cloud's names for clients whose DNS or hosts file points them
/// here, and the name that was asked for.
fn subject_names(asked_for: &str) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1", "*.aliyuncs.com"]
        .map(str::to_owned)
        .to_vec();
    names.extend(
        REGIONS
            .iter()
            .map(|region| format!("*.oss-{region}.aliyuncs.com")),
    );
    if !names.iter().any(|covered| covered == asked_for) {
        names.push(asked_for.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_is_made_once_for_each_name() {
        let authority = Authority::open(None).unwrap();
        let address = IpAddr::from([127, 0, 0, 1]);
        let first = authority
            .server_config(Some("Photos.example"), address)
            .unwrap();
        let again = authority
            .server_config(Some("photos.example"), address)
            .unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let unnamed = authority.server_config(None, address).unwrap();
        assert!(!Arc::ptr_eq(&first, &unnamed));
    }

    #[test]
    fn certificate_near_its_end_is_made_anew() {
        let authority = Authority::open(None).unwrap();
        let address = IpAddr::from([127, 0, 0, 1]);
        let first = authority.server_config(Some("localhost"), address).unwrap();
        for kept in authority.kept.lock().unwrap().values_mut() {
            kept.renew_at = Timestamp::now() - Span::new().hours(1);
        }
        let renewed = authority.server_config(Some("localhost"), address).unwrap();
        assert!(!Arc::ptr_eq(&first, &renewed));
    }

    #[test]
    fn names_beyond_the_cap_are_served_and_not_kept() {
        let authority = Authority::open(None).unwrap();
        let address = IpAddr::from([127, 0, 0, 1]);
        for number in 0..=MAX_KEPT {
            authority
                .server_config(Some(&format!("host{number}.example")), address)
                .unwrap();
        }
        assert_eq!(authority.kept.lock().unwrap().len(), MAX_KEPT);
    }

    #[test]
    fn damaged_key_is_said_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        drop(Authority::open(Some(folder.path())).unwrap());
        fs_err::write(folder.path().join(KEY_FILE), "not a key").unwrap();
        let error = Authority::open(Some(folder.path()))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains(KEY_FILE) && error.contains("delete"),
            "{error}"
        );
    }

    #[test]
    fn usual_names_are_covered() {
        let names = subject_names("localhost");
        for name in [
            "localhost",
            "127.0.0.1",
            "::1",
            "*.aliyuncs.com",
            "*.oss-cn-hangzhou.aliyuncs.com",
        ] {
            assert_eq!(
                names.iter().filter(|found| *found == name).count(),
                1,
                "{name}"
            );
        }
    }
}
