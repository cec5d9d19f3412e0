//! What can go wrong, by what a caller can do about it. The server maps each kind to the API's
//! code and status in one exhaustive match; texts here are fit to be shown to a client, except the
//! source of [`EngineError::Internal`], which belongs in the log only.

use std::fmt;

use crate::name::NameError;

/// A thing that can be missing or already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A `DBInstanceId` outside the configured list.
    Instance,
    /// A database account of an instance.
    Account,
    /// A namespace.
    Namespace,
    /// A collection.
    Collection,
    /// A document, known by its file name.
    File,
    /// An upload job.
    Job,
    /// A scalar index.
    Index,
    /// A stored object.
    Object,
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Instance => "instance",
            Self::Account => "account",
            Self::Namespace => "namespace",
            Self::Collection => "collection",
            Self::File => "file",
            Self::Job => "job",
            Self::Index => "index",
            Self::Object => "object",
        })
    }
}

/// Whose password was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The manager account of the instance (semantics.md row 2).
    Manager,
    /// The namespace's own password (semantics.md row 1).
    Namespace,
}

/// Every failure of an engine operation.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The named thing does not exist.
    #[error("the {what} '{name}' does not exist")]
    NotFound {
        /// What is missing.
        what: Subject,
        /// Its name as asked for.
        name: String,
    },
    /// The named thing exists already.
    #[error("the {what} '{name}' exists already")]
    AlreadyExists {
        /// What exists.
        what: Subject,
        /// Its name.
        name: String,
    },
    /// A field of the request has a value that cannot be used.
    #[error("{field}: {reason}")]
    Invalid {
        /// The API's own name of the field, so that a client finds it in its code.
        field: &'static str,
        /// What is wrong with the value and what would be right.
        reason: String,
    },
    /// A wrong account or password.
    #[error("the {} password does not match", match what { Credential::Manager => "manager account's", Credential::Namespace => "namespace" })]
    Denied {
        /// Whose password it was.
        what: Credential,
    },
    /// The request is sound but the state of things forbids it; the text says which state.
    #[error("{reason}")]
    Conflict {
        /// The state and the remedy.
        reason: String,
    },
    /// More than a limit allows.
    #[error("{reason}")]
    TooLarge {
        /// What was too large, the limit, and the setting that moves it.
        reason: String,
    },
    /// Too much at once; the same request may succeed later.
    #[error("{reason}")]
    Overloaded {
        /// What is in short supply and the setting that moves it.
        reason: String,
    },
    /// Something outside the process is missing or refuses: a model, the disk, a closed engine.
    #[error("{reason}")]
    Unavailable {
        /// What is missing and the remedy.
        reason: String,
    },
    /// A defect or a broken database. The source is for the log, never for a client.
    #[error("internal error")]
    Internal {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl EngineError {
    pub(crate) fn not_found(what: Subject, name: impl fmt::Display) -> Self {
        Self::NotFound {
            what,
            name: name.to_string(),
        }
    }

    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            reason: reason.into(),
        }
    }

    pub(crate) fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal {
            source: source.into(),
        }
    }
}

impl From<sqlx::Error> for EngineError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolClosed) {
            let reason = "the server is shutting down".to_owned();
            return Self::Unavailable { reason };
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            let reason = "the database is busy; try again".to_owned();
            return Self::Overloaded { reason };
        }
        Self::internal(error)
    }
}

impl From<NameError> for EngineError {
    /// Names that the engine itself builds (out of archives) are checked by their callers; what
    /// is left is a name in a request, and the kind of name tells its field.
    fn from(error: NameError) -> Self {
        let field = match error.what {
            "instance id" => "DBInstanceId",
            "account name" => "AccountName",
            "namespace" => "Namespace",
            "collection" => "Collection",
            "file name" => "FileName",
            "job id" => "JobId",
            "object key" => "FileUrl",
            "index" => "IndexName",
            "row id" => "Ids",
            _ => "Metadata",
        };
        Self::invalid(field, error.to_string())
    }
}
