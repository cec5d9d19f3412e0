//! The table of actions: what the vendor's SDK can ask for and what we answer.
//!
//! The gateway looks every request up here before anything else; the parity
//! page is generated from it. [`Action`] has one variant a supported action, so
//! the dispatch in the server is an exhaustive match.
//!
//! Invariant: [`ACTIONS`] holds every action name of the newest Python SDK
//! (gpdb 5.12.0) once, sorted. The names that no contract file describes stand
//! in `action/other_names.txt`; they answer "not supported here yet".

use std::sync::LazyLock;

use crate::error::{ApiError, ErrorCode};

/// How we know what we claim; the marks of the contract tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Recorded from the real service.
    Cloud,
    /// Stated by the vendor's documents.
    Docs,
    /// Read in, or proved against, published clients.
    Sdk,
    /// Nothing public settles it; our rule.
    Ours,
}

/// What we do with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionStatus {
    Supported(Action),
    /// The SDK has it; we answer `UnsupportedOperation`.
    NotYet,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionEntry {
    pub name: &'static str,
    pub version: &'static str,
    pub status: ActionStatus,
    pub evidence: Evidence,
}

/// Version of the gpdb API.
pub const GPDB_VERSION: &str = "2016-05-03";
/// Version of the `OpenPlatform` API, which has only the upload authorisation.
pub const OPEN_PLATFORM_VERSION: &str = "2019-12-19";

macro_rules! supported {
    ($( $name:ident, $version:ident, $evidence:ident; )*) => {
        /// A supported action.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $( $name, )* }

        impl Action {
            /// Every supported action, in the order of the source.
            pub const ALL: &'static [Action] = &[ $( Action::$name, )* ];

            /// The action's name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $( Action::$name => stringify!($name), )* }
            }

            /// The API version it belongs to.
            pub const fn version(self) -> &'static str {
                match self { $( Action::$name => $version, )* }
            }

            /// How we know its behaviour.
            pub const fn evidence(self) -> Evidence {
                match self { $( Action::$name => Evidence::$evidence, )* }
            }
        }
    };
}

supported! {
    InitVectorDatabase, GPDB_VERSION, Docs;
    CreateNamespace, GPDB_VERSION, Docs;
    DescribeNamespace, GPDB_VERSION, Docs;
    ListNamespaces, GPDB_VERSION, Docs;
    DeleteNamespace, GPDB_VERSION, Docs;
    CreateDocumentCollection, GPDB_VERSION, Docs;
    ListDocumentCollections, GPDB_VERSION, Docs;
    DeleteDocumentCollection, GPDB_VERSION, Docs;
    CreateVectorIndex, GPDB_VERSION, Docs;
    DeleteVectorIndex, GPDB_VERSION, Docs;
    UploadDocumentAsync, GPDB_VERSION, Docs;
    GetUploadDocumentJob, GPDB_VERSION, Docs;
    CancelUploadDocumentJob, GPDB_VERSION, Docs;
    ListDocuments, GPDB_VERSION, Docs;
    DescribeDocument, GPDB_VERSION, Docs;
    DeleteDocument, GPDB_VERSION, Docs;
    QueryContent, GPDB_VERSION, Docs;
    CreateCollection, GPDB_VERSION, Docs;
    DescribeCollection, GPDB_VERSION, Docs;
    ListCollections, GPDB_VERSION, Docs;
    ModifyCollection, GPDB_VERSION, Docs;
    DeleteCollection, GPDB_VERSION, Docs;
    GrantCollection, GPDB_VERSION, Docs;
    CreateIndex, GPDB_VERSION, Docs;
    DescribeIndex, GPDB_VERSION, Docs;
    DeleteIndex, GPDB_VERSION, Docs;
    ListIndices, GPDB_VERSION, Docs;
    DescribeCreateIndexJob, GPDB_VERSION, Docs;
    CancelCreateIndexJob, GPDB_VERSION, Docs;
    UpsertCollectionData, GPDB_VERSION, Docs;
    UpsertCollectionDataAsync, GPDB_VERSION, Docs;
    GetUpsertCollectionDataJob, GPDB_VERSION, Docs;
    CancelUpsertCollectionDataJob, GPDB_VERSION, Docs;
    DeleteCollectionData, GPDB_VERSION, Docs;
    UpdateCollectionDataMetadata, GPDB_VERSION, Docs;
    QueryCollectionData, GPDB_VERSION, Docs;
    UpsertChunks, GPDB_VERSION, Docs;
    ListChunks, GPDB_VERSION, Docs;
    DeleteChunks, GPDB_VERSION, Docs;
    TextEmbedding, GPDB_VERSION, Docs;
    Rerank, GPDB_VERSION, Docs;
    ListSupportModels, GPDB_VERSION, Docs;
    CreateAccount, GPDB_VERSION, Docs;
    DescribeAccounts, GPDB_VERSION, Docs;
    DescribeRegions, GPDB_VERSION, Docs;
    DescribeDBInstances, GPDB_VERSION, Docs;
    DescribeDBInstanceAttribute, GPDB_VERSION, Docs;
    ModifyVectorConfiguration, GPDB_VERSION, Docs;
    AuthorizeFileUpload, OPEN_PLATFORM_VERSION, Sdk;
}

