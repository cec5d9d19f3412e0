//! `latency`: how long text queries take while nothing else happens, and while photos are being uploaded.
//!
//! One client asks through the engine, each time another text, so that no cache answers, and at a steady pace. The upload is an
//! archive of photos, submitted again until there are enough queries.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::house::{self, House, ModelArguments};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Folder with JPEGs
    #[arg(long)]
    photos: PathBuf,
    /// Photos of the upload; the folder's are repeated
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// Queries of each kind, at least
    #[arg(long, default_value_t = 500)]
    queries: usize,
    /// Between the starts of two queries
    #[arg(long, default_value_t = 25)]
    every_ms: u64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    house::within(async |folder| measure(arguments, folder).await)
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
async fn measure(arguments: &Arguments, folder: &Path) -> Result<()> {
    let house = House::open(&arguments.model, folder).await?;
    let archive = house::tar(&house::photos(&arguments.photos)?, arguments.count)?;
    let mut client = Client {
        house: &house,
        every: Duration::from_millis(arguments.every_ms),
        asked: 0,
    };
    // Something to find, and everything warm.
    let job = house.submit("first.tar", archive.clone()).await?;
    house.done(&job).await?;
    for _ in 0..20 {
        client.ask().await?;
    }

    let mut idle = Vec::new();
    while idle.len() < arguments.queries {
        idle.push(client.ask().await?);
    }
    let mut busy = Vec::new();
    let mut uploads = 0;
    while busy.len() < arguments.queries {
        uploads += 1;
        let job = house
            .submit(&format!("{uploads}.tar"), archive.clone())
            .await?;
        while !house.is_done(&job).await? {
            busy.push(client.ask().await?);
        }
    }
    let (idle, busy) = (Percentiles::of(idle), Percentiles::of(busy));
    let line = json!({
        "peer": "lookalike",
        "measurement": "text queries beside an upload",
        "model": house.model.label(),
        "precision": house.model.encoder().precision.name(),
        "photos": arguments.count,
        "uploads": uploads,
        "idle": idle.line(),
        "during_upload": busy.line(),
        "p99_ratio": (busy.p99 / idle.p99 * 100.0).round() / 100.0,
    });
    println!("{line}");
    house.engine.shutdown().await;
    Ok(())
}

struct Client<'a> {
    house: &'a House,
    every: Duration,
    asked: u64,
}

impl Client<'_> {
    /// Asks, and waits until the next query is due.
    async fn ask(&mut self) -> Result<Duration> {
        self.asked += 1;
        let text = format!("a photo of a red car number {}", self.asked);
        let start = Instant::now();
        self.house.search(&text).await?;
        let took = start.elapsed();
        tokio::time::sleep(self.every.saturating_sub(took)).await;
        Ok(took)
    }
}

struct Percentiles {
    count: usize,
    p50: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len() - 1);
            times[place].as_secs_f64() * 1e3
        };
        Self {
            count: times.len(),
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }

    fn line(&self) -> serde_json::Value {
        let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
        json!({
            "queries": self.count,
            "p50_ms": rounded(self.p50),
            "p99_ms": rounded(self.p99),
            "max_ms": rounded(self.max),
        })
    }
}
