//! `InitVectorDatabase`, and how a request names its instance.
//!
//! Namespace operations take `WorkspaceId` in place of `DBInstanceId`, and it
//! wins when both are given (semantics.md, "Parameters").

use super::table::request;
use super::{Acknowledgement, DtoError};
use crate::secret::Secret;

request! {
    /// Makes the instance's vector database; repeatable (semantics.md, row 8).
    InitVectorDatabaseRequest: InitVectorDatabase -> InitVectorDatabaseResponse, check = has_instance {
        optional db_instance_id: String = "DBInstanceId", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type InitVectorDatabaseResponse = Acknowledgement;

/// A request that names its instance by `DBInstanceId` or `WorkspaceId`.
pub trait NamesInstance {
    fn db_instance_id(&self) -> Option<&str>;
    fn workspace_id(&self) -> Option<&str>;

    /// The instance meant: the workspace when there is one. Empty only in a
    /// request that was built by hand without either.
    fn instance_id(&self) -> &str {
        self.workspace_id()
            .or(self.db_instance_id())
            .unwrap_or_default()
    }
}

/// Implements [`NamesInstance`] for requests that have both fields.
macro_rules! names_instance {
    ($($request:ident),* $(,)?) => { $(
        impl $crate::dto::NamesInstance for $request {
            fn db_instance_id(&self) -> Option<&str> {
                self.db_instance_id.as_deref()
            }
            fn workspace_id(&self) -> Option<&str> {
                self.workspace_id.as_deref()
            }
        }
    )* };
}
pub(super) use names_instance;

names_instance!(InitVectorDatabaseRequest);

/// One of the two names must be there.
pub(super) fn has_instance(request: &impl NamesInstance) -> Result<(), DtoError> {
    if request.instance_id().is_empty() {
        return Err(DtoError::Missing {
            field: "DBInstanceId",
        });
    }
    Ok(())
}
