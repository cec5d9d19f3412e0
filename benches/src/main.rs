//! `lookalike-bench`: the measurements that need a whole program, as JSON lines.
//!
//! Functions are measured by the criterion benches beside this; here are the
//! figures that the documents quote, each printed by one command.

mod ann;
mod ann_data;
mod clip;
mod house;
mod ingest;
mod latency;
mod rows;
mod server;
mod start;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measurements of Lookalike as JSON lines", version)]
struct Arguments {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Subcommand)]
enum Measurement {
    /// Recall and cost of vector searches, and of building their index
    Ann(ann::Arguments),
    /// Vectors to measure `ann` on
    AnnData(ann_data::Arguments),
    /// What a vector costs in one tower of a CLIP
    Clip(clip::Arguments),
    /// Photos a second, from their bytes to committed vectors
    Ingest(ingest::Arguments),
    /// Text queries while nothing else happens, and beside an upload
    Latency(latency::Arguments),
    /// Rows stored and queried through the API, with where a query's time goes
    Rows(rows::Arguments),
    /// Start of the server to its first answers, and its memory at rest
    Start(start::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().measurement {
        Measurement::Ann(arguments) => ann::run(&arguments),
        Measurement::AnnData(arguments) => ann_data::run(&arguments),
        Measurement::Clip(arguments) => clip::run(&arguments),
        Measurement::Ingest(arguments) => ingest::run(&arguments),
        Measurement::Latency(arguments) => latency::run(&arguments),
        Measurement::Rows(arguments) => rows::run(&arguments),
        Measurement::Start(arguments) => start::run(&arguments),
    }
}