/// Names that only the SDK's client knows, one a line, sorted.
const OTHER_NAMES: &str = include_str!("action/other_names.txt");

/// Every action known to the SDK, sorted by name.
pub static ACTIONS: LazyLock<Vec<ActionEntry>> = LazyLock::new(|| {
    let supported = Action::ALL.iter().map(|action| ActionEntry {
        name: action.name(),
        version: action.version(),
        status: ActionStatus::Supported(*action),
        evidence: action.evidence(),
    });
    let other = OTHER_NAMES.lines().map(|name| ActionEntry {
        name,
        version: GPDB_VERSION,
        status: ActionStatus::NotYet,
        evidence: Evidence::Sdk,
    });
    let mut entries: Vec<_> = supported.chain(other).collect();
    entries.sort_unstable_by_key(|entry| entry.name);
    entries
});

/// The row of `name`; names are case-sensitive.
pub fn find(name: &str) -> Option<&'static ActionEntry> {
    let entries: &'static [ActionEntry] = &ACTIONS;
    let at = entries
        .binary_search_by(|entry| entry.name.cmp(name))
        .ok()?;
    entries.get(at)
}

/// The supported action that a request means, or the vendor's refusal.
///
/// Absent name or version: `MissingParameter`. Unknown name: `InvalidAction.NotFound`
/// (404). A version that is not the action's: `NoSuchVersion`. Known to the SDK but
/// not served: `UnsupportedOperation`.
pub fn resolve(name: Option<&str>, version: Option<&str>) -> Result<Action, ApiError> {
    let name = present(name, "Action")?;
    let version = present(version, "Version")?;
    let entry = find(name).ok_or_else(|| ApiError::new(ErrorCode::InvalidActionNotFound))?;
    if version != entry.version {
        return Err(ApiError::new(ErrorCode::NoSuchVersion)
            .with_detail(&format!("{name} has version {}.", entry.version)));
    }
    match entry.status {
        ActionStatus::Supported(action) => Ok(action),
        ActionStatus::NotYet => Err(ApiError::not_yet(entry.name)),
    }
}

fn present<'a>(value: Option<&'a str>, field: &str) -> Result<&'a str, ApiError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| ApiError::missing(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, version: &str) -> ErrorCode {
        resolve(Some(name), Some(version)).unwrap_err().code
    }

    #[test]
    fn the_table_is_sorted_and_without_repeats() {
        assert!(ACTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(ACTIONS.len(), 302, "the SDK's client has 302 actions");
        assert!(
            ACTIONS
                .iter()
                .all(|entry| entry.name.chars().all(|c| c.is_ascii_alphanumeric()))
        );
    }

    #[test]
    fn a_supported_action_resolves_in_its_own_version_only() {
        assert_eq!(
            resolve(Some("QueryContent"), Some("2016-05-03")).unwrap(),
            Action::QueryContent
        );
        assert_eq!(
            resolve(Some("AuthorizeFileUpload"), Some("2019-12-19")).unwrap(),
            Action::AuthorizeFileUpload
        );
        assert_eq!(code("QueryContent", "2019-12-19"), ErrorCode::NoSuchVersion);
        assert_eq!(
            code("AuthorizeFileUpload", "2016-05-03"),
            ErrorCode::NoSuchVersion
        );
        assert_eq!(code("QueryContent", "2017-01-01"), ErrorCode::NoSuchVersion);
    }

    #[test]
    fn known_but_unserved_and_unknown_names_differ() {
        let error = resolve(Some("CreateDBInstance"), Some(GPDB_VERSION)).unwrap_err();
        assert_eq!(error.code, ErrorCode::UnsupportedOperation);
        assert!(
            error
                .message
                .contains("CreateDBInstance is not supported here yet")
        );
        assert_eq!(
            code("MakeTea", GPDB_VERSION),
            ErrorCode::InvalidActionNotFound
        );
        assert_eq!(
            code("querycontent", GPDB_VERSION),
            ErrorCode::InvalidActionNotFound
        );
    }

    #[test]
    fn an_absent_action_or_version_is_named() {
        let error = resolve(None, Some(GPDB_VERSION)).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("Action"));
        let error = resolve(Some("QueryContent"), Some("")).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("Version"));
        assert_eq!(error.code, ErrorCode::MissingParameter);
    }
}
