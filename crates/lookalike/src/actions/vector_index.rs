//! `CreateVectorIndex` and `DeleteVectorIndex`.

use lookalike_engine::{IndexKind, NewVectorIndex, metric_from_name};
use lookalike_wire::dto::{Acknowledgement, CreateVectorIndexRequest, DeleteVectorIndexRequest};

use super::{Call, access, collection, index_options};
use crate::error::Failure;

pub async fn create(
    call: &Call<'_>,
    request: CreateVectorIndexRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    let new = NewVectorIndex {
        options: index_options::of_index(&request)?,
        namespace: access::namespace_name(request.namespace)?,
        collection: collection::name(&request.collection)?,
        kind: kind(request.index_type.as_deref())?,
        dimension: access::unsigned("Dimension", request.dimension)?,
        metric: request
            .metrics
            .as_deref()
            .map(metric_from_name)
            .transpose()?,
    };
    call.app.engine.create_vector_index(&manager, &new).await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteVectorIndexRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    let namespace = access::namespace_name(request.namespace)?;
    let collection = collection::name(&request.collection)?;
    let kind = kind(request.index_type.as_deref())?;
    call.app
        .engine
        .delete_vector_index(&manager, &namespace, &collection, kind)
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

/// Users type the two values by hand: their case does not matter.
fn kind(text: Option<&str>) -> Result<IndexKind, Failure> {
    match text {
        None => Ok(IndexKind::Dense),
        Some(text) if text.eq_ignore_ascii_case("dense") => Ok(IndexKind::Dense),
        Some(text) if text.eq_ignore_ascii_case("sparse") => Ok(IndexKind::Sparse),
        Some(other) => Ok(IndexKind::from_name(other)?),
    }
}
