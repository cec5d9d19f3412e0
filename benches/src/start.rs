//! How long a user waits for a new server, and what it then holds.
//!
//! Starts the release binary on an empty folder in memory, as CI does, and
//! takes the times from the start of the process: address printed, ready,
//! first action answered, first text query answered. Memory is read after that.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::server::Server;

#[derive(clap::Args)]
pub struct Arguments {
    /// The program to start
    #[arg(long, default_value = "target/release/lookalike")]
    binary: PathBuf,
    /// How many starts; the median and the slowest are printed
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

/// What one start took, in milliseconds, and held, in kibibytes.
#[derive(Clone, Copy)]
struct Sample {
    listening_ms: f64,
    ready_ms: f64,
    first_action_ms: f64,
    first_query_ms: f64,
    resident_kib: u64,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(arguments.rounds > 0, "--rounds must be at least 1");
    let samples = (0..arguments.rounds)
        .map(|_| measure(arguments))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let column = |name: &str, of: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let (median, slowest) = (values[values.len() / 2], values[values.len() - 1]);
        print(
            &json!({ "measure": name, "median": median, "max": slowest, "rounds": values.len() }),
        );
    };
    column("start_to_listening_ms", |sample| sample.listening_ms);
    column("start_to_ready_ms", |sample| sample.ready_ms);
    column("start_to_first_action_ms", |sample| sample.first_action_ms);
    column("start_to_first_query_ms", |sample| sample.first_query_ms);
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
    column("resident_after_query_mib", |sample| {
        sample.resident_kib as f64 / 1024.0
    });
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
fn print(line: &serde_json::Value) {
    println!("{line}");
}

fn measure(arguments: &Arguments) -> anyhow::Result<Sample> {
    let start = Instant::now();
    let mut server = Asked::start(arguments)?;
    let listening_ms = elapsed_ms(start);
    while server.get("/_lookalike/ready")?.0 != 200 {
        ensure!(
            start.elapsed() < Duration::from_secs(30),
            "the server never became ready"
        );
    }
    let ready_ms = elapsed_ms(start);

    let instance = "DBInstanceId=gp-bench&RegionId=cn-hangzhou";
    let manager = "ManagerAccount=bench&ManagerAccountPassword=Bench-2026";
    let inside = "Namespace=bench&NamespacePassword=Bench-2026&Collection=photos";
    server.action(&format!("InitVectorDatabase&{instance}&{manager}"))?;
    let first_action_ms = elapsed_ms(start);
    server.action(&format!(
        "CreateNamespace&{instance}&{manager}&Namespace=bench&NamespacePassword=Bench-2026"
    ))?;
    server.action(&format!(
        "CreateDocumentCollection&{instance}&{manager}&Namespace=bench&Collection=photos&EmbeddingModel=clip-vit-b-32"
    ))?;
    server.action(&format!("QueryContent&{instance}&{inside}&Content=a+dog"))?;
    let first_query_ms = elapsed_ms(start);
    Ok(Sample {
        listening_ms,
        ready_ms,
        first_action_ms,
        first_query_ms,
        resident_kib: server.resident_kib()?,
    })
}

fn elapsed_ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// A server that is asked as plainly as can be.
struct Asked(Server);

impl Asked {
    fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut command = Command::new(&arguments.binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--data", ":memory:", "--allow-unsigned"])
            .stderr(Stdio::null());
        Ok(Self(Server::start(&mut command)?))
    }

    /// Status and body of a GET on a connection of its own.
    fn get(&mut self, path: &str) -> anyhow::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.0.address)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.0.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer
            .split(' ')
            .nth(1)
            .context("no status line")?
            .parse()?;
        Ok((status, answer))
    }

    fn action(&mut self, query: &str) -> anyhow::Result<()> {
        let (status, answer) = self.get(&format!("/?Version=2016-05-03&Action={query}"))?;
        ensure!(status == 200, "{query} was answered with {answer}");
        Ok(())
    }

    /// `VmRSS` of the server (Linux).
    fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = fs_err::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("the system does not tell VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}
