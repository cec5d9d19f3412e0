//! What the engine's tests share: an engine with the real built-in encoder, small pictures and
//! archives written by hand, and waiting for jobs.

mod files;

use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use bytes::Bytes;
use lookalike_embed::{Models, ModelsConfig};
use lookalike_engine::{
    CollectionName, DataLocation, Engine, EngineConfig, EngineError, FileName, InstanceId, Job,
    JobId, JobStatus, ListChunks, ListedChunk, ManagerAccess, NamespaceAccess, NamespaceName,
    NewCollection, NewRow, NewVectorCollection, ObjectKey, QueryContent, QueryResult, QueryRows,
    Secret, Source, SplitOptions, SubmitUpload, UpsertRows,
    config::{PasswordHashing, Stage, StageObserver, Synchronous},
};
use serde_json::{Map, Value};

pub use files::{Rgb, bmp, plain, tar};

/// The collection most tests use.
pub const PHOTOS: &str = "photos";

/// Longer than this a test has met a deadlock.
const DEADLINE: Duration = Duration::from_mins(1);

pub fn models() -> Models {
    Models::open(ModelsConfig::default()).unwrap()
}

/// Defaults, but passwords and disk cost nothing.
pub fn config(data: DataLocation) -> EngineConfig {
    EngineConfig {
        passwords: PasswordHashing {
            memory_kib: 8,
            passes: 1,
        },
        synchronous: Synchronous::Off,
        ..EngineConfig::new(data)
    }
}

pub fn in_folder(folder: &Path) -> EngineConfig {
    config(DataLocation::Folder(folder.to_owned()))
}

pub fn instance() -> InstanceId {
    InstanceId::new("gp-test").unwrap()
}

pub fn manager() -> ManagerAccess {
    ManagerAccess {
        instance: instance(),
        account: "admin".to_owned(),
        password: Secret::new("manager password"),
    }
}

pub fn access() -> NamespaceAccess {
    NamespaceAccess {
        instance: instance(),
        namespace: NamespaceName::default(),
        password: Secret::new("namespace password"),
    }
}

pub fn collection(name: &str) -> CollectionName {
    CollectionName::new(name).unwrap()
}

pub fn file(name: &str) -> FileName {
    FileName::new(name).unwrap()
}

/// A collection of the smallest image model with these metadata fields.
pub fn new_collection(name: &str, metadata: &str) -> NewCollection {
    NewCollection {
        embedding_model: Some("clip-vit-b-32".to_owned()),
        metadata: metadata.to_owned(),
        ..NewCollection::new(NamespaceName::default(), collection(name))
    }
}

/// An engine with the collection [`PHOTOS`], whose fields are a caption and a page.
pub async fn ready(config: EngineConfig) -> Engine {
    let engine = Engine::open(config, models()).await.unwrap();
    set_up(&engine).await;
    engine
}

/// A vector collection of three dimensions with these metadata fields.
pub fn new_vectors(name: &str, metadata: &str) -> NewVectorCollection {
    NewVectorCollection {
        dimension: Some(3),
        metadata: metadata.to_owned(),
        ..NewVectorCollection::new(NamespaceName::default(), collection(name))
    }
}

pub fn row(id: &str, vector: [f32; 3], fields: Value) -> NewRow {
    NewRow {
        id: Some(id.to_owned()),
        vector: vector.to_vec(),
        metadata: Some(metadata(fields)),
        sparse_vector: None,
    }
}

pub async fn upsert(engine: &Engine, name: &str, rows: Vec<NewRow>) -> Result<(), EngineError> {
    let upsert = UpsertRows {
        collection: collection(name),
        rows,
    };
    engine.upsert_rows(&access(), upsert).await
}

/// The ids of the rows that meet a filter, in the order of their ids.
pub async fn ids_where(engine: &Engine, name: &str, filter: &str) -> Vec<String> {
    let query = QueryRows {
        filter: filter.to_owned(),
        order_by: "id".to_owned(),
        ..QueryRows::new(collection(name), 1000)
    };
    let result = engine.query_rows(&access(), query).await.unwrap();
    result.matches.into_iter().map(|found| found.id).collect()
}

