//! The process is killed (SIGKILL) at every point of a job's life and started again: no accepted
//! job is lost, none is half visible, none runs to a different end.
//!
//! The test starts itself as a child ([`child`]) that works on a real data folder. The child stops
//! at the n-th point that its jobs pass, says so and is killed there; then the test opens the
//! folder, lets the jobs end and compares everything with a run that nobody disturbed.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::support::*;
use lookalike_engine::{
    Engine, EngineConfig, FailureKind, JobStatus, QueryContent,
    config::{Stage, StageObserver},
};
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// Where the child works; unset in an ordinary run.
pub const FOLDER: &str = "LOOKALIKE_CRASH_FOLDER";
/// At which point it stops.
pub const POINT: &str = "LOOKALIKE_CRASH_POINT";

const CHILD: &str = "crash::child";

const RED: Rgb = [220, 20, 20];
const GREEN: Rgb = [20, 180, 20];
const BLUE: Rgb = [20, 20, 220];

fn archive() -> Vec<u8> {
    tar(&[
        ("a.bmp", plain(GREEN)),
        ("b.bmp", plain(BLUE)),
        ("c.bmp", plain([5, 5, 5])),
    ])
}

/// One worker, so that the points come in one order.
pub fn config_of(folder: &Path) -> EngineConfig {
    let mut config = in_folder(folder);
    config.jobs.workers = 1;
    config
}

#[expect(
    clippy::disallowed_methods,
    reason = "how the test tells its child what to do"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The child's part; without its orders it has none. It says each point, then stops at the one it
/// was given, or says that it came to the end.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Some(folder), Some(point)) = (variable(FOLDER), variable(POINT)) else {
        return;
    };
    let armed = Arc::new(AtomicBool::new(false));
    let mut config = config_of(Path::new(&folder));
    config.on_stage = Some(stopping_at(point.parse().unwrap(), &armed));
    let engine = ready(config).await;
    indexed(&engine, "a.bmp", &plain(RED)).await;
    while !armed.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    let first = submit(&engine, "all.tar", &archive()).await;
    let second = submit(&engine, "z.bmp", &plain(RED)).await;
    for id in [first, second] {
        assert_eq!(finished(&engine, &id).await.status, JobStatus::Success);
    }
    engine.shutdown().await;
    say("end");
}

/// Says each point behind the first job, and stops everything that comes by at one of them. `armed` is set when the first job is
/// over.
pub fn stopping_at(stop_at: usize, armed: &Arc<AtomicBool>) -> StageObserver {
    let passed = AtomicUsize::new(0);
    let watching = Arc::clone(armed);
    Arc::new(move |_, stage| {
        if !watching.load(Ordering::SeqCst) {
            // The last point of the first upload.
            watching.store(stage == Stage::Cleaned, Ordering::SeqCst);
            return;
        }
        let point = passed.fetch_add(1, Ordering::SeqCst) + 1;
        if point <= stop_at {
            say(&format!("point {point} {stage:?}"));
        }
        if point >= stop_at {
            // Nothing goes on from here, on any thread that comes by.
            tokio::task::block_in_place(|| {
                loop {
                    std::thread::park();
                }
            });
        }
    })
}

/// A line past the capture of the test harness.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nchild: {line}").unwrap();
    out.flush().unwrap();
}

/// Runs a child, a test by name, up to a point, kills it there, and returns the points it passed; `None` when it
/// came to its end first.
pub fn kill_at(folder: &Path, point: usize, child: &str) -> Option<Vec<String>> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(POINT, point.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut points = Vec::new();
    for line in out.lines() {
        let line = line.unwrap();
        let Some(said) = line.strip_prefix("child: ") else {
            continue;
        };
        if said == "end" {
            assert!(child.wait().unwrap().success());
            return None;
        }
        let (number, stage) = said
            .strip_prefix("point ")
            .unwrap()
            .split_once(' ')
            .unwrap();
        points.push(stage.to_owned());
        if number == point.to_string() {
            child.kill().unwrap();
            child.wait().unwrap();
            return Some(points);
        }
    }
    panic!(
        "the child ended by itself: {:?} after {points:?}",
        child.wait().unwrap()
    );
}

