//! By dense vector: the collection's index, which plans for itself.

use std::sync::Arc;

use lookalike_index::{Effort, Metric, Query, VectorIndex};
use tokio::sync::OwnedRwLockReadGuard;

use super::{Answer, Ask};
use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
};

/// The nearest rows to a vector.
pub(in crate::query) async fn search(
    cpu: &Cpu,
    index: &Arc<OwnedRwLockReadGuard<VectorIndex>>,
    (vector, metric): (&Arc<[f32]>, Metric),
    ask: Ask,
) -> Result<Answer, EngineError> {
    let (index, vector) = (Arc::clone(index), Arc::clone(vector));
    let scan = move || {
        let query = Query {
            vector: &vector,
            k: ask.k,
            metric,
            allowed: ask.allowed.as_deref(),
        };
        index.answer(&query, Effort::Planned)
    };
    let answer = cpu
        .run(Lane::Request, scan)
        .await?
        .map_err(EngineError::internal)?;
    Ok(Answer {
        plan: answer.plan.name(),
        hits: answer.hits,
    })
}
