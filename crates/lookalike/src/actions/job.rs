//! Uploads as jobs: submit, look, cancel.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lookalike_engine::{
    EngineError, FailureKind, Job, JobId, JobStatus, ObjectId, SplitOptions, SubmitUpload,
};
use lookalike_wire::ErrorCode;
use lookalike_wire::dto::{
    Acknowledgement, CancelUploadDocumentJobRequest, ChunkResult, GetUploadDocumentJobRequest,
    GetUploadDocumentJobResponse, MESSAGE_SUCCESS, STATUS_SUCCESS, UploadDocumentAsyncRequest,
    UploadDocumentAsyncResponse, UploadJob, UploadUsage,
};

use super::{Call, access, collection, document, source, url_expiration};
use crate::error::Failure;

pub async fn upload(
    call: &Call<'_>,
    request: UploadDocumentAsyncRequest,
) -> Result<UploadDocumentAsyncResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let upload = SubmitUpload {
        collection: collection::name(&request.collection)?,
        file_name: document::file_name(&request.file_name)?,
        source: source::of_url(call, &request.file_url)?,
        metadata: request
            .metadata
            .map(|metadata| metadata.0)
            .unwrap_or_default(),
        dry_run: request.dry_run.unwrap_or_default(),
        splitting: SplitOptions {
            chunk_size: request.chunk_size,
            chunk_overlap: request.chunk_overlap,
            separators: request.separators.map(|separators| separators.0),
            splitter: request.text_splitter_name,
            loader: request.document_loader_name,
        },
    };
    let id = call.app.engine.submit_upload(&namespace, &upload).await?;
    collection::name_encoder(
        call,
        &call
            .app
            .engine
            .collection(&namespace, &upload.collection)
            .await?,
    );
    Ok(UploadDocumentAsyncResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        job_id: id.to_string(),
    })
}

pub async fn get(
    call: &Call<'_>,
    request: GetUploadDocumentJobRequest,
) -> Result<GetUploadDocumentJobResponse, Failure> {
    let namespace = access::namespace(&request)?;
    let job = call
        .app
        .engine
        .job(
            &namespace,
            &collection::name(&request.collection)?,
            &job_id(request.job_id)?,
        )
        .await?;
    Ok(GetUploadDocumentJobResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESS.to_owned(),
        chunk_result: chunk_result(call, &job),
        usage: usage(&job)?,
        job: upload_job(job),
    })
}

pub async fn cancel(
    call: &Call<'_>,
    request: CancelUploadDocumentJobRequest,
) -> Result<Acknowledgement, Failure> {
    let namespace = access::namespace(&request)?;
    call.app
        .engine
        .cancel_job(
            &namespace,
            &collection::name(&request.collection)?,
            &job_id(request.job_id)?,
        )
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

fn upload_job(job: Job) -> UploadJob {
    let failure = job.failure.filter(|_| job.status == JobStatus::Failed);
    UploadJob {
        id: job.id.to_string(),
        status: job.status.as_str().to_owned(),
        completed: job.status.is_finished(),
        progress: i64::from(job.progress),
        create_time: time(job.created),
        update_time: time(job.updated),
        error_code: failure
            .as_ref()
            .map(|failure| code(failure.kind).as_str().to_owned()),
        error: failure.map(|failure| failure.message),
    }
}

/// Only a text and a dry run have chunk files (semantics.md, row 30); an empty object would look like a present one to
/// clients.
fn chunk_result(call: &Call<'_>, job: &Job) -> Option<ChunkResult> {
    let chunk_file = job.chunk_file.as_ref()?;
    let link = |file: &ObjectId, name: &str| call.link(file, name, url_expiration::DEFAULT_SECONDS);
    Some(ChunkResult {
        chunk_file_url: Some(link(chunk_file, "chunks.jsonl")),
        plain_chunk_file_url: job
            .plain_chunk_file
            .as_ref()
            .map(|file| link(file, "chunks.txt")),
        document_loader_result_file_url: None,
    })
}

fn usage(job: &Job) -> Result<Option<UploadUsage>, Failure> {
    if job.status != JobStatus::Success {
        return Ok(None);
    }
    let number = |count: u64| i64::try_from(count).map_err(Failure::internal);
    Ok(Some(UploadUsage {
        embedding_tokens: number(job.usage.tokens)?,
        embedding_entries: number(job.usage.entries)?,
    }))
}

fn code(kind: FailureKind) -> ErrorCode {
    match kind {
        FailureKind::Invalid => ErrorCode::InvalidParameter,
        FailureKind::CollectionNotFound => ErrorCode::CollectionNotFound,
        FailureKind::Unavailable => ErrorCode::ServiceUnavailable,
        FailureKind::Internal => ErrorCode::InternalError,
    }
}

/// An id of another form cannot be a job's, so there is none of that id.
pub fn job_id(text: String) -> Result<JobId, Failure> {
    let name = text.clone();
    Ok(JobId::new(text).map_err(|_| EngineError::NotFound {
        what: lookalike_engine::Subject::Job,
        name,
    })?)
}

/// `2024-01-08 16:52:04.864664`, in UTC and without saying so, as the vendor does.
pub fn time(timestamp: Timestamp) -> String {
    timestamp
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S.%6f")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_the_vendors_form() {
        assert_eq!(
            time("2024-01-08T16:52:04.864664Z".parse().unwrap()),
            "2024-01-08 16:52:04.864664"
        );
        assert_eq!(
            time("2024-01-08T16:52:04Z".parse().unwrap()),
            "2024-01-08 16:52:04.000000"
        );
    }
}
