//! `ann`: recall and cost of searches, as a JSON line for each setting, beside
//! other libraries that print the same.
//!
//! Reads a folder of little-endian files: `meta.json` (`n`, `dim`), `base.f32`,
//! and for each set of queries `q_SET.f32` and `gt_SET.i32` (the exact nearest,
//! 100 a query, by inner product of unit vectors); for filters `attr_NAME.f32`,
//! where a share of the smallest values is kept. Times are CPU time of the
//! process, the least of interleaved rounds: other work on the machine does not
//! count, and noise only adds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lookalike_index::{Bitmap, Change, Effort, Metric, Options, Precision, Query, VectorIndex};
use serde_json::json;

#[cfg(feature = "baseline")]
mod baseline;
mod files;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder with `base.f32`, `meta.json`, `q_SET.f32`, `gt_SET.i32` and `attr_NAME.f32`
    folder: PathBuf,
    /// Sets of queries, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [String::from("img"), String::from("txt")])]
    set: Vec<String>,
    /// Filter attributes, separated by commas: measures filtered searches instead
    #[arg(long, value_delimiter = ',')]
    filter: Vec<String>,
    /// Shares of the vectors that the filters keep, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [0.5, 0.1, 0.01, 0.001])]
    keep: Vec<f32>,
    /// Codes to measure, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [String::from("int8"), String::from("bf16"), String::from("f32")])]
    precision: Vec<String>,
    /// Measures `hnsw_rs` too, with its own distance; for builds with the feature `baseline`
    #[arg(long)]
    baseline: bool,
    /// Pool sizes to measure, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [10, 20, 40, 80, 160, 320])]
    ef: Vec<usize>,
    /// Threads that build
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value_t = 16)]
    m: usize,
    #[arg(long, default_value_t = 200)]
    ef_construction: usize,
    /// Hits of a query
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Queries of each set, at most
    #[arg(long, default_value_t = 500)]
    queries: usize,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measures snapshots and reloading instead, in this folder, with the first of the precisions
    #[arg(long)]
    files: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let data = Data::read(&arguments.folder)?;
    if let Some(folder) = &arguments.files {
        let precision = arguments.precision.first().context("a precision")?;
        let options = data.options(precision, arguments)?;
        return files::measure(&data.name, &data.base, &options, folder);
    }
    let build = |precision: &String| data.build(precision, arguments);
    let mut built = arguments
        .precision
        .iter()
        .map(build)
        .collect::<Result<Vec<_>>>()?;
    if arguments.baseline {
        built.push(data.build_baseline(arguments)?);
    }
    let planned = (Effort::Planned, "planner".to_owned());
    for set in &arguments.set {
        let queries: Vec<f32> = read(&arguments.folder.join(format!("q_{set}.f32")))?;
        let queries: Vec<&[f32]> = queries.chunks_exact(data.dimension).collect();
        if arguments.filter.is_empty() {
            let truth: Vec<i32> = read(&arguments.folder.join(format!("gt_{set}.i32")))?;
            let ids = |ids: &[i32]| {
                ids[..arguments.k]
                    .iter()
                    .map(|id| u64::from(id.unsigned_abs()))
                    .collect()
            };
            let mut efforts: Vec<_> = arguments
                .ef
                .iter()
                .map(|ef| (Effort::Graph { ef: *ef }, ef.to_string()))
                .collect();
            efforts.extend([planned.clone(), (Effort::Exact, "exact".to_owned())]);
            let task = Task {
                queries: &queries[..queries.len().min(arguments.queries)],
                truth: truth.chunks_exact(100).map(ids).collect(),
                allowed: None,
                labels: json!({ "queries": set }),
            };
            task.measure(&data, &built, &efforts, arguments)?;
            continue;
        }
        for filter in &arguments.filter {
            let attribute: Vec<f32> = read(&arguments.folder.join(format!("attr_{filter}.f32")))?;
            for keep in &arguments.keep {
                let kept = (0..).zip(&attribute).filter(|(_, value)| *value < keep);
                let allowed: Bitmap = kept.map(|(key, _)| key).collect();
                let queries = &queries[..queries.len().min(FILTERED_QUERIES)];
                let exact = |vector: &&[f32]| {
                    // Another metric than the index's: a scan of the vectors, the same order.
                    let query = Query {
                        vector,
                        k: arguments.k,
                        metric: Metric::InnerProduct,
                        allowed: Some(&allowed),
                    };
                    let (mut keys, _) = built[0].index.find(&query, Effort::Exact)?;
                    keys.truncate(arguments.k);
                    Ok(keys)
                };
                let task = Task {
                    queries,
                    truth: queries.iter().map(exact).collect::<Result<Vec<_>>>()?,
                    allowed: Some(&allowed),
                    labels: json!({ "queries": set, "filter": filter, "selectivity": keep, "matches": allowed.len() }),
                };
                task.measure(&data, &built, std::slice::from_ref(&planned), arguments)?;
            }
        }
    }
    Ok(())
}

