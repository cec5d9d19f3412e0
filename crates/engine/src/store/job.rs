//! Table `jobs`: the queue and what became of each job.
//!
//! A state changes by one conditional UPDATE each, so that two hands can never move one job to two ends; a later store with several
//! servers keeps the same statements. `claim` names the run of the server that works on a job: that of another run is a dead one's.

mod claim;

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

pub(crate) use self::claim::{claim_next, release};
use super::{object, signed, unsigned};
use crate::{
    error::EngineError,
    jobs::{ChunkFiles, JobFailure, Usage},
    name::{CollectionName, FileName, JobId, ObjectId},
};

/// Where a job's bytes are, as stored.
#[derive(Debug, Clone)]
pub(crate) enum StoredSource {
    Object(ObjectId),
    Url(String),
}

/// What a job makes of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobKind {
    /// Documents of a file.
    Upload,
    /// Rows of a file of rows.
    Rows,
}

impl JobKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Rows => "rows",
        }
    }
}

/// A job as it is submitted.
pub(crate) struct NewJob {
    pub(crate) kind: JobKind,
    pub(crate) id: JobId,
    pub(crate) namespace_id: i64,
    pub(crate) collection_id: i64,
    pub(crate) collection_name: CollectionName,
    pub(crate) file_name: FileName,
    pub(crate) source: StoredSource,
    pub(crate) metadata: String,
    pub(crate) dry_run: bool,
    /// How to split a text, as JSON; `None` for images.
    pub(crate) splitting: Option<String>,
}

/// A job as a worker gets it.
#[derive(Debug, Clone)]
pub(crate) struct ClaimedJob {
    pub(crate) kind: JobKind,
    pub(crate) seq: i64,
    pub(crate) id: JobId,
    pub(crate) collection_id: i64,
    pub(crate) file_name: FileName,
    pub(crate) source: StoredSource,
    pub(crate) metadata: String,
    pub(crate) dry_run: bool,
    pub(crate) splitting: Option<String>,
    /// Starts so far, this one included.
    pub(crate) attempts: u32,
    /// Rows of a file of rows that are stored already.
    pub(crate) rows: u64,
}

/// What `state` can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Queued,
    Cancelling,
    Success,
    Failed,
    Cancelled,
}

/// A job as it is asked for.
pub(crate) struct JobRow {
    pub(crate) id: JobId,
    pub(crate) file_name: FileName,
    pub(crate) state: JobState,
    pub(crate) dry_run: bool,
    pub(crate) failure: Option<JobFailure>,
    pub(crate) usage: Usage,
    pub(crate) chunk_files: ChunkFiles,
    pub(crate) rows: u64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// Puts a job at the end of the queue.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    job: &NewJob,
    now: i64,
) -> Result<(), EngineError> {
    let (kind, url, object) = match &job.source {
        StoredSource::Object(id) => ("object", None, Some(id.as_bytes().as_slice())),
        StoredSource::Url(url) => ("url", Some(url.as_str()), None),
    };
    sqlx::query(
        "INSERT INTO jobs (id, namespace_id, collection_id, collection_name, file_name, source_kind,
             source_url, source_sha256, metadata, dry_run, splitting, state, created_at, updated_at,
             kind)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'queued', ?12, ?12, ?13)",
    )
    .bind(job.id.as_str())
    .bind(job.namespace_id)
    .bind(job.collection_id)
    .bind(job.collection_name.as_str())
    .bind(job.file_name.as_str())
    .bind(kind)
    .bind(url)
    .bind(object)
    .bind(&job.metadata)
    .bind(job.dry_run)
    .bind(job.splitting.as_deref())
    .bind(now)
    .bind(job.kind.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Uploads that have not ended.
pub(crate) async fn count_unfinished(
    connection: &mut SqliteConnection,
) -> Result<u64, EngineError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM jobs WHERE state IN ('queued', 'cancelling') AND kind = 'upload'",
    )
    .fetch_one(connection)
    .await?;
    Ok(unsigned(count))
}

/// The file of rows that a collection is being filled from, if there is one.
pub(crate) async fn unfinished_rows_job(
    connection: &mut SqliteConnection,
    collection_id: i64,
) -> Result<Option<String>, EngineError> {
    Ok(sqlx::query_scalar(
        "SELECT id FROM jobs
         WHERE collection_id = ? AND kind = 'rows' AND state IN ('queued', 'cancelling')",
    )
    .bind(collection_id)
    .fetch_optional(connection)
    .await?)
}

