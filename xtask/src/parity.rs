//! `cargo xtask parity`: full-size CLIPs with random weights beside transformers and `open_clip`.

use anyhow::Result;

use crate::command::run;
use crate::python::Environment;
use crate::test;

#[derive(clap::Args)]
pub struct Arguments {
    /// What the script gets: names of models, or its options.
    #[arg(last = true)]
    script: Vec<String>,
}

/// Takes minutes and up to 2.5 GB for a model, so it is no part of `test` or `ci`: the small checkpoints are.
pub fn compare(arguments: &Arguments) -> Result<()> {
    let binary = test::build()?;
    let environment = Environment::prepare("parity", "tests/parity/requirements.txt")?;
    run(environment
        .python()
        .arg("tests/parity/parity.py")
        .args(&arguments.script)
        .env("LOOKALIKE_BINARY", binary))
}
