//! By sparse vector: inner products with the rows that share an index.

use std::sync::{Arc, RwLock};

use lookalike_index::SparseIndex;

use super::{Answer, Ask};
use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
    lookup,
};

/// The rows with the largest inner products.
pub(in crate::query) async fn search(
    cpu: &Cpu,
    table: &Arc<RwLock<SparseIndex>>,
    pairs: &Arc<[(u32, f32)]>,
    ask: Ask,
) -> Result<Answer, EngineError> {
    let (table, pairs) = (Arc::clone(table), Arc::clone(pairs));
    let look = move || lookup::read(&table).search(&pairs, ask.k, ask.allowed.as_deref());
    Ok(Answer {
        hits: cpu.run(Lane::Request, look).await?,
        plan: "sparse",
    })
}
