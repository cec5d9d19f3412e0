//! `cargo xtask ci`, what CI runs, and `cargo xtask dev`, the part of it that a developer runs all the time.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{cargo, command, is_there, run, scratch};
use crate::tool::Policy;
use crate::{cuda, demo, test};

/// Pinned, so that a new release of the checker cannot break a build.
const CARGO_DENY: &str = "0.20.2";

/// Everything, in the order in which a mistake is cheapest to find.
pub fn run_everything(policy: Policy) -> Result<()> {
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    lint()?;
    cuda::check_in_ci()?;
    licences_and_layering()?;
    let every_suite = test::Arguments::default();
    test::run_suites(&every_suite, policy)?;
    demo::run_once()
}

/// Format, lint, unit tests.
pub fn dev() -> Result<()> {
    run(&mut cargo(["fmt", "--all"]))?;
    lint()?;
    test::unit()
}

fn lint() -> Result<()> {
    run(&mut cargo([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

/// `deny.toml`: licences, sources, and who may import whom. Advisories need the network and are left to a scheduled run.
fn licences_and_layering() -> Result<()> {
    let installed = scratch().join("tools");
    let own_copy: PathBuf = installed.join("bin/cargo-deny");
    let deny = if is_there(&own_copy, "--version") {
        own_copy
    } else if is_there("cargo-deny", "--version") {
        PathBuf::from("cargo-deny")
    } else {
        run(cargo([
            "install",
            "cargo-deny",
            "--locked",
            "--quiet",
            "--version",
            CARGO_DENY,
            "--root",
        ])
        .arg(&installed))?;
        own_copy
    };
    run(command(deny).args([
        "--locked",
        "--all-features",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}
