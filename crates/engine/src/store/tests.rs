//! Schemas of earlier versions, brought up to date.

use sqlx::{Row, sqlite::SqlitePoolOptions};

use super::{MIGRATIONS, migrate};

/// ours: rows of the first schema stay as they are, and their keys are never given out again.
#[tokio::test]
async fn data_of_the_first_schema_is_kept() {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await
        .unwrap();
    MIGRATIONS.run_to(1, &pool).await.unwrap();
    for statement in [
        "INSERT INTO instances VALUES (1, 'gp-1', 'manager', 'hash', 0)",
        "INSERT INTO namespaces VALUES (1, 1, 'album', 'hash', 0)",
        "INSERT INTO collections VALUES (1, 1, 'photos', 'clip-vit-b-32', 512, 'cosine', '[]', '{}', 'builtin', 'f', 0)",
        "INSERT INTO objects VALUES (x'01', 1, 'image/png', 0)",
        "INSERT INTO documents VALUES (1, 1, 'a.png', x'01', x'02', 1, 1, 0)",
        "INSERT INTO chunks VALUES (7, 1, 1, 'one', '', '{}', '{\"a\":1}', x'0000803f')",
        "INSERT INTO chunks VALUES (9, 1, 1, 'two', '', '{}', '{}', x'00000040')",
        "DELETE FROM chunks WHERE key = 9",
        "INSERT INTO jobs VALUES (1, 'job', 1, 1, 'photos', 'a.png', 'url', 'http://x/', NULL, '{}', 0, 'queued', NULL, 0, NULL, 0, 0, NULL, 0, 0)",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    migrate(&pool).await.unwrap();
    let row = sqlx::query(
        "SELECT c.key, c.id, c.document_id, c.metadata, c.vector, c.sparse, o.kind FROM chunks c
         JOIN collections o ON o.id = c.collection_id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(row.get::<i64, _>("key"), 7);
    assert_eq!(row.get::<String, _>("id"), "one");
    assert_eq!(row.get::<Option<i64>, _>("document_id"), Some(1));
    assert_eq!(row.get::<String, _>("metadata"), "{\"a\":1}");
    assert_eq!(row.get::<Vec<u8>, _>("vector"), 1_f32.to_le_bytes());
    assert_eq!(row.get::<Option<Vec<u8>>, _>("sparse"), None);
    assert_eq!(row.get::<String, _>("kind"), "document");
    let key: i64 = sqlx::query_scalar(
        "INSERT INTO chunks (collection_id, id, content, loader_metadata, metadata, vector)
         VALUES (1, 'three', '', '{}', '{}', x'') RETURNING key",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(key, 10);
    let state: String = sqlx::query_scalar("SELECT state FROM jobs WHERE kind = 'upload'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(state, "queued");
    // With the references on, what hangs on a document still goes with it.
    sqlx::query("DELETE FROM documents")
        .execute(&pool)
        .await
        .unwrap();
    let left: Vec<String> = sqlx::query_scalar("SELECT id FROM chunks")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(left, ["three"]);
}
