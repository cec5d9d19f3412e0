//! `UpsertCollectionData`, `UpsertCollectionDataAsync`, `GetUpsertCollectionDataJob`, `CancelUpsertCollectionDataJob`,
//! `DeleteCollectionData`, `UpdateCollectionDataMetadata`: the rows of a vector collection.
//!
//! Rows are read from the JSON text straight into their types: a call may hold
//! 10 MB of numbers, and a tree of JSON values would cost many times that.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::instance::{has_instance, names_instance};
use super::table::request;
use super::{Acknowledgement, DtoError, JobAccepted, Json};
use crate::secret::Secret;

request! {
    /// Inserts rows, or replaces those whose `Id` exists.
    UpsertCollectionDataRequest: UpsertCollectionData -> UpsertCollectionDataResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        /// Optional to the SDK; a call without rows means nothing.
        optional rows: Json<Rows> = "Rows", Used;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type UpsertCollectionDataResponse = Acknowledgement;

/// One row, in `Rows` and as a line of the file of `UpsertCollectionDataAsync`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Row {
    /// Absent: a UUID is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Declared as a map of strings; clients also send numbers and booleans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparse_vector: Option<SparseVector>,
    /// Required by the service. A number too large for its 32 bits reads as infinite.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "vector")]
    pub vector: Option<Vec<f32>>,
}

/// The rows of one call. What cannot be read is named by the number of its row.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Rows(pub Vec<Row>);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_seq(Named::<Row>::new("row"))
            .map(Self)
    }
}

fn vector<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<f32>>, D::Error> {
    struct Numbers;

    impl<'de> Visitor<'de> for Numbers {
        type Value = Option<Vec<f32>>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of numbers")
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Self::Value, D::Error> {
            let numbers = Named::<f32>::new("Vector: number");
            deserializer.deserialize_seq(numbers).map(Some)
        }
    }

    deserializer.deserialize_option(Numbers)
}

/// Reads a list; an error within names the kind of element and its number, counted from 1.
struct Named<T> {
    what: &'static str,
    elements: std::marker::PhantomData<T>,
}

impl<T> Named<T> {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            elements: std::marker::PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        loop {
            match list.next_element() {
                Ok(Some(element)) => elements.push(element),
                Ok(None) => return Ok(elements),
                Err(error) => {
                    let number = elements.len() + 1;
                    return Err(A::Error::custom(format!("{} {number}: {error}", self.what)));
                }
            }
        }
    }
}

/// Positions and values of a sparse vector, of equal length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SparseVector {
    pub indices: Vec<i64>,
    pub values: Vec<f32>,
}

request! {
    /// Submits a file of rows, one JSON object a line; the SDK uploads a local file first.
    UpsertCollectionDataAsyncRequest: UpsertCollectionDataAsync -> UpsertCollectionDataAsyncResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required file_url: String = "FileUrl", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type UpsertCollectionDataAsyncResponse = JobAccepted;

request! {
    /// Asks how far an upload of rows is.
    GetUpsertCollectionDataJobRequest: GetUpsertCollectionDataJob -> GetUpsertCollectionDataJobResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required job_id: String = "JobId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type GetUpsertCollectionDataJobResponse = CollectionJobResponse;

/// Reply of `GetUpsertCollectionDataJob` and `DescribeCreateIndexJob`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CollectionJobResponse {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub job: CollectionJob,
}

/// The job itself. It has no `ErrorCode`, unlike an upload of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CollectionJob {
    pub id: String,
    /// `Pending`, `Start`, `Running`, `Success`, `Failed`, `Cancelling` or `Cancelled`.
    pub status: String,
    /// True in all three end states.
    pub completed: bool,
    /// Rows written when rows are uploaded; percent when an index is made.
    pub progress: i64,
    /// Like `2024-01-08 16:52:04.864664`, without zone.
    pub create_time: String,
    pub update_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

request! {
    /// Interrupts an upload of rows.
    CancelUpsertCollectionDataJobRequest: CancelUpsertCollectionDataJob -> CancelUpsertCollectionDataJobResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        required job_id: String = "JobId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type CancelUpsertCollectionDataJobResponse = Acknowledgement;

request! {
    /// Deletes the rows that a map of values or a filter names.
    DeleteCollectionDataRequest: DeleteCollectionData -> DeleteCollectionDataResponse, check = has_instance {
        required collection: String = "Collection", Used;
        /// JSON text, see [`DeleteCollectionDataRequest::values`].
        optional collection_data: String = "CollectionData", Used;
        /// Text of a SQL WHERE clause.
        optional collection_data_filter: String = "CollectionDataFilter", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type DeleteCollectionDataResponse = AppliedRows;

/// A field and the values that its rows may have.
pub type FieldValues = (String, Vec<Value>);

impl DeleteCollectionDataRequest {
    /// `CollectionData`: field to the values that its rows to be deleted have, such as `{"ref_doc_id":["x"]}`.
    pub fn values(&self) -> Result<Option<Vec<FieldValues>>, DtoError> {
        const FIELD: &str = "CollectionData";
        let Some(text) = &self.collection_data else {
            return Ok(None);
        };
        let map: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            DtoError::invalid(
                FIELD,
                format!("it must be a JSON map of field to values: {error}"),
            )
        })?;
        let fields = map.into_iter().map(|(field, values)| {
            let Value::Array(values) = values else {
                return Err(DtoError::invalid(
                    FIELD,
                    format!("the values of \"{field}\" must be a list"),
                ));
            };
            Ok((field, values))
        });
        fields.collect::<Result<_, _>>().map(Some)
    }
}

/// Reply of the two actions that say how many rows they changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AppliedRows {
    pub request_id: String,
    pub status: String,
    pub message: String,
    pub applied_rows: i64,
}

request! {
    /// Changes metadata of the rows that `Ids` or a filter names.
    UpdateCollectionDataMetadataRequest: UpdateCollectionDataMetadata -> UpdateCollectionDataMetadataResponse, check = has_instance {
        required collection: String = "Collection", Used;
        optional db_instance_id: String = "DBInstanceId", Used;
        /// Text of a SQL WHERE clause.
        optional filter: String = "Filter", Used;
        optional ids: Json<Vec<String>> = "Ids", Used;
        required metadata: Json<Map<String, Value>> = "Metadata", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        required namespace_password: Secret = "NamespacePassword", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        optional workspace_id: String = "WorkspaceId", Used;
    }
}

pub type UpdateCollectionDataMetadataResponse = AppliedRows;

names_instance!(
    UpsertCollectionDataRequest,
    UpsertCollectionDataAsyncRequest,
    GetUpsertCollectionDataJobRequest,
    CancelUpsertCollectionDataJobRequest,
    DeleteCollectionDataRequest,
    UpdateCollectionDataMetadataRequest,
);
