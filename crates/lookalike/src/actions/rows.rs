//! Rows of collections: stored, by a call or by a file, removed, changed, searched.

use lookalike_engine::{
    DeleteRows, HybridSearch, Job, JobStatus, NewRow, QueryRows, RowMatch, SparseVector,
    SubmitRows, UpdateRows, UpsertRows, metric_from_name,
};
use lookalike_wire::dto::{
    self, Acknowledgement, AppliedRows, CancelUpsertCollectionDataJobRequest, CollectionJob,
    CollectionJobResponse, DataMatch, DataMatches, DeleteCollectionDataRequest, DenseValues,
    GetUpsertCollectionDataJobRequest, JobAccepted, MESSAGE_SUCCESS, QueryCollectionDataRequest,
    QueryCollectionDataResponse, Row, STATUS_SUCCESS, SparseIndices, SparseValues, SparseWeights,
    UpdateCollectionDataMetadataRequest, UpsertCollectionDataAsyncRequest,
    UpsertCollectionDataRequest,
};
use lookalike_wire::{ApiError, ErrorCode};

use super::{Call, access, collection, job, source};
use crate::error::Failure;

pub async fn upsert(
    call: &Call<'_>,
    request: UpsertCollectionDataRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    check_size(call)?;
    let rows = request.rows.map(|rows| rows.0.0).unwrap_or_default();
    let upsert = UpsertRows {
        collection: collection::name(&request.collection)?,
        rows: rows
            .into_iter()
            .enumerate()
            .map(|(at, row)| new_row(at, row))
            .collect::<Result<_, _>>()?,
    };
    call.app.engine.upsert_rows(&namespace, upsert).await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn upsert_file(
    call: &Call<'_>,
    request: UpsertCollectionDataAsyncRequest,
) -> Result<JobAccepted, Failure> {
    let namespace = access::namespace(&request)?;
    let rows = SubmitRows {
        collection: collection::name(&request.collection)?,
        source: source::of_url(call, &request.file_url)?,
    };
    let id = call.app.engine.submit_rows(&namespace, &rows).await?;
    Ok(JobAccepted {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        job_id: id.to_string(),
    })
}

pub async fn get_job(
    call: &Call<'_>,
    request: GetUpsertCollectionDataJobRequest,
) -> Result<CollectionJobResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let (name, id) = (
        collection::name(&request.collection)?,
        job::job_id(request.job_id)?,
    );
    let job = call.app.engine.rows_job(&namespace, &name, &id).await?;
    Ok(CollectionJobResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        job: rows_job(job)?,
    })
}

pub async fn cancel_job(
    call: &Call<'_>,
    request: CancelUpsertCollectionDataJobRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    let (name, id) = (
        collection::name(&request.collection)?,
        job::job_id(request.job_id)?,
    );
    call.app
        .engine
        .cancel_rows_job(&namespace, &name, &id)
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteCollectionDataRequest,
) -> Result<AppliedRows, Failure> {
    let namespace = access::namespace(&request)?;
    let delete = DeleteRows {
        collection: collection::name(&request.collection)?,
        data: request.values().map_err(ApiError::from)?,
        filter: request.collection_data_filter.unwrap_or_default(),
    };
    let deleted = call.app.engine.delete_rows(&namespace, &delete).await?;
    applied(call, deleted)
}

pub async fn update(
    call: &Call<'_>,
    request: UpdateCollectionDataMetadataRequest,
) -> Result<AppliedRows, Failure> {
    let namespace = access::namespace(&request)?;
    let update = UpdateRows {
        collection: collection::name(&request.collection)?,
        ids: request.ids.map(|ids| ids.0).unwrap_or_default(),
        filter: request.filter.unwrap_or_default(),
        metadata: request.metadata.0,
    };
    let changed = call.app.engine.update_rows(&namespace, update).await?;
    applied(call, changed)
}