/// Queries of a filtered measurement.
const FILTERED_QUERIES: usize = 200;

/// The vectors.
struct Data {
    name: String,
    dimension: usize,
    base: Vec<f32>,
}

/// An index and the CPU time of making it.
struct Built {
    peer: String,
    index: Box<dyn Searched>,
    build: Duration,
}

/// What is measured: ours, and the baseline.
trait Searched {
    /// The keys of the best, best first, and how they were found.
    fn find(&self, query: &Query<'_>, effort: Effort) -> Result<(Vec<u64>, &'static str)>;

    /// Whether `effort` means anything to it.
    fn knows(&self, effort: Effort) -> bool;

    /// Bytes of all, and of all but the vectors.
    fn bytes(&self) -> (usize, usize);
}

impl Searched for VectorIndex {
    fn find(&self, query: &Query<'_>, effort: Effort) -> Result<(Vec<u64>, &'static str)> {
        let answer = self.answer(query, effort)?;
        let keys = answer.hits.iter().map(|hit| hit.key).collect();
        Ok((keys, answer.plan.name()))
    }

    fn knows(&self, _: Effort) -> bool {
        true
    }

    fn bytes(&self) -> (usize, usize) {
        let stats = self.stats();
        (stats.hot_bytes + stats.vector_bytes, stats.hot_bytes)
    }
}

impl Data {
    fn read(folder: &Path) -> Result<Self> {
        let meta: serde_json::Value =
            serde_json::from_slice(&fs_err::read(folder.join("meta.json"))?)?;
        let dimension = meta["dim"].as_u64().context("meta.json has no dim")?;
        let name = folder.file_name().context("a folder with a name")?;
        let data = Self {
            name: name.to_string_lossy().into_owned(),
            dimension: usize::try_from(dimension)?,
            base: read(&folder.join("base.f32"))?,
        };
        ensure!(
            data.dimension > 0 && !data.base.is_empty(),
            "no vectors in {}",
            data.name
        );
        Ok(data)
    }

    fn options(&self, precision: &str, arguments: &Arguments) -> Result<Options> {
        let precision = match precision {
            "int8" => Precision::Int8,
            "bf16" => Precision::Bf16,
            "f32" => Precision::F32,
            other => anyhow::bail!("unknown precision {other}: expected int8, bf16 or f32"),
        };
        Ok(Options {
            precision,
            m: arguments.m,
            ef_construction: arguments.ef_construction,
            fold_threads: arguments.threads,
            fold_in_background: false,
            ..Options::new(self.dimension, Metric::Cosine)
        })
    }

    fn build(&self, precision: &str, arguments: &Arguments) -> Result<Built> {
        let index = VectorIndex::with_options(self.options(precision, arguments)?)?;
        let start = cpu_time();
        insert(&index, 0, self.base.chunks_exact(self.dimension))?;
        index.fold_blocking();
        let build = cpu_time_since(start);
        eprintln!(
            "built {precision} in {build:.1?} of CPU time: {:?}",
            index.stats()
        );
        Ok(Built {
            peer: format!("lookalike-{precision}"),
            index: Box::new(index),
            build,
        })
    }

    #[cfg(feature = "baseline")]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "builds without the baseline fail here"
    )]
    fn build_baseline(&self, arguments: &Arguments) -> Result<Built> {
        let start = cpu_time();
        let index = baseline::HnswRs::build(
            &self.base,
            self.dimension,
            arguments.m,
            arguments.ef_construction,
        );
        Ok(Built {
            peer: "hnsw_rs".to_owned(),
            index: Box::new(index),
            build: cpu_time_since(start),
        })
    }

    #[cfg(not(feature = "baseline"))]
    #[expect(clippy::unused_self, reason = "the same call in every build")]
    fn build_baseline(&self, _: &Arguments) -> Result<Built> {
        anyhow::bail!("--baseline needs a build with --features baseline")
    }
}

/// Puts vectors into an index, under keys from `first_key` on.
pub fn insert<'a>(
    index: &VectorIndex,
    first_key: u64,
    vectors: impl Iterator<Item = &'a [f32]>,
) -> Result<()> {
    let changes: Vec<Change<'_>> = (first_key..)
        .zip(vectors)
        .map(|(key, vector)| Change::Insert { key, vector })
        .collect();
    Ok(index.apply(&changes)?)
}

