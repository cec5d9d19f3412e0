//! The README's first command as a check: it must end well and put the dogs first.

use anyhow::Result;

use crate::command::{cargo, run};

/// `demo --once` fails by itself when a photo of a dog is not ahead of all others.
pub fn run_once() -> Result<()> {
    run(&mut cargo([
        "run",
        "--locked",
        "--release",
        "--package",
        "lookalike",
        "--",
        "demo",
        "--once",
    ]))
}
