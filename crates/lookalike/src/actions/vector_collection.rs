//! Vector collections, and what is done to collections of either kind.

use lookalike_engine::{
    EngineError, Grant, InstanceId, NewGrant, NewVectorCollection, metric_from_name, metric_name,
};
use lookalike_wire::ApiError;
use lookalike_wire::dto::{
    Acknowledgement, CollectionNames, CreateCollectionRequest, DeleteCollectionRequest,
    DescribeCollectionRequest, DescribeCollectionResponse, GrantCollectionRequest,
    ListCollectionsRequest, ListCollectionsResponse, MESSAGE_SUCCESS, ModifyCollectionRequest,
    ModifyCollectionResponse, ModifyVectorConfigurationRequest, ModifyVectorConfigurationResponse,
    NamesInstance, STATUS_SUCCESS,
};

use super::{Call, access, collection, index_options};
use crate::error::Failure;

/// How sparse vectors are compared.
const SPARSE_METRIC: &str = "ip";

pub async fn create(
    call: &Call<'_>,
    request: CreateCollectionRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    let new = NewVectorCollection {
        index: index_options::of_vector_collection(&request)?,
        sparse_index: index_options::of_sparse(request.sparse_vector_index_config.as_ref())?,
        namespace: access::namespace_name(request.namespace)?,
        name: collection::name(&request.collection)?,
        dimension: access::unsigned("Dimension", request.dimension)?,
        metric: request
            .metrics
            .as_deref()
            .map(metric_from_name)
            .transpose()?,
        metadata: request.metadata,
        full_text_fields: request.full_text_retrieval_fields.unwrap_or_default(),
        metadata_indices: request.metadata_indices.unwrap_or_default(),
        support_sparse: request.support_sparse.unwrap_or_default(),
        parser: request.parser,
    };
    call.app.engine.create_collection(&manager, &new).await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn describe(
    call: &Call<'_>,
    request: DescribeCollectionRequest,
) -> Result<DescribeCollectionResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let name = collection::name(&request.collection)?;
    let found = call.app.engine.collection(&namespace, &name).await?;
    let columns = found.columns.iter();
    let has_dimension = found.dimension > 0;
    Ok(DescribeCollectionResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        db_instance_id: request.instance_id().to_owned(),
        region_id: request.region_id.clone(),
        namespace: namespace.namespace.to_string(),
        dimension: has_dimension.then(|| i64::from(found.dimension)),
        metrics: Some(metric_name(found.metric).to_owned()),
        metadata: columns
            .map(|column| (column.name.to_string(), column.declared().to_owned()))
            .collect(),
        full_text_retrieval_fields: found.settings.full_text_fields.join(","),
        parser: found.settings.parser.clone(),
        support_sparse: found.settings.support_sparse,
        sparse_vector_metrics: (found.settings.support_sparse).then(|| SPARSE_METRIC.to_owned()),
    })
}

pub async fn list(
    call: &Call<'_>,
    request: ListCollectionsRequest,
) -> Result<ListCollectionsResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let names = call.app.engine.list_collections(&namespace).await?;
    Ok(ListCollectionsResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        db_instance_id: request.instance_id().to_owned(),
        region_id: request.region_id.clone(),
        namespace: namespace.namespace.to_string(),
        count: i64::try_from(names.len()).map_err(Failure::internal)?,
        collections: CollectionNames {
            collection: names.iter().map(ToString::to_string).collect(),
        },
    })
}

pub async fn modify(
    call: &Call<'_>,
    request: ModifyCollectionRequest,
) -> Result<ModifyCollectionResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let name = collection::name(&request.collection)?;
    let changed = call
        .app
        .engine
        .modify_collection(&namespace, &name, &request.metadata)
        .await?;
    Ok(ModifyCollectionResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        metadata: changed.columns.to_json(),
    })
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteCollectionRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    let name = collection::name(&request.collection)?;
    call.app.engine.delete_collection(&namespace, &name).await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn grant(
    call: &Call<'_>,
    request: GrantCollectionRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    let new = NewGrant {
        namespace: access::namespace_name(request.namespace)?,
        collection: collection::name(&request.collection)?,
        to: access::namespace_name(Some(request.grant_to_namespace))?,
        grant: Grant::from_name(&request.grant_type)?,
    };
    call.app.engine.grant_collection(&manager, &new).await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn modify_configuration(
    call: &Call<'_>,
    request: ModifyVectorConfigurationRequest,
) -> Result<ModifyVectorConfigurationResponse, Failure> {
    const FIELD: &str = "VectorConfigurationStatus";
    let instance = request.db_instance_id.unwrap_or_default();
    let enabled = match request.vector_configuration_status.as_deref() {
        None => return Err(ApiError::missing(FIELD).into()),
        Some("enabled") => true,
        Some("disabled") => false,
        Some(other) => {
            let reason = format!("'{other}' is neither enabled nor disabled");
            return Err(ApiError::invalid(FIELD, &reason).into());
        }
    };
    let id = InstanceId::new(instance.as_str()).map_err(EngineError::from)?;
    call.app.engine.modify_vector_configuration(&id, enabled)?;
    Ok(ModifyVectorConfigurationResponse {
        request_id: call.request_id(),
        status: true,
        db_instance_id: instance,
        error_message: None,
    })
}
