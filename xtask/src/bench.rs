//! `cargo xtask bench`: the criterion benches.

use anyhow::Result;

use crate::command::{cargo, run};

#[derive(clap::Args)]
pub struct Arguments {
    /// What criterion gets: a name to filter by, or its options.
    #[arg(last = true)]
    criterion: Vec<String>,
}

pub fn run_benches(arguments: &Arguments) -> Result<()> {
    run(cargo([
        "bench",
        "--locked",
        "--package",
        "lookalike-bench",
        "--benches",
        "--",
    ])
    .args(&arguments.criterion))
}
