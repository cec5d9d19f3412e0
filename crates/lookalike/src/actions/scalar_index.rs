//! Scalar indexes and the jobs that made them.

use lookalike_engine::{EngineError, IndexName, JobStatus, NewScalarIndex};
use lookalike_wire::ApiError;
use lookalike_wire::dto::{
    Acknowledgement, CancelCreateIndexJobRequest, CollectionJob, CollectionJobResponse,
    CreateIndexRequest, DeleteIndexRequest, DescribeCreateIndexJobRequest, DescribeIndexRequest,
    DescribeIndexResponse, IndexItem, Indices, JobAccepted, ListIndicesRequest,
    ListIndicesResponse, MESSAGE_SUCCESS, STATUS_SUCCESS,
};

use super::{Call, access, collection, job};
use crate::error::Failure;

pub async fn create(call: &Call<'_>, request: CreateIndexRequest) -> Result<JobAccepted, Failure> {
    let namespace = access::namespace(&request)?;
    let new = NewScalarIndex {
        collection: collection::name(&request.collection)?,
        field: (request.index_field).ok_or_else(|| ApiError::missing("IndexField"))?,
        name: request.index_name,
        config: request.index_config,
    };
    let id = call.app.engine.create_index(&namespace, &new).await?;
    Ok(JobAccepted {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        job_id: id.to_string(),
    })
}

pub async fn describe(
    call: &Call<'_>,
    request: DescribeIndexRequest,
) -> Result<DescribeIndexResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let (collection, name) = (
        collection::name(&request.collection)?,
        index_name(&request.index_name)?,
    );
    let index = call
        .app
        .engine
        .index(&namespace, &collection, &name)
        .await?;
    Ok(DescribeIndexResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        index_def: index.definition(&namespace.namespace, &collection),
        namespace: request.namespace,
        collection: request.collection,
        index_name: request.index_name,
    })
}

pub async fn list(
    call: &Call<'_>,
    request: ListIndicesRequest,
) -> Result<ListIndicesResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let collection = collection::name(&request.collection)?;
    let indexes = call
        .app
        .engine
        .list_indexes(&namespace, &collection)
        .await?;
    let item = |index: &lookalike_engine::ScalarIndex| IndexItem {
        namespace: request.namespace.clone(),
        collection: request.collection.clone(),
        index_name: index.name.to_string(),
        index_def: index.definition(&namespace.namespace, &collection),
    };
    Ok(ListIndicesResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        indices: Indices {
            indices: indexes.iter().map(item).collect(),
        },
    })
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteIndexRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    call.app
        .engine
        .delete_index(
            &namespace,
            &collection::name(&request.collection)?,
            &index_name(&request.index_name)?,
        )
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn describe_job(
    call: &Call<'_>,
    request: DescribeCreateIndexJobRequest,
) -> Result<CollectionJobResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let id = job::job_id(request.job_id)?;
    let made = call
        .app
        .engine
        .index_job(&namespace, &collection::name(&request.collection)?, &id)
        .await?;
    Ok(CollectionJobResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        job: CollectionJob {
            id: id.to_string(),
            status: JobStatus::Success.as_str().to_owned(),
            completed: true,
            progress: 100,
            create_time: job::time(made),
            update_time: job::time(made),
            error: None,
        },
    })
}

pub async fn cancel_job(
    call: &Call<'_>,
    request: CancelCreateIndexJobRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    call.app
        .engine
        .cancel_index_job(
            &namespace,
            &collection::name(&request.collection)?,
            &job::job_id(request.job_id)?,
        )
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

fn index_name(text: &str) -> Result<IndexName, Failure> {
    Ok(IndexName::new(text).map_err(EngineError::from)?)
}
