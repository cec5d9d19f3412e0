//! `lookalike-model.json`: what a pulled model consists of and where it came from.

use std::io::{self, Read};
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::VerifyError;

/// Its name in a model's folder.
pub(super) const FILE: &str = "lookalike-model.json";

/// The manifest of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The name it was pulled under.
    pub name: String,
    /// Where it came from, for people: `hf:ORG/REPO@COMMIT`, or a folder.
    pub source: String,
    /// Its files, the weights among them.
    pub files: Vec<ManifestFile>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// With the folder below the model's that it is in, if it is in one.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

impl ManifestFile {
    /// Measures a file, to be listed as `name`.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub(super) fn of(name: &str, path: &Path) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            bytes += read as u64;
        }
        Ok(Self {
            name: name.to_owned(),
            bytes,
            sha256: hex::encode(hasher.finalize()),
        })
    }
}

impl Manifest {
    pub(super) fn new(name: &str, source: String, files: Vec<ManifestFile>) -> Self {
        Self {
            name: name.to_owned(),
            source,
            files,
        }
    }

    /// All files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// `None` when the folder has none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, VerifyError> {
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| VerifyError::Manifest {
                path,
                reason: error.to_string(),
            })
    }

    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).expect("texts and numbers");
        text.push('\n');
        fs::write(folder.join(FILE), text)
    }

    /// # Errors
    /// [`VerifyError`] for the first file that is missing or differs.
    pub(super) fn verify(&self, folder: &Path) -> Result<(), VerifyError> {
        for expected in &self.files {
            let path = folder.join(&expected.name);
            let found = ManifestFile::of(&expected.name, &path)?;
            if found.bytes != expected.bytes {
                return Err(VerifyError::Length {
                    path,
                    found: found.bytes,
                    expected: expected.bytes,
                });
            }
            if found.sha256 != expected.sha256 {
                return Err(VerifyError::Content {
                    path,
                    found: found.sha256,
                    expected: expected.sha256.clone(),
                });
            }
        }
        Ok(())
    }
}