/// Counts rows that are stored in the same transaction; false when the job is no longer ours, and
/// then they may not be.
pub(crate) async fn count_rows(
    connection: &mut SqliteConnection,
    seq: i64,
    run: &str,
    rows: u64,
    now: i64,
) -> Result<bool, EngineError> {
    let done = sqlx::query(
        "UPDATE jobs SET progress_rows = progress_rows + ?, updated_at = ?
         WHERE seq = ? AND claim = ? AND state = 'queued'",
    )
    .bind(signed(rows))
    .bind(now)
    .bind(seq)
    .bind(run)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a file that was fetched in the place of its URL, so that another run reads the same bytes.
pub(crate) async fn keep_source(
    connection: &mut SqliteConnection,
    seq: i64,
    run: &str,
    source: &ObjectId,
) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE jobs SET source_kind = 'object', source_url = NULL, source_sha256 = ?
         WHERE seq = ? AND claim = ? AND state = 'queued'",
    )
    .bind(source.as_bytes().as_slice())
    .bind(seq)
    .bind(run)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a job well; false when it was cancelled or failed meanwhile, and then nothing of it may be
/// kept.
pub(crate) async fn succeed(
    connection: &mut SqliteConnection,
    job: &ClaimedJob,
    run: &str,
    usage: Usage,
    chunk_files: ChunkFiles,
    now: i64,
) -> Result<bool, EngineError> {
    let [lines, plain] = chunk_files.digests();
    let done = sqlx::query(
        "UPDATE jobs SET state = 'success', claim = NULL, source_sha256 = NULL, usage_entries = ?1,
             usage_tokens = ?2, chunk_sha256 = ?3, plain_chunk_sha256 = ?4, updated_at = ?5
         WHERE seq = ?6 AND claim = ?7 AND state = 'queued'",
    )
    .bind(signed(usage.entries))
    .bind(signed(usage.tokens))
    .bind(lines)
    .bind(plain)
    .bind(now)
    .bind(job.seq)
    .bind(run)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a job badly; false when it was cancelled or failed meanwhile.
pub(crate) async fn fail(
    connection: &mut SqliteConnection,
    job: &ClaimedJob,
    run: &str,
    failure: &JobFailure,
    usage: Usage,
    now: i64,
) -> Result<bool, EngineError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = 'failed', claim = NULL, source_sha256 = NULL, failure = ?1,
             usage_entries = ?2, usage_tokens = ?3, updated_at = ?4
         WHERE seq = ?5 AND claim = ?6 AND state = 'queued'",
    )
    .bind(serde_json::to_string(failure).map_err(EngineError::internal)?)
    .bind(signed(usage.entries))
    .bind(signed(usage.tokens))
    .bind(now)
    .bind(job.seq)
    .bind(run)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Asks for a job to be cancelled: at once when nobody works on it, else `cancelling` until its
/// worker stops. `None` when it has ended already.
pub(crate) async fn cancel(
    connection: &mut SqliteConnection,
    id: &JobId,
    run: &str,
    now: i64,
) -> Result<Option<JobState>, EngineError> {
    let row = sqlx::query(
        "UPDATE jobs SET
             state = CASE WHEN claim = ?1 THEN 'cancelling' ELSE 'cancelled' END,
             source_sha256 = CASE WHEN claim = ?1 THEN source_sha256 END,
             updated_at = CASE WHEN state = 'queued' THEN ?2 ELSE updated_at END
         WHERE id = ?3 AND state IN ('queued', 'cancelling') RETURNING state",
    )
    .bind(run)
    .bind(now)
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| state_from(row.try_get(0)?)).transpose()
}

/// The worker's answer to `cancelling`.
pub(crate) async fn confirm_cancelled(
    connection: &mut SqliteConnection,
    seq: i64,
    now: i64,
) -> Result<bool, EngineError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = 'cancelled', claim = NULL, source_sha256 = NULL, updated_at = ?
         WHERE seq = ? AND state = 'cancelling'",
    )
    .bind(now)
    .bind(seq)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// At the start: whoever was to confirm these is gone.