/// Opens what a child left, submits what it did not come to, and waits for every job.
async fn finish(folder: &Path) -> Engine {
    let engine = Engine::open(config_of(folder), models()).await.unwrap();
    engine.wait_ready().await;
    let known: BTreeSet<String> = jobs(folder)
        .await
        .into_iter()
        .map(|(file_name, ..)| file_name)
        .collect();
    if !known.contains("z.bmp") {
        submit(&engine, "z.bmp", &plain(RED)).await;
    }
    loop {
        let unfinished = jobs(folder)
            .await
            .iter()
            .any(|(_, state, ..)| state == "queued");
        if !unfinished {
            return engine;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// File name, state, entries of usage and failure of every job in order.
pub async fn jobs(folder: &Path) -> Vec<(String, String, i64, Option<String>)> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("lookalike.db"))
        .read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let rows =
        sqlx::query("SELECT file_name, state, usage_entries, failure FROM jobs ORDER BY seq")
            .fetch_all(&mut database)
            .await
            .unwrap();
    database.close().await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
}

/// Everything a client can see, and the files there are.
#[derive(Debug, PartialEq)]
struct Snapshot {
    documents: Vec<(String, u64, u64, String)>,
    matches: Vec<(String, String, String, f32, Vec<f32>)>,
    jobs: Vec<(String, String, i64, Option<String>)>,
    files: Vec<PathBuf>,
}

async fn snapshot(folder: &Path, engine: &Engine) -> Snapshot {
    let mut documents = Vec::new();
    for name in names(engine).await {
        let document = engine
            .describe_document(&access(), &collection(PHOTOS), &file(&name))
            .await
            .unwrap();
        documents.push((
            name,
            document.version,
            document.chunks,
            document.object.to_string(),
        ));
    }
    let query = QueryContent {
        include_vector: true,
        ..text_query("green")
    };
    let matches = search(engine, &query)
        .await
        .matches
        .into_iter()
        .map(|found| {
            let vector = found.vector.unwrap();
            (
                found.id,
                found.file_name.unwrap().to_string(),
                found.loader_metadata,
                found.score,
                vector,
            )
        })
        .collect();
    engine.collect_garbage().await.unwrap();
    Snapshot {
        documents,
        matches,
        jobs: jobs(folder).await,
        files: files(folder),
    }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs_err::read_dir(folder.join("objects"))
        .unwrap()
        .flat_map(|shelf| fs_err::read_dir(shelf.unwrap().path()).unwrap())
        .map(|file| {
            file.unwrap()
                .path()
                .strip_prefix(folder)
                .unwrap()
                .to_owned()
        })
        .collect();
    files.sort();
    files
}

/// The state of a run that nobody disturbed.
async fn undisturbed() -> Snapshot {
    let folder = tempfile::tempdir().unwrap();
    let engine = ready(config_of(folder.path())).await;
    indexed(&engine, "a.bmp", &plain(RED)).await;
    indexed(&engine, "all.tar", &archive()).await;
    indexed(&engine, "z.bmp", &plain(RED)).await;
    let snapshot = snapshot(folder.path(), &engine).await;
    let versions: Vec<u64> = snapshot
        .documents
        .iter()
        .map(|document| document.1)
        .collect();
    assert_eq!(versions, [2, 1, 1, 1]);
    snapshot
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_point_the_end_is_the_same() {
    let expected = undisturbed().await;
    let mut stages = BTreeSet::new();
    for point in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let killed = tokio::task::spawn_blocking(move || kill_at(&path, point, CHILD))
            .await
            .unwrap();
        let Some(passed) = killed else {
            assert!(
                point > 20,
                "two jobs have ten points each, the child passed {point}"
            );
            break;
        };
        let stage = passed.last().unwrap().clone();
        let engine = finish(folder.path()).await;
        // Leftovers of the killed run are swept in the background.
        wait_for_files(folder.path(), &expected.files, &engine).await;
        assert_eq!(
            snapshot(folder.path(), &engine).await,
            expected,
            "killed at {point}, {stage}"
        );
        engine.shutdown().await;
        stages.insert(stage);
    }
    let every = [
        Stage::Submitted,
        Stage::Claimed,
        Stage::Fetched,
        Stage::Unpacked,
        Stage::Decoded,
        Stage::Embedded,
        Stage::BeforeCommit,
        Stage::AfterCommit,
        Stage::Indexed,
        Stage::Cleaned,
    ];
    assert_eq!(
        stages,
        every
            .map(|stage| format!("{stage:?}"))
            .into_iter()
            .collect()
    );
}

pub async fn wait_for_files(folder: &Path, expected: &[PathBuf], engine: &Engine) {
    let swept = async {
        while files(folder) != expected {
            engine.collect_garbage().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), swept)
        .await
        .unwrap_or_else(|_| panic!("files are {:?}, expected {expected:?}", files(folder)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_keeps_killing_the_process_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    // Killed while the archive's job is at work, as its content might do, and each start again.
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || kill_at_fetched(&path))
        .await
        .unwrap();
    let engine = Engine::open(config_of(folder.path()), models())
        .await
        .unwrap();
    loop {
        if jobs(folder.path())
            .await
            .iter()
            .all(|(_, state, ..)| state != "queued")
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let ended = jobs(folder.path()).await;
    let (_, state, entries, failure) = &ended[1];
    assert_eq!((state.as_str(), *entries), ("failed", 0));
    let failure = failure.as_deref().unwrap();
    assert!(
        failure.contains("max_attempts") && failure.contains("3 times"),
        "{failure}"
    );
    assert!(failure.contains(&serde_json::to_string(&FailureKind::Internal).unwrap()));
    assert_eq!(names(&engine).await[0], "a.bmp");
    // The collection goes on.
    assert_eq!(
        index(&engine, "y.bmp", &plain(RED)).await.status,
        JobStatus::Success
    );
}

/// Kills the process three times while the same job is at work.
fn kill_at_fetched(folder: &Path) {
    // Submitted, perhaps the second's as well, claimed, fetched: the fourth point at the latest.
    kill_at(folder, 4, CHILD).unwrap();
    for _ in 0..2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::restarted_child",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let reached = out.lines().any(|line| line.unwrap() == "child: fetched");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(reached, "the job did not run again");
    }
}

/// A start after a crash that runs into the same job and stops in it.
#[tokio::test(flavor = "multi_thread")]
async fn restarted_child() {
    let Some(folder) = variable(FOLDER) else {
        return;
    };
    let mut config = config_of(Path::new(&folder));
    config.on_stage = Some(Arc::new(|_, stage| {
        if stage == Stage::Fetched {
            say("fetched");
            tokio::task::block_in_place(|| {
                loop {
                    std::thread::park();
                }
            });
        }
    }));
    let _engine = Engine::open(config, models()).await.unwrap();
    std::future::pending::<()>().await;
}
