//! A server in this process, on a port of its own, in memory unless a test says otherwise.

use std::path::PathBuf;

use lookalike::client::Client;
use lookalike::config::Settings;
use lookalike::server::Server;
use lookalike_wire::Secret;
use lookalike_wire::dto::{
    CreateDocumentCollectionRequest, CreateNamespaceRequest, GetUploadDocumentJobRequest,
    InitVectorDatabaseRequest, QueryContentRequest, QueryContentResponse,
    UploadDocumentAsyncRequest, UploadJob,
};

use crate::wire::{KEY_ID, KEY_SECRET};

pub const INSTANCE: &str = "gp-test";
pub const NAMESPACE: &str = "album";
pub const COLLECTION: &str = "photos";
pub const PASSWORD: &str = "n4mespace";
pub const REGION: &str = "cn-hangzhou";

/// A running server and a client of it.
pub struct Running {
    server: Server,
    pub endpoint: String,
    pub client: Client,
}

/// Starts in memory with the key of the tests.
pub async fn start() -> Running {
    start_with(&[]).await
}

/// Starts with more flags.
pub async fn start_with(flags: &[&str]) -> Running {
    let key = format!("{KEY_ID}:{KEY_SECRET}");
    let mut all = vec![
        "--listen",
        "127.0.0.1:0",
        "--access-key",
        &key,
        "--threads",
        "1",
    ];
    if !flags.contains(&"--data") {
        all.extend(["--data", ":memory:"]);
    }
    all.extend(flags);
    let settings = Settings::from_flags(all).unwrap();
    let server = Server::start(&settings).await.unwrap();
    let endpoint = server.address().to_string();
    let client = Client::new(endpoint.clone(), KEY_ID, KEY_SECRET).unwrap();
    Running {
        server,
        endpoint,
        client,
    }
}

impl Running {
    pub fn ca_pem(&self) -> &str {
        &self.server.app().certificate_pem
    }

    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// Instance, namespace and an empty image collection with a `caption` column.
    pub async fn set_up(&self) {
        set_up(&self.client).await;
    }

    /// Uploads one file and waits for the end of its job.
    pub async fn index(&self, file_name: &str, bytes: &[u8]) -> UploadJob {
        let file_url = self.client.upload(bytes).await.unwrap();
        let job_id = self
            .client
            .call(&upload(file_name, &file_url))
            .await
            .unwrap()
            .job_id;
        finished_job(&self.client, &job_id).await
    }

    /// The matches of a text.
    pub async fn search(&self, text: &str, top_k: i64) -> QueryContentResponse {
        self.client
            .call(&QueryContentRequest {
                content: Some(text.to_owned()),
                top_k: Some(top_k),
                ..query()
            })
            .await
            .unwrap()
    }
}

pub async fn set_up(client: &Client) {
    client
        .call(&InitVectorDatabaseRequest {
            db_instance_id: Some(INSTANCE.to_owned()),
            manager_account: "manager".to_owned(),
            manager_account_password: Secret::from("m4nager"),
            region_id: REGION.to_owned(),
            ..InitVectorDatabaseRequest::default()
        })
        .await
        .unwrap();
    client
        .call(&CreateNamespaceRequest {
            db_instance_id: Some(INSTANCE.to_owned()),
            manager_account: "manager".to_owned(),
            manager_account_password: Secret::from("m4nager"),
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            region_id: REGION.to_owned(),
            ..CreateNamespaceRequest::default()
        })
        .await
        .unwrap();
    client.call(&new_collection()).await.unwrap();
}

pub fn new_collection() -> CreateDocumentCollectionRequest {
    CreateDocumentCollectionRequest {
        db_instance_id: INSTANCE.to_owned(),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("m4nager"),
        namespace: Some(NAMESPACE.to_owned()),
        collection: COLLECTION.to_owned(),
        embedding_model: Some("clip-vit-b-32".to_owned()),
        metadata: Some(r#"{"caption":"text","year":"int"}"#.to_owned()),
        region_id: REGION.to_owned(),
        ..CreateDocumentCollectionRequest::default()
    }
}

pub fn upload(file_name: &str, file_url: &str) -> UploadDocumentAsyncRequest {
    UploadDocumentAsyncRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        file_name: file_name.to_owned(),
        file_url: file_url.to_owned(),
        region_id: REGION.to_owned(),
        ..UploadDocumentAsyncRequest::default()
    }
}

pub fn query() -> QueryContentRequest {
    QueryContentRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        region_id: REGION.to_owned(),
        ..QueryContentRequest::default()
    }
}

/// Polls until the job has ended.
pub async fn finished_job(client: &Client, job_id: &str) -> UploadJob {
    let poll = GetUploadDocumentJobRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        job_id: job_id.to_owned(),
        region_id: REGION.to_owned(),
        ..GetUploadDocumentJobRequest::default()
    };
    loop {
        let job = client.call(&poll).await.unwrap().job;
        if job.completed {
            return job;
        }
        assert_eq!(
            job.error, None,
            "an error before the end stops the vendor's poller"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Where the example photos are.
pub fn photos() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/photos"
    ))
}

pub fn photo(name: &str) -> Vec<u8> {
    fs_err::read(photos().join(name)).unwrap()
}