pub(crate) async fn confirm_all_cancelled(
    connection: &mut SqliteConnection,
    now: i64,
) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE jobs SET state = 'cancelled', claim = NULL, source_sha256 = NULL, updated_at = ?
         WHERE state = 'cancelling'",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Before a collection goes: its ended jobs go with it, the others end with `failure` and stay to
/// be asked for. Returns the ids of those that had not ended.
pub(crate) async fn detach_from_collection(
    connection: &mut SqliteConnection,
    collection_id: i64,
    failure: &JobFailure,
    now: i64,
) -> Result<Vec<JobId>, EngineError> {
    sqlx::query(
        "DELETE FROM jobs WHERE collection_id = ? AND state NOT IN ('queued', 'cancelling')",
    )
    .bind(collection_id)
    .execute(&mut *connection)
    .await?;
    let ids: Vec<String> = sqlx::query_scalar(
        "UPDATE jobs SET
             failure = CASE WHEN state = 'queued' THEN ?1 END,
             state = CASE WHEN state = 'queued' THEN 'failed' ELSE 'cancelled' END,
             claim = NULL, source_sha256 = NULL, updated_at = ?2
         WHERE collection_id = ?3 RETURNING id",
    )
    .bind(serde_json::to_string(failure).map_err(EngineError::internal)?)
    .bind(now)
    .bind(collection_id)
    .fetch_all(connection)
    .await?;
    ids.into_iter().map(|id| Ok(JobId::new(id)?)).collect()
}

/// Forgets jobs whose collection is gone, once they are older than `before`.
pub(crate) async fn delete_orphans(
    connection: &mut SqliteConnection,
    before: i64,
) -> Result<u64, EngineError> {
    let done = sqlx::query("DELETE FROM jobs WHERE collection_id IS NULL AND updated_at <= ?")
        .bind(before)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// The unfinished jobs of a namespace, which is about to go with them.
pub(crate) async fn unfinished_of_namespace(
    connection: &mut SqliteConnection,
    namespace_id: i64,
) -> Result<Vec<JobId>, EngineError> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM jobs WHERE namespace_id = ? AND state IN ('queued', 'cancelling')",
    )
    .bind(namespace_id)
    .fetch_all(connection)
    .await?;
    ids.into_iter().map(|id| Ok(JobId::new(id)?)).collect()
}

/// A job of this collection; the name decides, so that a job outlives its collection.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    kind: JobKind,
    namespace_id: i64,
    collection_name: &CollectionName,
    id: &JobId,
) -> Result<Option<JobRow>, EngineError> {
    sqlx::query(
        "SELECT chunk_sha256, plain_chunk_sha256, id, file_name, state, dry_run, failure,
             usage_entries, usage_tokens, created_at, updated_at, progress_rows
         FROM jobs WHERE id = ? AND namespace_id = ? AND collection_name = ? AND kind = ?",
    )
    .bind(id.as_str())
    .bind(namespace_id)
    .bind(collection_name.as_str())
    .bind(kind.as_str())
    .fetch_optional(connection)
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

fn from_row(row: &SqliteRow) -> Result<JobRow, EngineError> {
    let failure: Option<&str> = row.try_get("failure")?;
    Ok(JobRow {
        id: JobId::new(row.try_get::<String, _>("id")?)?,
        file_name: FileName::new(row.try_get::<String, _>("file_name")?)?,
        state: state_from(row.try_get("state")?)?,
        dry_run: row.try_get("dry_run")?,
        failure: failure
            .map(serde_json::from_str)
            .transpose()
            .map_err(EngineError::internal)?,
        usage: Usage {
            entries: unsigned(row.try_get("usage_entries")?),
            tokens: unsigned(row.try_get("usage_tokens")?),
        },
        chunk_files: ChunkFiles {
            lines: object::optional_id_at(row, 0)?,
            plain: object::optional_id_at(row, 1)?,
        },
        rows: unsigned(row.try_get("progress_rows")?),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn state_from(text: &str) -> Result<JobState, EngineError> {
    Ok(match text {
        "queued" => JobState::Queued,
        "cancelling" => JobState::Cancelling,
        "success" => JobState::Success,
        "failed" => JobState::Failed,
        "cancelled" => JobState::Cancelled,
        other => {
            return Err(EngineError::internal(format!(
                "unknown job state '{other}'"
            )));
        }
    })
}
