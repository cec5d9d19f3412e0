//! Document collections.

use lookalike_engine::{
    Collection, CollectionName, EngineError, NewCollection, metric_from_name, metric_name,
};
use lookalike_wire::dto::{
    Acknowledgement, CollectionItem, CollectionItems, CreateDocumentCollectionRequest,
    DeleteDocumentCollectionRequest, ListDocumentCollectionsRequest,
    ListDocumentCollectionsResponse, MESSAGE_SUCCESS, STATUS_SUCCESS,
};

use super::{Call, access, index_options};
use crate::error::Failure;

pub async fn create(
    call: &Call<'_>,
    request: CreateDocumentCollectionRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    let new = NewCollection {
        index: index_options::of_collection(&request)?,
        sparse_index: index_options::of_sparse(request.sparse_vector_index_config.as_ref())?,
        namespace: access::namespace_name(request.namespace)?,
        name: name(&request.collection)?,
        embedding_model: request.embedding_model,
        dimension: access::unsigned("Dimension", request.dimension)?,
        metric: request
            .metrics
            .as_deref()
            .map(metric_from_name)
            .transpose()?,
        metadata: request.metadata.unwrap_or_default(),
        full_text_fields: request.full_text_retrieval_fields.unwrap_or_default(),
        metadata_indices: request.metadata_indices.unwrap_or_default(),
        sparse_fields: request.sparse_retrieval_fields.unwrap_or_default(),
        support_sparse: request.support_sparse.unwrap_or_default(),
        parser: request.parser,
    };
    let collection = call
        .app
        .engine
        .create_document_collection(&manager, &new)
        .await?;
    name_encoder(call, &collection);
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn list(
    call: &Call<'_>,
    request: ListDocumentCollectionsRequest,
) -> Result<ListDocumentCollectionsResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let collections = call
        .app
        .engine
        .list_document_collections(&namespace)
        .await?;
    let items: Vec<CollectionItem> = collections.iter().map(item).collect();
    Ok(ListDocumentCollectionsResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        count: i64::try_from(items.len()).map_err(Failure::internal)?,
        items: CollectionItems {
            collection_list: items,
        },
    })
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteDocumentCollectionRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    call.app
        .engine
        .delete_document_collection(&namespace, &name(&request.collection)?)
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

/// A collection's name, checked.
pub fn name(text: &str) -> Result<CollectionName, Failure> {
    Ok(CollectionName::new(text).map_err(EngineError::from)?)
}

/// Says in the answer which encoder serves a collection.
pub fn name_encoder(call: &Call<'_>, collection: &Collection) {
    // A model that is gone is said where it matters: in the answer to an upload or a query.
    if let Ok(model) = call
        .app
        .models
        .resolve(&collection.embedding_model, Some(collection.dimension))
    {
        call.served_by(&model.label());
    }
}

fn item(collection: &Collection) -> CollectionItem {
    let settings = &collection.settings;
    CollectionItem {
        collection_name: collection.name.to_string(),
        embedding_model: collection.embedding_model.clone(),
        dimension: i64::from(collection.dimension),
        metrics: metric_name(collection.metric).to_owned(),
        metadata: collection.columns.to_json(),
        full_text_retrieval_fields: settings.full_text_fields.join(","),
        parser: settings.parser.clone(),
        sparse_retrieval_fields: Some(settings.sparse_fields.join(","))
            .filter(|fields| !fields.is_empty()),
        support_sparse: settings.support_sparse,
    }
}
