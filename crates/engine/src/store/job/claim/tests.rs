//! What claiming costs.

use sqlx::{AssertSqlSafe, Row as _};

use super::CLAIM_NEXT;
use crate::{config::Synchronous, store::Store};

/// Claiming is what every wake-up costs: it must seek the head of each collection's queue, not
/// walk through all jobs.
#[tokio::test]
async fn claiming_seeks_the_head_of_each_queue() {
    let store = Store::open(None, Synchronous::Off, 1).await.unwrap();
    let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {CLAIM_NEXT}")))
        .fetch_all(&mut *store.reader().await.unwrap())
        .await
        .unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    let plan = plan.join("\n");
    assert!(
        plan.contains("SEARCH o USING INDEX jobs_unfinished"),
        "{plan}"
    );
    assert!(
        plan.contains("SEARCH j USING INTEGER PRIMARY KEY"),
        "{plan}"
    );
}
