//! What can go wrong with the folder of pulled models.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::choice::FileChoiceError;
use crate::error::LoadError;

/// Why a model could not be pulled. The library is as it was before.
#[derive(Debug, Error)]
pub enum PullError {
    /// The hub has no such repository or revision, or shows it to nobody without a token.
    #[error(
        "{repository} was not found at {endpoint}, or needs a token; check its name and revision, or set HF_TOKEN"
    )]
    NoRepository {
        /// What was asked for.
        repository: String,
        /// The hub or mirror that was asked.
        endpoint: String,
    },
    /// The repository holds nothing that can be loaded.
    #[error("{repository}: {source}")]
    Choice {
        /// What was asked for.
        repository: String,
        /// What is missing.
        source: FileChoiceError,
    },
    /// No answer, or none that makes sense. Trying again goes on where this stopped.
    #[error(
        "cannot fetch {what} from {endpoint}: {reason}; HF_ENDPOINT names a mirror, HTTPS_PROXY a proxy, and --from a folder that has the files already"
    )]
    Network {
        /// The file, or the repository's list of files.
        what: String,
        /// The hub or mirror that was asked.
        endpoint: String,
        /// What the connection said.
        reason: String,
    },
    /// What arrived is not what was announced; it has been removed.
    #[error(
        "{file} arrived with {kind} {found}; expected {expected}. It was removed: pull again, or pull from another mirror"
    )]
    Checksum {
        /// The file.
        file: String,
        /// Which property differs.
        kind: &'static str,
        /// As computed here.
        found: String,
        /// As the catalogue or the hub says.
        expected: String,
    },
    /// All files arrived, but they are no model that can be loaded.
    #[error("{name} was fetched but cannot be used: {source}")]
    Unusable {
        /// The model.
        name: String,
        /// What is wrong with which file.
        source: LoadError,
    },
    /// A sound model, but not the one that the name stands for.
    #[error("the files are not {name}: {detail}")]
    WrongModel {
        /// The name.
        name: String,
        /// Which property differs, and both values.
        detail: String,
    },
    /// The disk's side.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a pulled model is not what it was.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Nothing of that name is here.
    #[error("{name} is not in {}; `lookalike models pull {name}` fetches it", library.display())]
    NotPulled {
        /// The model.
        name: String,
        /// Where it was looked for.
        library: PathBuf,
    },
    /// The manifest itself.
    #[error("{} is damaged: {reason}; pull the model again", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file has grown or shrunk.
    #[error("{} has {found} bytes; expected {expected}. Pull the model again", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// Its length when it was pulled.
        expected: u64,
    },
    /// A file has changed.
    #[error("{} has sha256 {found}; expected {expected}. Pull the model again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// As it is.
        found: String,
        /// As it was when it was pulled.
        expected: String,
    },
    /// Unchanged, and yet this program cannot load it.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The disk's side.
    #[error(transparent)]
    Io(#[from] io::Error),
}
