//! `CreateVectorIndex` and `DeleteVectorIndex`.

use super::table::request;
use super::{Acknowledgement, DtoError};
use crate::secret::Secret;

request! {
    /// Makes the dense or the sparse index of a collection.
    CreateVectorIndexRequest: CreateVectorIndex -> CreateVectorIndexResponse, check = dense_has_dimension {
        optional algorithm: String = "Algorithm", Accepted;
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        /// Required for a dense index; must be the collection's.
        optional dimension: i64 = "Dimension", Used;
        optional external_storage: i64 = "ExternalStorage", Accepted;
        optional hnsw_ef_construction: i64 = "HnswEfConstruction", Used;
        optional hnsw_m: i64 = "HnswM", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        /// `l2`, `ip` or `cosine`.
        optional metrics: String = "Metrics", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        optional nlist: i64 = "Nlist", Accepted;
        optional owner_id: i64 = "OwnerId", Accepted;
        optional pq_enable: i64 = "PqEnable", Accepted;
        optional rabitq_bits: i64 = "RabitqBits", Accepted;
        required region_id: String = "RegionId", Accepted;
        /// `Dense` (also when absent) or `Sparse`.
        optional index_type: String = "Type", Used;
    }
}

pub type CreateVectorIndexResponse = Acknowledgement;

/// The vendor's own `Type` values, compared without case since users type them by hand.
fn dense_has_dimension(request: &CreateVectorIndexRequest) -> Result<(), DtoError> {
    let sparse = request
        .index_type
        .as_deref()
        .is_some_and(|index_type| index_type.eq_ignore_ascii_case("sparse"));
    if !sparse && request.dimension.is_none() {
        return Err(DtoError::Missing { field: "Dimension" });
    }
    Ok(())
}

request! {
    /// Removes the dense or the sparse index; the collection stays searchable by scan.
    DeleteVectorIndexRequest: DeleteVectorIndex -> DeleteVectorIndexResponse {
        required collection: String = "Collection", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        required manager_account: String = "ManagerAccount", Used;
        required manager_account_password: Secret = "ManagerAccountPassword", Used;
        /// Absent: `public`.
        optional namespace: String = "Namespace", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        required region_id: String = "RegionId", Accepted;
        /// `Dense` (also when absent) or `Sparse`.
        optional index_type: String = "Type", Used;
    }
}

pub type DeleteVectorIndexResponse = Acknowledgement;
