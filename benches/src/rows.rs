//! Rows through the wire: what a file of them takes to be stored, and where the time of a query goes.
//!
//! Starts the release server with its log as JSON, fills a vector collection by
//! `UpsertCollectionDataAsync`, waits until the graph holds them, and queries as the
//! SDKs do: signed, everything in the query string. The split of a query's time is
//! the server's own, out of its request log; what it does not name (passwords,
//! names, waiting) is in `rest`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lookalike::client::Client;
use lookalike_wire::Secret;
use lookalike_wire::dto::{
    CreateCollectionRequest, CreateNamespaceRequest, GetUpsertCollectionDataJobRequest, Json,
    QueryCollectionDataRequest, UpsertCollectionDataAsyncRequest,
};
use serde_json::{Value, json};

use crate::server::Server;

#[derive(clap::Args)]
pub struct Arguments {
    /// The program to start
    #[arg(long, default_value = "target/release/lookalike")]
    binary: PathBuf,
    /// Where the server keeps its data; a folder is emptied first
    #[arg(long, default_value = "target/bench-rows")]
    data: PathBuf,
    /// Rows to store
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// Elements of a vector
    #[arg(long, default_value_t = 512)]
    dimension: usize,
    /// Queries of each kind
    #[arg(long, default_value_t = 500)]
    queries: usize,
    /// A program that sends more queries: it gets the server's address, and a query's vector a line on its input
    #[arg(long)]
    client: Option<PathBuf>,
}

const NAMESPACE: &str = "bench";
const PASSWORD: &str = "Bench-2026";
const REGION: &str = "cn-hangzhou";
const COLLECTION: &str = "rows";
const KEY: &str = "lookalike";

/// What half a second of a server costs that has nothing to do, at most: hundredths of seconds.
const IDLE_TICKS: u64 = 3;

/// A file of rows stays below what the service takes.
const MAX_FILE_BYTES: usize = 190_000_000;

/// What makes a query one of a kind.
type Change = fn(&mut QueryCollectionDataRequest);

/// The parts that the request log names.
const PARTS: [&str; 6] = [
    "verify_us",
    "decode_us",
    "filter_us",
    "search_us",
    "fetch_us",
    "encode_us",
];

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.data.exists() {
        fs_err::remove_dir_all(&arguments.data)?;
    }
    let mut logged = Logged::start(arguments)?;
    let client = Client::new(logged.server.address.as_str(), KEY, KEY)?;
    create(&client, arguments.dimension).await?;
    let mut random = Random::new(arguments.dimension);
    ingest(&client, arguments, &mut random).await?;

    // The graph takes rows in behind their job's back.
    let stored = Instant::now();
    loop {
        let before = logged.server.cpu_ticks()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let idle = logged.server.cpu_ticks()? - before <= IDLE_TICKS;
        if idle || stored.elapsed() > Duration::from_mins(2) {
            print(
                &json!({ "measure": "rows_until_idle", "s": stored.elapsed().as_secs_f64(), "idle": idle }),
            );
            break;
        }
    }
    let kinds: [(&str, Change); 4] = [
        ("plain", |_| ()),
        ("values", |query| {
            query.include_values = Some(true);
        }),
        ("filtered", |query| {
            query.filter = Some("page < 10000".to_owned());
        }),
        ("filtered anew", |query| {
            // No two texts are equal, so that no answer of before is used again.
            let bound = query.vector.as_ref().map_or(0.0, |vector| vector.0[0]);
            query.filter = Some(format!("page < {}", 10_000.0 + bound));
        }),
    ];
    for (kind, change) in kinds {
        let mut lines = Vec::new();
        let mut seen_us = Vec::new();
        for _ in 0..arguments.queries {
            let mut request = query(&random.vector());
            change(&mut request);
            let sent = Instant::now();
            ask(&client, request).await?;
            seen_us.push(sent.elapsed().as_secs_f64() * 1e6);
            lines.push(logged.next_query()?);
        }
        report(kind, &lines, &mut seen_us);
    }
    if let Some(program) = &arguments.client {
        let mut lines = Vec::new();
        let mut input = String::new();
        for _ in 0..arguments.queries {
            input.push_str(&serde_json::to_string(&random.vector())?);
            input.push('\n');
        }
        let file = arguments.data.with_extension("queries.jsonl");
        fs_err::write(&file, input)?;
        let status = Command::new(program)
            .arg(&logged.server.address)
            .stdin(fs_err::File::open(&file)?.into_parts().0)
            .status()?;
        ensure!(status.success(), "{} failed", program.display());
        for _ in 0..arguments.queries {
            lines.push(logged.next_query()?);
        }
        report("by the other client", &lines, &mut [0.0]);
        fs_err::remove_file(&file)?;
    }
    Ok(())
}

