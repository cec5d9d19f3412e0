//! What the demo does once a server runs: the life of an image search, by the API.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lookalike_wire::Secret;
use lookalike_wire::dto::{
    CreateDocumentCollectionRequest, CreateNamespaceRequest, GetUploadDocumentJobRequest,
    InitVectorDatabaseRequest, Match, QueryContentRequest, UploadDocumentAsyncRequest,
};

use super::photos::Photos;
use crate::cli::table::Table;
use crate::client::Client;

const INSTANCE: &str = "gp-demo";
const NAMESPACE: &str = "demo";
const COLLECTION: &str = "photos";
const REGION: &str = "cn-hangzhou";
const PASSWORD: &str = "demo";
/// Words that the example photos have something to show for.
const TEXTS: [&str; 6] = [
    "dog",
    "bird",
    "flower",
    "fruit in a shop",
    "a cup of coffee",
    "rocket",
];
/// Part of the name of the photo that is searched with.
const EXAMPLE: &str = "dog";
const TOP_K: i64 = 3;
const POLL: Duration = Duration::from_millis(40);

/// A client on its way through the API.
pub struct Tour<'a> {
    client: Client,
    model: &'a str,
}

impl<'a> Tour<'a> {
    pub fn new(client: Client, model: &'a str) -> Self {
        Self { client, model }
    }

    /// Sets up, uploads, searches, prints.
    pub async fn walk(&self, photos: &Photos) -> anyhow::Result<()> {
        self.set_up().await?;
        let started = Instant::now();
        self.load(photos).await?;
        writeln!(
            io::stdout(),
            "{} photos indexed in {:.1} s.\n",
            photos.len(),
            started.elapsed().as_secs_f64()
        )?;
        self.search(photos).await
    }

    async fn set_up(&self) -> anyhow::Result<()> {
        let manager = || ("manager".to_owned(), Secret::from(PASSWORD));
        let (manager_account, manager_account_password) = manager();
        let init = InitVectorDatabaseRequest {
            db_instance_id: Some(INSTANCE.to_owned()),
            manager_account,
            manager_account_password,
            region_id: REGION.to_owned(),
            ..InitVectorDatabaseRequest::default()
        };
        self.client.call(&init).await?;
        let (manager_account, manager_account_password) = manager();
        let namespace = CreateNamespaceRequest {
            db_instance_id: Some(INSTANCE.to_owned()),
            manager_account,
            manager_account_password,
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            region_id: REGION.to_owned(),
            ..CreateNamespaceRequest::default()
        };
        self.client.call(&namespace).await?;
        let (manager_account, manager_account_password) = manager();
        let collection = CreateDocumentCollectionRequest {
            db_instance_id: INSTANCE.to_owned(),
            manager_account,
            manager_account_password,
            namespace: Some(NAMESPACE.to_owned()),
            collection: COLLECTION.to_owned(),
            embedding_model: Some(self.model.to_owned()),
            metadata: Some(r#"{"album":"text"}"#.to_owned()),
            region_id: REGION.to_owned(),
            ..CreateDocumentCollectionRequest::default()
        };
        self.client.call(&collection).await?;
        Ok(())
    }

    async fn load(&self, photos: &Photos) -> anyhow::Result<()> {
        let bar = progress_bar();
        bar.set_message("packing and uploading");
        let file_url = self.client.upload(&photos.archive()?).await?;
        let upload = UploadDocumentAsyncRequest {
            db_instance_id: INSTANCE.to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            collection: COLLECTION.to_owned(),
            file_name: "photos.zip".to_owned(),
            file_url,
            region_id: REGION.to_owned(),
            ..UploadDocumentAsyncRequest::default()
        };
        let job_id = self.client.call(&upload).await?.job_id;
        bar.set_message("indexing");
        let poll = GetUploadDocumentJobRequest {
            db_instance_id: INSTANCE.to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            collection: COLLECTION.to_owned(),
            job_id,
            region_id: REGION.to_owned(),
            ..GetUploadDocumentJobRequest::default()
        };
        loop {
            let job = self.client.call(&poll).await?.job;
            bar.set_position(u64::try_from(job.progress).unwrap_or_default());
            if job.completed {
                bar.finish_and_clear();
                if job.status != "Success" {
                    bail!(
                        "the upload ended as {}: {}",
                        job.status,
                        job.error.unwrap_or_default()
                    );
                }
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn search(&self, photos: &Photos) -> anyhow::Result<()> {
        let mut table = Table::new(["query", "1st", "2nd", "3rd"]);
        let mut opened = None;
        for text in TEXTS {
            let query = QueryContentRequest {
                content: Some(text.to_owned()),
                ..query()
            };
            let found = self.client.call(&query).await?.matches.match_list;
            opened = opened.or_else(|| found.first().and_then(|found| found.file_url.clone()));
            table.row(row(format!("“{text}”"), &found));
        }
        let (name, bytes) = photos.example(EXAMPLE);
        let file_url = self.client.upload(bytes).await?;
        let query = QueryContentRequest {
            file_url: Some(file_url),
            file_name: Some(name.to_owned()),
            ..query()
        };
        let found = self.client.call(&query).await?.matches.match_list;
        table.row(row(format!("the photo {name}"), &found));
        write!(io::stdout(), "{table}")?;
        if let Some(url) = opened {
            let size = self.client.open(&url).await?.len();
            writeln!(
                io::stdout(),
                "\nEvery match has a link that opens without a signature ({size} bytes here):\n  {url}"
            )?;
        }
        Ok(())
    }
}

fn query() -> QueryContentRequest {
    QueryContentRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        top_k: Some(TOP_K),
        region_id: REGION.to_owned(),
        ..QueryContentRequest::default()
    }
}

fn row(query: String, found: &[Match]) -> [String; 4] {
    let cell = |at: usize| {
        found
            .get(at)
            .map(|found| format!("{:.3} {}", found.score, found.file_name))
            .unwrap_or_default()
    };
    [query, cell(0), cell(1), cell(2)]
}

/// A bar on a terminal, nothing in a log.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(100);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(
        "{spinner:.cyan} {msg} {bar:40.cyan/black.bright} {percent} %",
    )
    .expect("the template is well-formed");
    bar.set_style(style.progress_chars("━╸─"));
    bar.enable_steady_tick(Duration::from_millis(80));
    bar
}
