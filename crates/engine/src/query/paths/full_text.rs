//! By text: the rows whose words are the query's, by BM25.

use std::sync::{Arc, RwLock};

use lookalike_index::{Bitmap, TextIndex};

use super::{Answer, Ask};
use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
    lookup,
};

/// The best rows for some words.
pub(in crate::query) async fn search(
    cpu: &Cpu,
    table: &Arc<RwLock<TextIndex>>,
    words: &Arc<[String]>,
    ask: Ask,
) -> Result<Answer, EngineError> {
    let (table, words) = (Arc::clone(table), Arc::clone(words));
    let look = move || lookup::read(&table).search(&words, ask.k, ask.allowed.as_deref());
    Ok(Answer {
        hits: cpu.run(Lane::Request, look).await?,
        plan: "full_text",
    })
}

/// All rows that have any of the words.
pub(in crate::query) async fn matching(
    cpu: &Cpu,
    table: &Arc<RwLock<TextIndex>>,
    words: &Arc<[String]>,
) -> Result<Bitmap, EngineError> {
    let (table, words) = (Arc::clone(table), Arc::clone(words));
    cpu.run(Lane::Request, move || lookup::read(&table).matching(&words))
        .await
}
