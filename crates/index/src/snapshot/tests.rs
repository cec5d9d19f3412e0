use std::path::PathBuf;

use tempfile::TempDir;

use crate::{Change, Effort, Metric, Options, Precision, Query, SnapshotError, VectorIndex};

fn options(metric: Metric) -> Options {
    Options {
        m: 4,
        ef_construction: 20,
        graph_min_bytes: 0,
        target_recall: 0.0,
        fold_in_background: false,
        snapshot_min_bytes: 0,
        ..Options::new(5, metric)
    }
}

fn vector(key: u64) -> Vec<f32> {
    // Some twins: keys that differ by 40 share a vector.
    (0..5_u8)
        .map(|at| ((key % 40) as f32 * 0.7 + f32::from(at)).sin())
        .collect()
}

fn insert(index: &VectorIndex, generation: u64, keys: std::ops::Range<u64>) {
    let vectors: Vec<(u64, Vec<f32>)> = keys.map(|key| (key, vector(key))).collect();
    let changes: Vec<Change<'_>> = vectors
        .iter()
        .map(|(key, vector)| Change::Insert { key: *key, vector })
        .collect();
    index.commit(generation, &changes).unwrap();
}

/// Everything that can be asked about the content.
fn content(index: &VectorIndex) -> Vec<String> {
    let mut content: Vec<String> = index
        .keys()
        .iter()
        .map(|key| format!("{key} {:?}", index.vector(key)))
        .collect();
    for key in 0..10 {
        let vector = vector(key);
        for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
            let query = Query {
                vector: &vector,
                k: 7,
                metric,
                allowed: None,
            };
            for effort in [Effort::Exact, Effort::Graph { ef: 1000 }] {
                content.push(format!("{:?}", index.answer(&query, effort).unwrap().hits));
            }
        }
    }
    content
}

fn files(folder: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs_err::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// A folder with a snapshot of generation 2 and a log up to generation 4.
fn filled(options: Options) -> (TempDir, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let index = VectorIndex::create(folder.path(), options).unwrap();
    insert(&index, 1, 0..90);
    index.commit(2, &[Change::Remove { key: 17 }]).unwrap();
    index.snapshot_blocking().unwrap();
    insert(&index, 3, 80..120);
    index
        .commit(4, &[Change::Remove { key: 3 }, Change::Remove { key: 85 }])
        .unwrap();
    let content = content(&index);
    (folder, content)
}

#[test]
fn an_index_is_found_again_as_it_was() {
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
        for precision in [Precision::Int8, Precision::Bf16, Precision::F32] {
            let options = Options {
                precision,
                ..options(metric)
            };
            let (folder, before) = filled(options.clone());
            for _ in 0..2 {
                let index = VectorIndex::open(folder.path(), options.clone())
                    .unwrap()
                    .unwrap();
                assert_eq!(index.generation(), 4);
                assert_eq!(content(&index), before);
                assert_eq!(index.stats().persistence_failure, None);
            }
            let index = VectorIndex::open(folder.path(), options.clone())
                .unwrap()
                .unwrap();
            index.snapshot_blocking().unwrap();
            insert(&index, 5, 200..210);
            let after = content(&index);
            let index = VectorIndex::open(folder.path(), options).unwrap().unwrap();
            assert_eq!((index.generation(), content(&index)), (5, after));
        }
    }
}

#[test]
fn a_folder_without_an_index_is_none_and_one_can_begin_there() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("a").join("b");
    assert!(
        VectorIndex::open(&inner, options(Metric::L2))
            .unwrap()
            .is_none()
    );
    let index = VectorIndex::create(&inner, options(Metric::L2)).unwrap();
    insert(&index, 1, 0..3);
    let index = VectorIndex::open(&inner, options(Metric::L2))
        .unwrap()
        .unwrap();
    assert_eq!((index.generation(), index.len()), (1, 3));
    // Beginning again deletes what was there.
    let index = VectorIndex::create(&inner, options(Metric::L2)).unwrap();
    assert_eq!((index.generation(), index.len()), (0, 0));
    let index = VectorIndex::open(&inner, options(Metric::L2))
        .unwrap()
        .unwrap();
    assert!(index.is_empty());
}

#[test]
fn other_options_are_named() {
    let (folder, _) = filled(options(Metric::L2));
    let open = |options| VectorIndex::open(folder.path(), options).err();
    let more_links = Options {
        m: 5,
        ..options(Metric::L2)
    };
    assert!(matches!(
        open(more_links),
        Some(SnapshotError::Mismatch {
            what: "m",
            found: 4,
            wanted: 5
        })
    ));
    assert!(matches!(
        open(options(Metric::Cosine)),
        Some(SnapshotError::Mismatch { what: "metric", .. })
    ));
    let bf16 = Options {
        precision: Precision::Bf16,
        ..options(Metric::L2)
    };
    assert!(matches!(
        open(bf16),
        Some(SnapshotError::Mismatch {
            what: "precision",
            ..
        })
    ));
}

