//! `CreateNamespace`, `DescribeNamespace`, `ListNamespaces`, `DeleteNamespace`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Acknowledgement;
use super::instance::{has_instance, names_instance};
use super::table::request;
use crate::secret::Secret;

request! {
    /// Makes a namespace, or replaces the password of one that exists.
    CreateNamespaceRequest: CreateNamespace -> CreateNamespaceResponse, check = has_instance {
        optional db_instance_id: String = "DBInstanceId", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type CreateNamespaceResponse = Acknowledgement;

request! {
    /// Asks whether a namespace exists; 404 when not.
    DescribeNamespaceRequest: DescribeNamespace -> DescribeNamespaceResponse, check = has_instance {
        optional db_instance_id: String = "DBInstanceId", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        required namespace: String = "Namespace", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Comes back in the reply.
        required region_id: String = "RegionId", Used;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `DescribeNamespace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeNamespaceResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    pub region_id: String,
    pub namespace: String,
    /// May be empty; an object in any case.
    pub namespace_info: BTreeMap<String, String>,
}

request! {
    /// Names of an instance's namespaces.
    ListNamespacesRequest: ListNamespaces -> ListNamespacesResponse, check = has_instance {
        optional db_instance_id: String = "DBInstanceId", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// Comes back in the reply.
        required region_id: String = "RegionId", Used;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

/// Reply of `ListNamespaces`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListNamespacesResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    pub region_id: String,
    pub count: i64,
    pub namespaces: NamespaceList,
}

/// `Namespaces.Namespace[]`, strings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NamespaceList {
    pub namespace: Vec<String>,
}

request! {
    /// Removes a namespace with everything in it (semantics.md, row 44).
    DeleteNamespaceRequest: DeleteNamespace -> DeleteNamespaceResponse, check = has_instance {
        optional db_instance_id: String = "DBInstanceId", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        required namespace: String = "Namespace", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type DeleteNamespaceResponse = Acknowledgement;

names_instance!(
    CreateNamespaceRequest,
    DescribeNamespaceRequest,
    ListNamespacesRequest,
    DeleteNamespaceRequest,
);
