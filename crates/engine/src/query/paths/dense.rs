//! By dense vector: the collection's index, which plans for itself.

use std::sync::Arc;

use lookalike_index::{Effort, Metric, Query, VectorIndex};
use tokio::sync::OwnedRwLockReadGuard;

use super::{Answer, Ask};
use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
};

/// A search of so many numbers takes some tens of microseconds: handing it to another thread and back would take longer,
/// on a busy machine by milliseconds.
const QUICK_NUMBERS: usize = 1 << 18;

/// The nearest rows to a vector.
pub(in crate::query) async fn search(
    cpu: &Cpu,
    index: &Arc<OwnedRwLockReadGuard<VectorIndex>>,
    (vector, metric): (&Arc<[f32]>, Metric),
    ask: Ask,
) -> Result<Answer, EngineError> {
    let is_quick = index.len() * index.dimension() <= QUICK_NUMBERS;
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
    let answer = if is_quick {
        scan()
    } else {
        cpu.run(Lane::Request, scan).await?
    };
    let answer = answer.map_err(EngineError::internal)?;
    Ok(Answer {
        plan: answer.plan.name(),
        hits: answer.hits,
    })
}
