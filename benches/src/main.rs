//! `lookalike-bench`: the measurements that need a whole program, as JSON lines.
//!
//! Functions are measured by the criterion benches beside this; here are the
//! figures that the documents quote, each printed by one command.

mod ann;
mod ann_data;
mod rows;
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
    /// Rows stored and queried through the API, with where a query's time goes
    Rows(rows::Arguments),
    /// Start of the server to its first answers, and its memory at rest
    Start(start::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().measurement {
        Measurement::Ann(arguments) => ann::run(&arguments),
        Measurement::AnnData(arguments) => ann_data::run(&arguments),
        Measurement::Rows(arguments) => rows::run(&arguments),
        Measurement::Start(arguments) => start::run(&arguments),
    }
}
