//! Which job comes next, and who works on it.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{ClaimedJob, JobKind, StoredSource};
use crate::{
    error::EngineError,
    name::{FileName, JobId},
    store::{object, unsigned},
};

const CLAIM_NEXT: &str = "UPDATE jobs SET claim = ?1, attempts = attempts + 1, updated_at = ?2
     WHERE seq = (
         SELECT j.seq FROM collections c JOIN jobs j ON j.seq = (
             SELECT min(o.seq) FROM jobs o
             WHERE o.collection_id = c.id AND o.state IN ('queued', 'cancelling')
                AND o.seq NOT IN (SELECT value FROM json_each(?3)))
         WHERE j.state = 'queued' AND (j.claim IS NULL OR j.claim <> ?1)
         ORDER BY j.seq LIMIT 1)
     AND state = 'queued' AND (claim IS NULL OR claim <> ?1)
     RETURNING seq, source_sha256, id, collection_id, file_name, source_url, metadata, dry_run,
         splitting, attempts, kind, progress_rows";

/// Takes the oldest job that may run: the first unfinished one of its collection besides those that are `open` to the next
/// one, by their places in the queue. Its attempt is counted in the same statement.
pub(crate) async fn claim_next(
    connection: &mut SqliteConnection,
    run: &str,
    open: &[i64],
    now: i64,
) -> Result<Option<ClaimedJob>, EngineError> {
    let row = sqlx::query(CLAIM_NEXT)
        .bind(run)
        .bind(now)
        .bind(serde_json::json!(open).to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(claimed_from_row).transpose()
}

/// Puts an interrupted job back where it was; the interruption was not its fault.
pub(crate) async fn release(
    connection: &mut SqliteConnection,
    seq: i64,
    run: &str,
) -> Result<(), EngineError> {
    sqlx::query(
        "UPDATE jobs SET claim = NULL, attempts = attempts - 1
         WHERE seq = ? AND claim = ? AND state = 'queued'",
    )
    .bind(seq)
    .bind(run)
    .execute(connection)
    .await?;
    Ok(())
}

fn claimed_from_row(row: &SqliteRow) -> Result<ClaimedJob, EngineError> {
    let url: Option<String> = row.try_get("source_url")?;
    let source = match (url, object::optional_id_at(row, 1)?) {
        (Some(url), _) => StoredSource::Url(url),
        (None, Some(id)) => StoredSource::Object(id),
        (None, None) => return Err(EngineError::internal("an unfinished job has no source")),
    };
    let kind = match row.try_get("kind")? {
        "upload" => JobKind::Upload,
        "rows" => JobKind::Rows,
        other => {
            return Err(EngineError::internal(format!(
                "unknown kind of job '{other}'"
            )));
        }
    };
    Ok(ClaimedJob {
        kind,
        seq: row.try_get("seq")?,
        id: JobId::new(row.try_get::<String, _>("id")?)?,
        collection_id: row.try_get("collection_id")?,
        file_name: FileName::new(row.try_get::<String, _>("file_name")?)?,
        source,
        metadata: row.try_get("metadata")?,
        dry_run: row.try_get("dry_run")?,
        splitting: row.try_get("splitting")?,
        attempts: row.try_get("attempts")?,
        rows: unsigned(row.try_get("progress_rows")?),
    })
}

#[cfg(test)]
mod tests;
