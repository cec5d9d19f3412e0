//! Indexes in the data folder: found again after a restart, made anew whatever is wrong with them,
//! deleted with their collections.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::support::*;
use fs_err as fs;
use lookalike_engine::{
    Engine, EngineError, IndexKind, IndexOptions, NamespaceName, NewVectorIndex, QueryResult,
};

const RED: Rgb = [220, 20, 20];
const GREEN: Rgb = [20, 180, 20];
const BLUE: Rgb = [20, 20, 220];

async fn open(folder: &Path) -> Engine {
    let engine = Engine::open(in_folder(folder), models()).await.unwrap();
    engine.wait_ready().await;
    engine
}

async fn close(engine: Engine) {
    engine.shutdown().await;
    drop(engine);
}

async fn reds(engine: &Engine) -> QueryResult {
    search(engine, &text_query("red")).await
}

/// Where the index of the only collection is.
fn index_folder(data: &Path) -> PathBuf {
    data.join("index").join("1")
}

/// The files of the index with the times when they were written.
fn files(data: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut files: Vec<_> = fs::read_dir(index_folder(data))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.clone(),
                fs::metadata(path).unwrap().modified().unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_found_again_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(data.path())).await;
    indexed(&engine, "red.bmp", &plain(RED)).await;
    indexed(&engine, "blue.bmp", &plain(BLUE)).await;
    let before = reds(&engine).await;
    close(engine).await;

    let written = files(data.path());
    let engine = open(data.path()).await;
    assert_eq!(files(data.path()), written);
    assert_eq!(reds(&engine).await, before);
    // And goes on from there.
    indexed(&engine, "green.bmp", &plain(GREEN)).await;
    engine
        .delete_document(&access(), &collection(PHOTOS), &file("red.bmp"))
        .await
        .unwrap();
    let after = reds(&engine).await;
    close(engine).await;
    let engine = open(data.path()).await;
    assert_eq!(reds(&engine).await, after);
    assert_eq!(after.matches.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_an_index_searches_are_right() {
    let data = tempfile::tempdir().unwrap();
    let folder = index_folder(data.path());
    let engine = ready(in_folder(data.path())).await;
    indexed(&engine, "red.bmp", &plain(RED)).await;
    close(engine).await;
    let stale = data.path().join("stale");
    copy(&folder, &stale);
    let engine = open(data.path()).await;
    indexed(&engine, "blue.bmp", &plain(BLUE)).await;
    engine
        .delete_document(&access(), &collection(PHOTOS), &file("red.bmp"))
        .await
        .unwrap();
    indexed(&engine, "green.bmp", &plain(GREEN)).await;
    let expected = reds(&engine).await;
    close(engine).await;

    let change_a_file = |change: &dyn Fn(&mut Vec<u8>)| {
        let (path, _) = files(data.path()).remove(0);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    let harms: [(&str, &dyn Fn()); 6] = [
        ("missing", &|| fs::remove_dir_all(&folder).unwrap()),
        ("older", &|| {
            fs::remove_dir_all(&folder).unwrap();
            copy(&stale, &folder);
        }),
        ("cut off", &|| {
            change_a_file(&|bytes| bytes.truncate(bytes.len() / 2));
        }),
        ("damaged", &|| change_a_file(&|bytes| bytes[100] ^= 1)),
        ("empty", &|| change_a_file(&Vec::clear)),
        // Last: the index is kept in memory from now on.
        ("no folder", &|| {
            fs::remove_dir_all(&folder).unwrap();
            fs::write(&folder, "in the way").unwrap();
        }),
    ];
    for (what, harm) in harms {
        harm();
        let engine = open(data.path()).await;
        assert_eq!(reds(&engine).await, expected, "{what}");
        close(engine).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_shape_takes_the_place_of_the_former() {
    let data = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(data.path())).await;
    indexed(&engine, "red.bmp", &plain(RED)).await;
    indexed(&engine, "blue.bmp", &plain(BLUE)).await;
    let before = reds(&engine).await;
    let mut written = files(data.path());
    let narrow = NewVectorIndex {
        namespace: NamespaceName::default(),
        collection: collection(PHOTOS),
        kind: IndexKind::Dense,
        dimension: Some(512),
        metric: None,
        options: IndexOptions {
            hnsw_m: Some(4),
            ..IndexOptions::default()
        },
    };
    let create = async |engine: &Engine| engine.create_vector_index(&manager(), &narrow).await;
    let delete = async |engine: &Engine| {
        let (namespace, name) = (NamespaceName::default(), collection(PHOTOS));
        engine
            .delete_vector_index(&manager(), &namespace, &name, IndexKind::Dense)
            .await
    };
    for deleted in [false, true, false] {
        let outcome: Result<(), EngineError> = if deleted {
            delete(&engine).await
        } else {
            create(&engine).await
        };
        outcome.unwrap();
        assert_eq!(reds(&engine).await, before);
        assert_ne!(files(data.path()), written, "made anew");
        written = files(data.path());
    }
    create(&engine).await.unwrap();
    assert_eq!(files(data.path()), written, "it is that already");
    close(engine).await;
    let engine = open(data.path()).await;
    assert_eq!(files(data.path()), written, "found again with its shape");
    assert_eq!(reds(&engine).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_deleted_with_its_collection() {
    let data = tempfile::tempdir().unwrap();
    let engine = ready(in_folder(data.path())).await;
    indexed(&engine, "red.bmp", &plain(RED)).await;
    let folder = index_folder(data.path());
    assert!(folder.exists());
    engine
        .delete_document_collection(&access(), &collection(PHOTOS))
        .await
        .unwrap();
    let gone = async {
        while folder.exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone)
        .await
        .expect("the folder stays");
    close(engine).await;
    // What a killed server could not delete.
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("00000000000000000000.log"), "old").unwrap();
    let engine = open(data.path()).await;
    assert!(!folder.exists());
    close(engine).await;
}
