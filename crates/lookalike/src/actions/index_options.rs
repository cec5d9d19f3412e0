//! The options of a vector index, which three actions take and two write differently.

use lookalike_engine::{EngineError, IndexOptions};
use lookalike_wire::dto::{
    CreateCollectionRequest, CreateDocumentCollectionRequest, CreateVectorIndexRequest, Json,
    SparseVectorIndexConfig,
};

use super::access::unsigned;
use crate::error::Failure;

pub fn of_collection(request: &CreateDocumentCollectionRequest) -> Result<IndexOptions, Failure> {
    let of_algorithm = request.vector_index_config.as_ref().map(|config| &config.0);
    Ok(IndexOptions {
        algorithm: request.algorithm.clone(),
        hnsw_m: unsigned("HnswM", request.hnsw_m)?,
        hnsw_ef_construction: number_in_text(
            "HnswEfConstruction",
            request.hnsw_ef_construction.as_deref(),
        )?,
        pq_enable: unsigned("PqEnable", request.pq_enable)?,
        external_storage: unsigned("ExternalStorage", request.external_storage)?,
        nlist: unsigned("Nlist", of_algorithm.and_then(|config| config.nlist))?,
        rabitq_bits: unsigned(
            "RabitqBits",
            of_algorithm.and_then(|config| config.rabitq_bits),
        )?,
    })
}

pub fn of_vector_collection(request: &CreateCollectionRequest) -> Result<IndexOptions, Failure> {
    let of_algorithm = request.vector_index_config.as_ref().map(|config| &config.0);
    Ok(IndexOptions {
        algorithm: request.algorithm.clone(),
        hnsw_m: unsigned("HnswM", request.hnsw_m)?,
        hnsw_ef_construction: number_in_text(
            "HnswEfConstruction",
            request.hnsw_ef_construction.as_deref(),
        )?,
        pq_enable: unsigned("PqEnable", request.pq_enable)?,
        external_storage: unsigned("ExternalStorage", request.external_storage)?,
        nlist: unsigned("Nlist", of_algorithm.and_then(|config| config.nlist))?,
        rabitq_bits: unsigned(
            "RabitqBits",
            of_algorithm.and_then(|config| config.rabitq_bits),
        )?,
    })
}

pub fn of_index(request: &CreateVectorIndexRequest) -> Result<IndexOptions, Failure> {
    Ok(IndexOptions {
        algorithm: request.algorithm.clone(),
        hnsw_m: unsigned("HnswM", request.hnsw_m)?,
        hnsw_ef_construction: unsigned("HnswEfConstruction", request.hnsw_ef_construction)?,
        pq_enable: unsigned("PqEnable", request.pq_enable)?,
        external_storage: unsigned("ExternalStorage", request.external_storage)?,
        nlist: unsigned("Nlist", request.nlist)?,
        rabitq_bits: unsigned("RabitqBits", request.rabitq_bits)?,
    })
}

/// Those of the index over sparse vectors that comes with a collection.
pub fn of_sparse(config: Option<&Json<SparseVectorIndexConfig>>) -> Result<IndexOptions, Failure> {
    let Some(Json(config)) = config else {
        return Ok(IndexOptions::default());
    };
    Ok(IndexOptions {
        algorithm: config.algorithm.clone(),
        hnsw_m: unsigned("HnswM", config.hnsw_m)?,
        hnsw_ef_construction: unsigned("HnswEfConstruction", config.hnsw_ef_construction)?,
        ..IndexOptions::default()
    })
}

/// `HnswEfConstruction` is declared as text when a collection is created.
fn number_in_text(field: &'static str, text: Option<&str>) -> Result<Option<u32>, Failure> {
    let number = text.map(|text| text.trim().parse());
    Ok(number.transpose().map_err(|_| EngineError::Invalid {
        field,
        reason: "it must be an integer".to_owned(),
    })?)
}
