//! What the object store's side signs: upload policies, and links to stored files.
//!
//! Both are signed with a secret of the server's own, kept in the data folder (`link-key`), so that links
//! outlive a restart and a change of access keys.

use std::fmt;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use lookalike_engine::ObjectId;
use lookalike_wire::Secret;
use lookalike_wire::object::policy::{self, UploadGrant};
use lookalike_wire::object::{ObjectErrorCode, presign};
use lookalike_wire::sign::{Credentials, SigningKey, encode};
use percent_encoding::percent_decode_str;
use rand::RngCore;

use crate::private_file;

const KEY_FILE: &str = "link-key";
/// The server's own access key id, as it stands in links and upload forms.
const ID: &str = "lookalike-objects";
/// Paths of stored files: `/objects/<SHA-256>/<name>`.
pub const FOLDER: &str = "objects/";
/// How long an upload may take to begin; the SDKs post at once.
const GRANT: SignedDuration = SignedDuration::from_hours(1);

/// Signs and checks.
pub struct Links {
    secret: Secret,
    credentials: Credentials,
}

/// What a client needs to post a file.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access_key_id: String,
    pub policy: String,
    pub signature: String,
}

/// A link to a stored file as received, not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    pub id: ObjectId,
    /// The file's name at the end of the path.
    pub name: String,
    key: String,
    raw_query: String,
}

/// Why a link is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the link has expired")]
    Expired,
    #[error("the signature of the link does not match")]
    Signature,
}

impl Links {
    /// The secret of a data folder, made on the first start. Without a folder it lives in memory.
    pub fn open(folder: Option<&Path>) -> io::Result<Self> {
        let secret = match folder.map(|folder| folder.join(KEY_FILE)) {
            Some(path) if path.exists() => fs_err::read_to_string(path)?.trim().to_owned(),
            Some(path) => {
                let secret = new_secret();
                private_file::create(&path, &secret)?;
                secret
            }
            None => new_secret(),
        };
        if secret.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{KEY_FILE} in the data folder is empty; delete it to make a new one"),
            ));
        }
        let secret = Secret::new(secret);
        let mut credentials = Credentials::default();
        credentials.add_key(ID, secret.clone());
        Ok(Self {
            secret,
            credentials,
        })
    }

    /// Who may post: the server itself, through the policies it handed out.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Allows one file of at most `max_bytes` under `key`.
    pub fn grant_upload(&self, bucket: &str, key: &str, max_bytes: u64) -> Grant {
        let grant = UploadGrant {
            bucket,
            key,
            max_bytes,
            expires_at: Timestamp::now() + GRANT,
        };
        let policy = policy::encode(&grant);
        Grant {
            access_key_id: ID.to_owned(),
            signature: policy::sign(&policy, &self.secret),
            policy,
        }
    }

    /// A link to a stored file. `base` is scheme, host and port.
    pub fn url(&self, base: &str, id: &ObjectId, file_name: &str, valid_seconds: u64) -> String {
        let name = last_part(file_name);
        let seconds = i64::try_from(valid_seconds).unwrap_or(i64::MAX);
        let expires_at = Timestamp::now()
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX);
        let signer = SigningKey {
            access_key_id: ID,
            secret: &self.secret,
            security_token: None,
        };
        let query = presign::query(&format!("{FOLDER}{id}/{name}"), expires_at, &signer);
        format!("{base}/{FOLDER}{id}/{}?{query}", encode(name))
    }

    /// The file that a good link leads to.
    pub fn check(&self, link: &StoredLink) -> Result<ObjectId, LinkError> {
        match presign::verify(
            &link.key,
            &link.raw_query,
            &self.credentials,
            Timestamp::now(),
        ) {
            Ok(()) => Ok(link.id),
            Err(error) if error.code == ObjectErrorCode::AccessDenied => Err(LinkError::Expired),
            Err(_) => Err(LinkError::Signature),
        }
    }
}

impl StoredLink {
    /// Reads the path and query of a URL; none if it is no link to a stored file.
    pub fn parse(path: &str, raw_query: &str) -> Option<Self> {
        let key = percent_decode_str(path.strip_prefix('/')?)
            .decode_utf8()
            .ok()?
            .into_owned();
        let (id, name) = key.strip_prefix(FOLDER)?.split_once('/')?;
        let id = ObjectId::parse(id).ok()?;
        Some(Self {
            id,
            name: name.to_owned(),
            raw_query: raw_query.to_owned(),
            key,
        })
    }

    /// The key that its signature covers.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Links").finish_non_exhaustive()
    }
}

fn new_secret() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// The last part of a path, for the browser to show; never empty, never a step to another folder.
fn last_part(file_name: &str) -> &str {
    match file_name.rsplit('/').next() {
        None | Some("" | "." | "..") => "file",
        Some(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://127.0.0.1:8443";

    fn parsed(url: &str) -> StoredLink {
        let url = url::Url::parse(url).unwrap();
        StoredLink::parse(url.path(), url.query().unwrap()).unwrap()
    }

    fn id() -> ObjectId {
        ObjectId::from_bytes([7; 32])
    }

    #[test]
    fn link_leads_to_its_file_whatever_the_name() {
        let links = Links::open(None).unwrap();
        for name in ["dog.jpg", "animals/狗 1%.png", "a?b#c&d.jpg", "..", "dir/"] {
            let url = links.url(BASE, &id(), name, 60);
            assert_eq!(links.check(&parsed(&url)), Ok(id()), "{url}");
        }
    }

    #[test]
    fn another_file_another_name_or_another_server_is_refused() {
        let links = Links::open(None).unwrap();
        let url = links.url(BASE, &id(), "dog.jpg", 60);
        let other_id = url.replace(
            &id().to_string(),
            &ObjectId::from_bytes([8; 32]).to_string(),
        );
        assert_eq!(links.check(&parsed(&other_id)), Err(LinkError::Signature));
        assert_eq!(
            links.check(&parsed(&url.replace("dog.jpg", "cat.jpg"))),
            Err(LinkError::Signature)
        );
        assert_eq!(
            Links::open(None).unwrap().check(&parsed(&url)),
            Err(LinkError::Signature)
        );
    }

    #[test]
    fn secret_of_a_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        let url = Links::open(Some(folder.path()))
            .unwrap()
            .url(BASE, &id(), "dog.jpg", 60);
        assert_eq!(
            Links::open(Some(folder.path()))
                .unwrap()
                .check(&parsed(&url)),
            Ok(id())
        );
    }

    #[test]
    fn other_urls_are_no_links() {
        for path in ["/", "/objects/", "/objects/abc/dog.jpg", "/uploads/x"] {
            assert_eq!(StoredLink::parse(path, ""), None, "{path}");
        }
    }
}
