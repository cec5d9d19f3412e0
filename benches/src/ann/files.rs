//! What an index costs on disk: a snapshot of all, a thousand vectors after it, and
//! reading both again at a start. Wall-clock time.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use lookalike_index::{Effort, Metric, Options, Query, VectorIndex};
use serde_json::json;

use super::insert;

/// Vectors that are inserted after the snapshot.
const LATER: usize = 1000;

/// Makes an index in `folder`, in place of one that is there, and prints a line.
#[expect(clippy::print_stdout, reason = "the report is this program's output")]
pub fn measure(name: &str, base: &[f32], options: &Options, folder: &Path) -> Result<()> {
    let vectors: Vec<&[f32]> = base.chunks_exact(options.dimension).collect();
    let (first, later) = vectors.split_at(vectors.len().saturating_sub(LATER));
    let index = VectorIndex::create(folder, options.clone())?;
    insert(&index, 0, first.iter().copied())?;
    index.fold_blocking();
    let start = Instant::now();
    index.snapshot_blocking()?;
    let snapshot = start.elapsed();
    let snapshot_bytes = bytes_in(folder)?;

    let start = Instant::now();
    insert(&index, first.len() as u64, later.iter().copied())?;
    let inserted = start.elapsed();
    let inserted_bytes = bytes_in(folder)?.saturating_sub(snapshot_bytes);
    index.close();
    drop(index);

    let start = Instant::now();
    let index = VectorIndex::open(folder, options.clone())?.context("the index was written")?;
    let reload = start.elapsed();
    let query = Query {
        vector: vectors[0],
        k: 10,
        metric: Metric::Cosine,
        allowed: None,
    };
    let start = Instant::now();
    index.answer(&query, Effort::Planned)?;
    let first_search = start.elapsed();
    let line = json!({
        "peer": "lookalike",
        "measurement": "files",
        "dataset": name,
        "n": index.len(),
        "snapshot_s": snapshot.as_secs_f64(),
        "snapshot_bytes": snapshot_bytes,
        "inserted_later": later.len(),
        "inserted_s": inserted.as_secs_f64(),
        "inserted_bytes": inserted_bytes,
        "reload_s": reload.as_secs_f64(),
        "first_search_us": first_search.as_secs_f64() * 1e6,
    });
    println!("{line}");
    Ok(())
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let sizes = fs_err::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len()));
    sizes.sum()
}
