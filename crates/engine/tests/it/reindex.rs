//! A change of encoder: refused until the vectors were made anew, from the originals, as a whole.

use std::path::Path;

use crate::support::*;
use lookalike_embed::{Models, ModelsConfig};
use lookalike_engine::{
    DataLocation, Engine, EngineConfig, EngineError, ImageQuery, QueryContent, ReindexProgress,
    Reindexed,
};

/// Another encoder for `clip-vit-b-32` than the built-in one: one of the small checkpoints.
fn other_models() -> Models {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.join("../embed/tests/goldens/quick-gelu-f16");
    let config = ModelsConfig {
        paths: vec![("clip-vit-b-32".to_owned(), folder)],
        ..ModelsConfig::default()
    };
    Models::open(config).unwrap()
}

fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("red.bmp", plain([220, 20, 20])),
        ("green.bmp", plain([20, 180, 20])),
        (
            "ramp.bmp",
            bmp(80, 80, |x, y| {
                [x, y, 30].map(|step| (step * 3).to_le_bytes()[0])
            }),
        ),
    ]
}

/// A data folder that the built-in encoder filled.
async fn filled(folder: &Path) -> EngineConfig {
    let mut config = in_folder(folder);
    config.jobs.batch_images = 1;
    let engine = ready(config.clone()).await;
    let job = index(&engine, "gallery.tar", &tar(&pictures())).await;
    assert_eq!(job.failure, None);
    close(engine).await;
    config
}

/// Lets go of the data folder too.
async fn close(engine: Engine) {
    engine.shutdown().await;
}

async fn query_by(engine: &Engine, picture: &[u8]) -> Result<Vec<String>, EngineError> {
    let source = uploaded(engine, picture).await;
    let image = ImageQuery {
        source,
        file_name: Some(file("query.bmp")),
    };
    let query = QueryContent {
        image: Some(image),
        ..QueryContent::new(collection(PHOTOS))
    };
    let result = engine.query(&access(), &query).await?;
    Ok(found(&result).into_iter().map(str::to_owned).collect())
}

async fn reindex(config: &EngineConfig) -> Result<(Reindexed, Vec<u64>), EngineError> {
    let engine = Engine::open_idle(config.clone(), other_models()).await?;
    let done = std::sync::Mutex::new(Vec::new());
    let report = engine
        .reindex(|progress: &ReindexProgress| done.lock().unwrap().push(progress.done))
        .await;
    close(engine).await;
    Ok((report?, done.into_inner().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_encoder_is_refused_until_the_vectors_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = filled(folder.path()).await;
    let [_, _, (_, ramp)] = &pictures()[..] else {
        panic!("three pictures")
    };

    let engine = Engine::open(config.clone(), other_models()).await.unwrap();
    let error = query_by(&engine, ramp).await.unwrap_err();
    assert!(error.to_string().contains("lookalike reindex"), "{error}");
    close(engine).await;

    let (report, done) = reindex(&config).await.unwrap();
    let expected = Reindexed {
        collections: 1,
        rows: 3,
        unchanged: 0,
    };
    assert_eq!(report, expected);
    assert_eq!(done, [0, 1, 2, 3]);
    let (again, _) = reindex(&config).await.unwrap();
    assert_eq!((again.collections, again.unchanged), (0, 1));

    let engine = Engine::open(config.clone(), other_models()).await.unwrap();
    assert_eq!(query_by(&engine, ramp).await.unwrap()[0], "ramp.bmp");
    close(engine).await;
    // And the first encoder is the foreign one now.
    let engine = Engine::open(config, models()).await.unwrap();
    assert!(query_by(&engine, ramp).await.is_err());
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_run_goes_on_where_it_was_and_shows_nothing_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let config = filled(folder.path()).await;
    let engine = Engine::open_idle(config.clone(), other_models())
        .await
        .unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let stopped = async {
        while let Some(done) = receiver.recv().await {
            if done == 2 {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = stopped => {}
        // Never hears of a third batch: the future is dropped at the latest when it would be kept.
        report = engine.reindex(|progress| sender.send(progress.done).unwrap()) => {
            panic!("it was not stopped: {report:?}");
        }
    }
    close(engine).await;

    // The old vectors are there, whole, under the old encoder.
    let engine = Engine::open(config.clone(), models()).await.unwrap();
    assert_eq!(
        query_by(&engine, &plain([220, 20, 20])).await.unwrap()[0],
        "red.bmp"
    );
    close(engine).await;

    let (report, done) = reindex(&config).await.unwrap();
    assert_eq!(report.rows, 3);
    assert!(done[0] >= 2, "it began anew: {done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn original_that_is_gone_is_named_and_leaves_the_collection_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let config = filled(folder.path()).await;
    let objects = folder.path().join("objects");
    let ramp = &pictures()[2].1;
    let mut removed = 0;
    for shelf in fs_err::read_dir(objects).unwrap() {
        for object in fs_err::read_dir(shelf.unwrap().path()).unwrap() {
            let path = object.unwrap().path();
            if fs_err::read(&path).unwrap() == *ramp {
                fs_err::remove_file(path).unwrap();
                removed += 1;
            }
        }
    }
    assert_eq!(removed, 1);
    let error = reindex(&config).await.unwrap_err().to_string();
    assert!(
        error.contains("ramp.bmp") && error.contains(PHOTOS),
        "{error}"
    );
    let engine = Engine::open(config, models()).await.unwrap();
    assert_eq!(query_by(&engine, ramp).await.unwrap()[0], "ramp.bmp");
    close(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_do_is_no_error() {
    let config = config(DataLocation::Memory);
    let engine = Engine::open_idle(config, other_models()).await.unwrap();
    let report = engine.reindex(|_| {}).await.unwrap();
    assert_eq!(report, Reindexed::default());
    close(engine).await;
}