pub async fn query(
    call: &Call<'_>,
    request: QueryCollectionDataRequest,
) -> Result<QueryCollectionDataResponse, Failure> {
    let namespace = access::namespace(&request)?;
    refuse_joins(&request)?;
    let with_total = request.offset.is_some();
    let sparse = request
        .sparse_vector
        .map(|sparse| sparse_vector(sparse.0))
        .transpose()
        .map_err(|reason| ApiError::invalid("SparseVector", &reason))?;
    let query = QueryRows {
        vector: request.vector.map(|vector| vector.0),
        sparse,
        text: request.content,
        hybrid: HybridSearch {
            mode: request.hybrid_search.unwrap_or_default(),
            args: request
                .hybrid_search_args
                .map(|args| args.0)
                .unwrap_or_default(),
            full_text: false,
        },
        offset: request.offset,
        metric: request
            .metrics
            .as_deref()
            .map(metric_from_name)
            .transpose()?,
        include_vector: request.include_values.unwrap_or_default(),
        include_sparse: request.include_sparse_values.unwrap_or_default(),
        metadata_fields: request.include_metadata_fields.unwrap_or_default(),
        filter: request.filter.unwrap_or_default(),
        order_by: request.order_by.unwrap_or_default(),
        ..QueryRows::new(collection::name(&request.collection)?, request.top_k)
    };
    let result = call.app.engine.query_rows(&namespace, query).await?;
    Ok(QueryCollectionDataResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        total: with_total
            .then(|| i64::try_from(result.total).map_err(Failure::internal))
            .transpose()?,
        matches: DataMatches {
            list: result.matches.into_iter().map(data_match).collect(),
        },
    })
}

/// The contract's bound on one call, applied to the text of its rows.
fn check_size(call: &Call<'_>) -> Result<(), ApiError> {
    let max_bytes = call.app.limits.max_rows_bytes.0;
    let bytes = call.parameters.get("Rows").map_or(0, str::len) as u64;
    if bytes <= max_bytes {
        return Ok(());
    }
    let reason = format!(
        "it has {bytes} bytes, more than the limit of {max_bytes} (setting max-rows-bytes); \
         UpsertCollectionDataAsync takes larger files"
    );
    Err(ApiError::invalid("Rows", &reason))
}

fn new_row(at: usize, row: Row) -> Result<NewRow, ApiError> {
    let sparse = |sparse| {
        sparse_vector(sparse).map_err(|reason| {
            ApiError::invalid("Rows", &format!("row {}: SparseVector {reason}", at + 1))
        })
    };
    Ok(NewRow {
        id: row.id,
        vector: row.vector.unwrap_or_default(),
        metadata: row.metadata,
        sparse_vector: row.sparse_vector.map(sparse).transpose()?,
    })
}

fn sparse_vector(given: dto::SparseVector) -> Result<SparseVector, String> {
    let indices = given.indices.into_iter().map(|index| {
        u32::try_from(index).map_err(|_| format!("has the index {index}, which is out of range"))
    });
    Ok(SparseVector {
        indices: indices.collect::<Result<_, _>>()?,
        values: given.values,
    })
}

/// What a search cannot do must not pass for done.
fn refuse_joins(request: &QueryCollectionDataRequest) -> Result<(), ApiError> {
    if request.relational_table_filter.is_none() {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::UnsupportedOperation)
        .with_detail("RelationalTableFilter is not supported here yet."))
}

fn rows_job(job: Job) -> Result<CollectionJob, Failure> {
    let failure = job.failure.filter(|_| job.status == JobStatus::Failed);
    Ok(CollectionJob {
        id: job.id.to_string(),
        status: job.status.as_str().to_owned(),
        completed: job.status.is_finished(),
        progress: i64::try_from(job.rows).map_err(Failure::internal)?,
        create_time: job::time(job.created),
        update_time: job::time(job.updated),
        error: failure.map(|failure| failure.message),
    })
}

fn applied(call: &Call<'_>, rows: u64) -> Result<AppliedRows, Failure> {
    Ok(AppliedRows {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        applied_rows: i64::try_from(rows).map_err(Failure::internal)?,
    })
}

fn data_match(found: RowMatch) -> DataMatch {
    DataMatch {
        id: found.id,
        // Clients do sums with it, so a row that was only filtered has one, too.
        score: f64::from(found.score.unwrap_or(0.0)),
        metadata: found.metadata.into_iter().collect(),
        metadata_v2: found.values.into_iter().collect(),
        values: found.vector.map(|value| DenseValues { value }),
        sparse_values: found.sparse.map(|sparse| SparseValues {
            indices: SparseIndices {
                indice: sparse.indices.into_iter().map(i64::from).collect(),
            },
            values: SparseWeights {
                value: sparse.values,
            },
        }),
    }
}