/// What a program does on every start; a collection that is there is left as it is.
pub async fn set_up(engine: &Engine) {
    engine.init_vector_database(&manager()).await.unwrap();
    let password = access().password;
    engine
        .create_namespace(&manager(), &NamespaceName::default(), &password)
        .await
        .unwrap();
    let photos = new_collection(PHOTOS, r#"{"caption":"text","page":"int"}"#);
    match engine.create_document_collection(&manager(), &photos).await {
        Ok(_) | Err(EngineError::AlreadyExists { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

/// Uploads bytes under a key of their own and gives the source for a job.
pub async fn uploaded(engine: &Engine, bytes: &[u8]) -> Source {
    let key = ObjectKey::new(format!("key/{}", uuid::Uuid::new_v4())).unwrap();
    engine
        .put_upload(&key, Bytes::copy_from_slice(bytes))
        .await
        .unwrap();
    Source::Object(key)
}

pub fn upload(name: &str, source: Source) -> SubmitUpload {
    SubmitUpload {
        collection: collection(PHOTOS),
        file_name: file(name),
        source,
        metadata: Map::new(),
        dry_run: false,
        splitting: SplitOptions::default(),
    }
}

/// Submits bytes as a document and returns the job's id.
pub async fn submit(engine: &Engine, name: &str, bytes: &[u8]) -> JobId {
    let source = uploaded(engine, bytes).await;
    engine
        .submit_upload(&access(), &upload(name, source))
        .await
        .unwrap()
}

/// Submits and waits for the end.
pub async fn index(engine: &Engine, name: &str, bytes: &[u8]) -> Job {
    let id = submit(engine, name, bytes).await;
    finished(engine, &id).await
}

/// The same where the test has no use for failure.
pub async fn indexed(engine: &Engine, name: &str, bytes: &[u8]) {
    let job = index(engine, name, bytes).await;
    assert_eq!(job.status, JobStatus::Success, "{name}: {:?}", job.failure);
}

pub async fn job(engine: &Engine, id: &JobId) -> Job {
    engine
        .job(&access(), &collection(PHOTOS), id)
        .await
        .unwrap()
}

/// Waits until a job has ended.
pub async fn finished(engine: &Engine, id: &JobId) -> Job {
    until(engine, id, |job| job.status.is_finished()).await
}

/// Waits until a job is as wanted.
pub async fn until(engine: &Engine, id: &JobId, wanted: impl Fn(&Job) -> bool) -> Job {
    let poll = async {
        loop {
            let job = job(engine, id).await;
            if wanted(&job) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DEADLINE, poll)
        .await
        .expect("the job came to no end")
}

/// The collection of texts that most tests of texts use.
pub const NOTES: &str = "notes";

/// An engine with [`PHOTOS`] and [`NOTES`], whose fields are a topic and a page.
pub async fn ready_for_texts(config: EngineConfig) -> Engine {
    let engine = ready(config).await;
    // A collection of the default model, which is one of texts.
    let notes = NewCollection {
        metadata: r#"{"topic":"text","page":"int"}"#.to_owned(),
        ..NewCollection::new(NamespaceName::default(), collection(NOTES))
    };
    match engine.create_document_collection(&manager(), &notes).await {
        Ok(_) | Err(EngineError::AlreadyExists { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    engine
}

pub fn text_upload(name: &str, source: Source) -> SubmitUpload {
    SubmitUpload {
        collection: collection(NOTES),
        ..upload(name, source)
    }
}

/// Submits bytes as a document of [`NOTES`] and waits for the end.
pub async fn index_text(engine: &Engine, name: &str, bytes: &[u8]) -> Job {
    let source = uploaded(engine, bytes).await;
    submit_text(engine, &text_upload(name, source)).await
}

/// The same of an upload that is made up already.
pub async fn submit_text(engine: &Engine, upload: &SubmitUpload) -> Job {
    let id = engine.submit_upload(&access(), upload).await.unwrap();
    let poll = async {
        loop {
            let job = engine
                .job(&access(), &upload.collection, &id)
                .await
                .unwrap();
            if job.status.is_finished() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DEADLINE, poll)
        .await
        .expect("the job came to no end")
}

/// A query of [`NOTES`].
pub fn note_query(text: &str) -> QueryContent {
    QueryContent {
        text: Some(text.to_owned()),
        ..QueryContent::new(collection(NOTES))
    }
}

/// Every chunk of a document of [`NOTES`], or of all, in order.
pub async fn chunks_of(engine: &Engine, file_name: Option<&str>) -> Vec<ListedChunk> {
    let list = ListChunks {
        collection: collection(NOTES),
        file_name: file_name.map(file),
        filter: String::new(),
        include_vector: true,
        page_number: None,
        page_size: Some(100),
    };
    engine.list_chunks(&access(), &list).await.unwrap().chunks
}

/// Every document of [`PHOTOS`] by name.
pub async fn names(engine: &Engine) -> Vec<String> {
    let page = lookalike_engine::Page::default();
    let listed = engine
        .list_documents(&access(), &collection(PHOTOS), &page)
        .await
        .unwrap();
    listed.file_names.iter().map(ToString::to_string).collect()
}

pub fn text_query(text: &str) -> QueryContent {
    QueryContent {
        text: Some(text.to_owned()),
        ..QueryContent::new(collection(PHOTOS))
    }
}

pub async fn search(engine: &Engine, query: &QueryContent) -> QueryResult {
    engine.query(&access(), query).await.unwrap()
}

pub fn found(result: &QueryResult) -> Vec<&str> {
    result
        .matches
        .iter()
        .map(|found| found.file_name.as_ref().unwrap().as_str())
        .collect()
}

/// The field that an error names.
pub fn invalid_field<T: std::fmt::Debug>(outcome: Result<T, EngineError>) -> &'static str {
    match outcome {
        Err(EngineError::Invalid { field, .. }) => field,
        other => panic!("not refused as invalid: {other:?}"),
    }
}

/// Holds jobs at a stage until told to let them go.
pub struct Barrier {
    gate: Arc<(Mutex<bool>, Condvar)>,
    pub observer: StageObserver,
}

impl Barrier {
    /// Every job waits at `stage` until [`Barrier::open`].
    pub fn at(stage: Stage) -> Self {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let held = Arc::clone(&gate);
        let observer: StageObserver = Arc::new(move |_, reached| {
            if reached == stage {
                // The other tasks of this thread go on elsewhere meanwhile.
                tokio::task::block_in_place(|| wait(&held));
            }
        });
        Self { gate, observer }
    }

    pub fn open(&self) {
        let (open, opened) = &*self.gate;
        *open.lock().unwrap() = true;
        opened.notify_all();
    }
}

fn wait(gate: &(Mutex<bool>, Condvar)) {
    let (open, opened) = gate;
    let open = open.lock().unwrap();
    let (open, timeout) = opened
        .wait_timeout_while(open, DEADLINE, |open| !*open)
        .unwrap();
    drop(open);
    assert!(!timeout.timed_out(), "nobody opened the barrier");
}

impl Drop for Barrier {
    fn drop(&mut self) {
        self.open();
    }
}

pub fn metadata(json: Value) -> Map<String, Value> {
    let Value::Object(map) = json else {
        panic!("not an object: {json}")
    };
    map
}