async fn create(client: &Client, dimension: usize) -> anyhow::Result<()> {
    client
        .call(&CreateNamespaceRequest {
            db_instance_id: Some("gp-bench".to_owned()),
            manager_account: "bench".to_owned(),
            manager_account_password: Secret::from(PASSWORD),
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            region_id: REGION.to_owned(),
            ..Default::default()
        })
        .await?;
    client
        .call(&CreateCollectionRequest {
            collection: COLLECTION.to_owned(),
            db_instance_id: Some("gp-bench".to_owned()),
            dimension: Some(i64::try_from(dimension)?),
            manager_account: "bench".to_owned(),
            manager_account_password: Secret::from(PASSWORD),
            metadata: r#"{"title":"text","page":"int"}"#.to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            region_id: REGION.to_owned(),
            ..Default::default()
        })
        .await?;
    Ok(())
}

/// Stores all rows, file by file; the time is from each submission to its success.
async fn ingest(client: &Client, arguments: &Arguments, random: &mut Random) -> anyhow::Result<()> {
    let mut stored_s = 0.0;
    let (mut row, mut files, mut bytes) = (0, 0, 0);
    while row < arguments.rows {
        let mut file = Vec::new();
        while row < arguments.rows && file.len() < MAX_FILE_BYTES {
            let line = json!({
                "Id": format!("row-{row}"), "Vector": random.vector(),
                "Metadata": { "title": format!("the title of row {row}"), "page": row },
            });
            serde_json::to_writer(&mut file, &line)?;
            file.push(b'\n');
            row += 1;
        }
        let url = client.upload(&file).await?;
        let started = Instant::now();
        let job_id = client
            .call(&UpsertCollectionDataAsyncRequest {
                collection: COLLECTION.to_owned(),
                db_instance_id: Some("gp-bench".to_owned()),
                file_url: url,
                namespace: Some(NAMESPACE.to_owned()),
                namespace_password: Secret::from(PASSWORD),
                region_id: REGION.to_owned(),
                ..Default::default()
            })
            .await?
            .job_id;
        loop {
            let job = client
                .call(&GetUpsertCollectionDataJobRequest {
                    collection: COLLECTION.to_owned(),
                    db_instance_id: Some("gp-bench".to_owned()),
                    job_id: job_id.clone(),
                    namespace: Some(NAMESPACE.to_owned()),
                    namespace_password: Secret::from(PASSWORD),
                    region_id: REGION.to_owned(),
                    ..Default::default()
                })
                .await?
                .job;
            if job.completed {
                ensure!(job.status == "Success", "{:?}", job.error);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stored_s += started.elapsed().as_secs_f64();
        files += 1;
        bytes += file.len();
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate of so many rows")]
    let rate = arguments.rows as f64 / stored_s;
    print(&json!({
        "measure": "rows_by_file", "rows": arguments.rows, "dimension": arguments.dimension,
        "files": files, "bytes": bytes, "s": stored_s, "rows_per_s": rate,
    }));
    Ok(())
}

fn query(vector: &[f32]) -> QueryCollectionDataRequest {
    QueryCollectionDataRequest {
        collection: COLLECTION.to_owned(),
        db_instance_id: Some("gp-bench".to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        top_k: 10,
        vector: Some(Json(vector.to_vec())),
        ..Default::default()
    }
}

async fn ask(client: &Client, request: QueryCollectionDataRequest) -> anyhow::Result<()> {
    let answer = client.call(&request).await?;
    ensure!(answer.matches.list.len() == 10, "a query found too little");
    Ok(())
}

fn report(kind: &str, lines: &[Value], seen_us: &mut [f64]) {
    let median = |values: &mut [f64], part: usize| {
        values.sort_by(f64::total_cmp);
        values[(values.len() - 1) * part / 100]
    };
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let column = |name: &str| {
        lines
            .iter()
            .map(|line| number(&line["span"][name]))
            .collect::<Vec<_>>()
    };
    let mut server: Vec<f64> = lines
        .iter()
        .map(|line| number(&line["elapsed_us"]))
        .collect();
    let mut beyond: Vec<f64> = server
        .iter()
        .zip(column("search_us"))
        .map(|(all, search)| all - search)
        .collect();
    let mut rest = server.clone();
    let mut split = serde_json::Map::new();
    for part in PARTS {
        let mut values = column(part);
        for (rest, value) in rest.iter_mut().zip(&values) {
            *rest -= value;
        }
        split.insert(part.to_owned(), median(&mut values, 50).into());
    }
    split.insert("rest_us".to_owned(), median(&mut rest, 50).into());
    print(&json!({
        "measure": "query_rows", "kind": kind, "queries": lines.len(),
        "plan": lines[0]["span"]["plan"], "median_us": split,
        "server_us": { "median": median(&mut server, 50), "p99": median(&mut server, 99) },
        "beyond_search_us": { "median": median(&mut beyond, 50), "p99": median(&mut beyond, 99) },
        "seen_by_client_us": median(seen_us, 50),
    }));
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn print(line: &Value) {
    println!("{line}");
}

/// Vectors of unit length near a plane of few dimensions, as those of encoders are: a graph over
/// random ones in all directions would be of no use.
struct Random {
    state: u64,
    axes: Vec<Vec<f32>>,
}

impl Random {
    const AXES: usize = 24;

    fn new(dimension: usize) -> Self {
        let mut random = Self {
            state: 0x9e37_79b9_7f4a_7c15,
            axes: Vec::new(),
        };
        random.axes = (0..Self::AXES)
            .map(|_| (0..dimension).map(|_| random.number()).collect())
            .collect();
        random
    }

    /// Roughly normal: a sum of eight even ones.
    fn number(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let bytes = self.state.to_le_bytes();
        bytes
            .iter()
            .map(|byte| f32::from(*byte) / 127.5 - 1.0)
            .sum()
    }

    fn vector(&mut self) -> Vec<f32> {
        let dimension = self.axes[0].len();
        let mut vector: Vec<f32> = (0..dimension).map(|_| 0.3 * self.number()).collect();
        for axis in 0..Self::AXES {
            let weight = self.number();
            for (sum, along) in vector.iter_mut().zip(&self.axes[axis]) {
                *sum += weight * along;
            }
        }
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        for value in &mut vector {
            *value /= norm;
        }
        vector
    }
}

/// A server whose request log is read.
struct Logged {
    server: Server,
    log: Receiver<Value>,
}

impl Logged {
    fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut command = Command::new(&arguments.binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--log-format", "json", "--data"])
            .arg(&arguments.data)
            .stderr(Stdio::piped());
        let mut server = Server::start(&mut command)?;
        let errors = server.take_log().context("the server has no log")?;
        let (sender, log) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(errors).lines().map_while(Result::ok);
            for line in lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok()) {
                // Nobody listens any more once the measurement has ended.
                drop(sender.send(line));
            }
        });
        Ok(Self { server, log })
    }

    /// The next line of the request log about a query.
    fn next_query(&mut self) -> anyhow::Result<Value> {
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(10))?;
            if line["action"] == "QueryCollectionData" {
                ensure!(line["status"] == 200, "a query was answered with {line}");
                return Ok(line);
            }
        }
    }
}