#[test]
fn a_few_changes_do_not_rewrite_the_snapshot() {
    let folder = TempDir::new().unwrap();
    let options = Options {
        snapshot_min_bytes: 4096,
        ..options(Metric::L2)
    };
    let index = VectorIndex::create(folder.path(), options).unwrap();
    insert(&index, 1, 0..5000);
    index.fold_blocking();
    let first = files(&folder);
    assert_eq!(first.len(), 2, "{first:?}");
    let size = fs_err::metadata(&first[1]).unwrap().len();
    insert(&index, 2, 5000..5050);
    index.fold_blocking();
    assert_eq!(files(&folder), first);
    assert!(index.stats().log_bytes < size / 20);
    insert(&index, 3, 5050..9000);
    index.fold_blocking();
    assert_ne!(files(&folder), first);
    assert_eq!(files(&folder).len(), 2);
}

#[test]
fn any_damage_to_a_snapshot_is_noticed_or_harmless() {
    let (folder, before) = filled(options(Metric::Cosine));
    let snapshot = files(&folder)
        .into_iter()
        .find(|path| path.extension().unwrap() == "segment")
        .unwrap();
    let whole = fs_err::read(&snapshot).unwrap();
    let mut noticed = 0;
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs_err::write(&snapshot, &bytes).unwrap();
        match VectorIndex::open(folder.path(), options(Metric::Cosine)) {
            Ok(index) => assert_eq!(content(&index.unwrap()), before, "byte {at}"),
            Err(SnapshotError::Damaged(_) | SnapshotError::Mismatch { .. }) => noticed += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(
        noticed > whole.len() / 7 / 2,
        "{noticed} of {}",
        whole.len() / 7
    );
    for length in (0..whole.len()).step_by(101) {
        fs_err::write(&snapshot, &whole[..length]).unwrap();
        let opened = VectorIndex::open(folder.path(), options(Metric::Cosine));
        assert!(opened.is_err(), "cut to {length} of {}", whole.len());
    }
    fs_err::write(&snapshot, whole).unwrap();
    assert!(
        VectorIndex::open(folder.path(), options(Metric::Cosine))
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_log_that_was_cut_off_ends_with_its_last_whole_change() {
    let (folder, before) = filled(options(Metric::L2));
    let log = files(&folder)
        .into_iter()
        .find(|path| path.extension().unwrap() == "log")
        .unwrap();
    let whole = fs_err::read(&log).unwrap();
    for length in 0..=whole.len() {
        fs_err::write(&log, &whole[..length]).unwrap();
        let index = VectorIndex::open(folder.path(), options(Metric::L2))
            .unwrap()
            .unwrap();
        let generation = index.generation();
        assert!(if length == whole.len() {
            generation == 4
        } else {
            (2..=3).contains(&generation)
        });
        // What follows is written after the last whole change.
        insert(&index, 9, 300..301);
        drop(index);
        let index = VectorIndex::open(folder.path(), options(Metric::L2))
            .unwrap()
            .unwrap();
        assert_eq!(index.generation(), 9, "cut to {length}");
        assert!(index.contains(300));
        assert_eq!(index.contains(85), generation < 4);
    }
    fs_err::write(&log, &whole).unwrap();
    let index = VectorIndex::open(folder.path(), options(Metric::L2))
        .unwrap()
        .unwrap();
    assert_eq!(content(&index), before);
}

#[test]
fn a_changed_log_is_noticed_by_its_generation() {
    let (folder, before) = filled(options(Metric::L2));
    let log = files(&folder)
        .into_iter()
        .find(|path| path.extension().unwrap() == "log")
        .unwrap();
    let whole = fs_err::read(&log).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs_err::write(&log, &bytes).unwrap();
        match VectorIndex::open(folder.path(), options(Metric::L2)) {
            Ok(index) => assert!(index.unwrap().generation() < 4, "byte {at}"),
            Err(SnapshotError::Damaged(_)) => {}
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    fs_err::write(&log, &whole).unwrap();
    let index = VectorIndex::open(folder.path(), options(Metric::L2))
        .unwrap()
        .unwrap();
    assert_eq!(content(&index), before);
}

#[test]
fn a_missing_log_is_damage() {
    let (folder, _) = filled(options(Metric::L2));
    let log = files(&folder)
        .into_iter()
        .find(|path| path.extension().unwrap() == "log")
        .unwrap();
    fs_err::remove_file(&log).unwrap();
    let opened = VectorIndex::open(folder.path(), options(Metric::L2));
    assert!(matches!(opened, Err(SnapshotError::Damaged(_))));
}

#[test]
fn an_index_goes_on_when_its_folder_does_not() {
    let (folder, _) = filled(options(Metric::L2));
    let index = VectorIndex::open(folder.path(), options(Metric::L2))
        .unwrap()
        .unwrap();
    drop(folder);
    insert(&index, 5, 400..410);
    assert!(index.snapshot_blocking().is_err());
    assert!(index.stats().persistence_failure.is_some());
    insert(&index, 6, 410..420);
    assert!(index.contains(405) && index.contains(415));
}