/// Queries with their true answers.
struct Task<'a> {
    queries: &'a [&'a [f32]],
    truth: Vec<Vec<u64>>,
    allowed: Option<&'a Bitmap>,
    labels: serde_json::Value,
}

/// What a setting cost and found.
struct Figure<'a> {
    built: &'a Built,
    effort: &'a (Effort, String),
    fastest: Duration,
    /// Of each query, the fastest round.
    each: Vec<Duration>,
    recall: f64,
    plan: &'static str,
}

impl Task<'_> {
    /// Measures each index with each effort, in turns, and prints a line for each.
    fn measure(
        &self,
        data: &Data,
        built: &[Built],
        efforts: &[(Effort, String)],
        arguments: &Arguments,
    ) -> Result<()> {
        let settings = built
            .iter()
            .flat_map(|built| efforts.iter().map(move |effort| (built, effort)))
            .filter(|(built, effort)| built.index.knows(effort.0));
        let mut figures: Vec<Figure<'_>> = settings
            .map(|(built, effort)| Figure {
                built,
                effort,
                fastest: Duration::MAX,
                each: vec![Duration::MAX; self.queries.len()],
                recall: 0.0,
                plan: "",
            })
            .collect();
        for _ in 0..arguments.rounds {
            for figure in &mut figures {
                self.round(figure, arguments.k)?;
            }
        }
        for figure in &figures {
            self.print(data, figure, arguments);
        }
        Ok(())
    }

    fn round(&self, figure: &mut Figure<'_>, k: usize) -> Result<()> {
        let mut found = 0;
        let mut wanted = 0;
        let mut elapsed = Duration::ZERO;
        let asked = self.queries.iter().zip(&self.truth).zip(&mut figure.each);
        for ((vector, truth), fastest) in asked {
            let query = Query {
                vector,
                k,
                metric: Metric::Cosine,
                allowed: self.allowed,
            };
            let start = cpu_time();
            let (keys, plan) = figure.built.index.find(&query, figure.effort.0)?;
            let taken = cpu_time_since(start);
            elapsed += taken;
            *fastest = taken.min(*fastest);
            let hits = keys.iter().take(k);
            found += hits.filter(|key| truth.contains(key)).count();
            wanted += truth.len();
            figure.plan = plan;
        }
        figure.fastest = figure
            .fastest
            .min(elapsed / u32::try_from(self.queries.len())?);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 hits")]
        {
            figure.recall = found as f64 / wanted as f64;
        }
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "the report is this program's output")]
    fn print(&self, data: &Data, figure: &Figure<'_>, arguments: &Arguments) {
        let (bytes, hot_bytes) = figure.built.index.bytes();
        let seconds = figure.fastest.as_secs_f64();
        let mut line = json!({
            "peer": figure.built.peer,
            "dataset": data.name,
            "n": data.base.len() / data.dimension,
            "params": {
                "M": arguments.m,
                "efC": arguments.ef_construction,
                "ef": figure.effort.1,
                "k": arguments.k,
            },
            "plan": figure.plan,
            format!("recall@{}", arguments.k): (figure.recall * 1e4).round() / 1e4,
            "qps": (1.0 / seconds).round(),
            "us": (seconds * 1e7).round() / 10.0,
            "p99_us": (percentile(&figure.each, 99).as_secs_f64() * 1e7).round() / 10.0,
            "build_s": (figure.built.build.as_secs_f64() * 10.0).round() / 10.0,
            "bytes": bytes,
            "bytes_self": hot_bytes,
        });
        if let (Some(line), Some(labels)) = (line.as_object_mut(), self.labels.as_object()) {
            line.extend(labels.clone());
        }
        println!("{line}");
    }
}

/// The time that so many of a hundred queries stay within.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = (times.len() * percent).div_ceil(100);
    times[at.saturating_sub(1)]
}

/// CPU time of all threads of the process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn cpu_time_since(start: Duration) -> Duration {
    cpu_time().saturating_sub(start)
}

/// A file of little-endian numbers of four bytes.
fn read<T: FromBytes>(path: &Path) -> Result<Vec<T>> {
    let bytes = fs_err::read(path)?;
    ensure!(
        bytes.len() % 4 == 0,
        "{} is not a file of numbers of four bytes",
        path.display()
    );
    Ok(bytes
        .chunks_exact(4)
        .map(|bytes| T::from_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect())
}

/// A number of four bytes.
trait FromBytes {
    fn from_bytes(bytes: [u8; 4]) -> Self;
}

impl FromBytes for f32 {
    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl FromBytes for i32 {
    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }
}
