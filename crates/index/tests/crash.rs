//! A process is killed while it inserts, deletes, folds and writes snapshots:
//! what it said it had done is there when the index is opened again.

#![expect(clippy::unwrap_used, reason = "a test may stop anywhere")]
#![expect(clippy::cast_precision_loss, reason = "numbers below 2000")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lookalike_index::{Change, Effort, Metric, Options, Query, VectorIndex};

/// Tells the test binary that it is the process to be killed, and where to write.
const FOLDER: &str = "LOOKALIKE_INDEX_CRASH_FOLDER";

const DIMENSION: usize = 6;

/// Small numbers everywhere, so that folds and snapshots happen all the time.
fn options() -> Options {
    Options {
        m: 4,
        ef_construction: 20,
        graph_min_bytes: 0,
        target_recall: 0.0,
        fold_rows: 20,
        fold_threads: 1,
        snapshot_min_bytes: 512,
        ..Options::new(DIMENSION, Metric::L2)
    }
}

fn hash(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 32
}

fn vector(generation: u64, key: u64) -> Vec<f32> {
    (0..DIMENSION as u64)
        .map(|at| (hash(hash(generation * 1000 + key) + at) % 2000) as f32 / 1000.0 - 1.0)
        .collect()
}

/// What a generation changes: some keys get a vector, some go.
fn changes(generation: u64) -> Vec<(u64, Option<Vec<f32>>)> {
    (0..=hash(generation) % 12)
        .map(|at| {
            let draw = hash(generation * 100 + at);
            let key = draw % 300;
            (
                key,
                (!(draw / 300).is_multiple_of(4)).then(|| vector(generation, key)),
            )
        })
        .collect()
}

fn commit(index: &VectorIndex, generation: u64) {
    let list = changes(generation);
    let changes = list.iter().map(|(key, vector)| match vector {
        Some(vector) => Change::Insert { key: *key, vector },
        None => Change::Remove { key: *key },
    });
    let list: Vec<Change<'_>> = changes.collect();
    index.commit(generation, &list).unwrap();
}

/// Not a test of its own: the process that is killed.
#[test]
fn the_process_that_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "how a test talks to itself")]
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let index = match VectorIndex::open(&folder, options()).unwrap() {
        Some(index) => index,
        None => VectorIndex::create(&folder, options()).unwrap(),
    };
    let mut output = std::io::stdout();
    for generation in index.generation() + 1.. {
        commit(&index, generation);
        writeln!(output, "done {generation}").unwrap();
        output.flush().unwrap();
    }
}

/// Starts the process, kills it after it has made so many changes, and returns the
/// last one that it said it made.
fn run_and_kill(folder: &Path, count: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut generations = lines
        .by_ref()
        .filter_map(|line| line.unwrap().split_once("done ")?.1.parse().ok());
    for _ in 0..count {
        last = generations
            .next()
            .expect("the process goes on until it is killed");
    }
    child.kill().unwrap();
    let last = generations.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

#[test]
fn what_was_acknowledged_is_found_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows: BTreeMap<u64, Vec<f32>> = BTreeMap::new();
    let mut replayed = 0;
    for round in 0..12 {
        let acknowledged = run_and_kill(folder.path(), 20 + hash(round) % 150);
        let quiet = Options {
            fold_in_background: false,
            ..options()
        };
        let index = VectorIndex::open(folder.path(), quiet)
            .unwrap()
            .expect("an index was begun");
        let generation = index.generation();
        assert!(
            generation >= acknowledged,
            "round {round}: {generation} < {acknowledged}"
        );
        for past in replayed + 1..=generation {
            for (key, vector) in changes(past) {
                match vector {
                    Some(vector) => rows.insert(key, vector),
                    None => rows.remove(&key),
                };
            }
        }
        replayed = generation;
        assert!(
            index.keys().iter().eq(rows.keys().copied()),
            "round {round}"
        );
        for (key, vector) in &rows {
            assert_eq!(index.vector(*key).as_ref(), Some(vector), "round {round}");
            let query = Query {
                vector,
                k: 1,
                metric: Metric::L2,
                allowed: None,
            };
            let hits = index.answer(&query, Effort::Exact).unwrap().hits;
            assert!(
                hits.iter().any(|hit| hit.key == *key),
                "round {round}: {key}"
            );
        }
    }
}
