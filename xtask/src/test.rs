//! `cargo xtask test`: every test there is, with what it needs installed inside the checkout.
//!
//! The suites that drive the real binary use the dev build, which the unit tests have built already.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{cargo, command, is_there, output, root, run};
use crate::node;
use crate::python::Environment;
use crate::suite::Suites;
use crate::tool::{self, Policy};

const PYTHON_TESTS: &str = "tests/sdk/python";
const NODE_TESTS: &str = "tests/sdk/node";
const LLAMAINDEX_TESTS: &str = "tests/llamaindex";
const BROWSER_TESTS: &str = "tests/browser";

#[derive(Default, clap::Args)]
pub struct Arguments {
    /// Only these suites, separated by commas; all of them without this.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Suite>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    /// Unit, property, vector, app and doc tests of the workspace.
    Unit,
    /// The filter language held against a real `PostgreSQL`.
    Postgres,
    /// The newest Python SDK.
    Python,
    /// The oldest supported Python SDK.
    PythonOld,
    /// The generic Node clients.
    Node,
    /// The integration that the users of `llama-index` install.
    Llamaindex,
    /// Odd and hostile files through the API.
    Odd,
    /// SIGKILL at random moments.
    Crash,
    /// Start page and Streamlit example in a real browser.
    Browser,
}

/// Runs the chosen suites; see [`Suites::close`] for what makes the run fail.
pub fn run_suites(arguments: &Arguments, policy: Policy) -> Result<()> {
    let wanted = |suite| arguments.only.is_empty() || arguments.only.contains(&suite);
    let mut suites = Suites::new(policy);
    if wanted(Suite::Unit) {
        suites.run("unit", Ok(()), unit);
    }
    if wanted(Suite::Postgres) {
        suites.run("postgres", tool::postgres(policy), postgres);
    }
    let drives_the_binary = |suite: &Suite| !matches!(suite, Suite::Unit | Suite::Postgres);
    if !arguments.only.is_empty() && !arguments.only.iter().any(drives_the_binary) {
        return suites.close();
    }
    let binary = build()?;
    if wanted(Suite::Python) {
        suites.run("python", tool::python(), || {
            let files = ["--ignore=test_odd_files.py", "--ignore=test_crash.py"];
            newest_sdk()?.pytest(PYTHON_TESTS, &files, &binary)
        });
    }
    if wanted(Suite::PythonOld) {
        suites.run("python-old", tool::python(), || {
            let oldest_sdk =
                Environment::prepare("sdk-old", "tests/sdk/python/requirements-old.txt")?;
            let files = [
                "--ignore=test_odd_files.py",
                "--ignore=test_crash.py",
                "--ignore=test_examples.py",
            ];
            oldest_sdk.pytest(PYTHON_TESTS, &files, &binary)
        });
    }
    if wanted(Suite::Node) {
        suites.run("node", tool::node(), || {
            node::install(NODE_TESTS)?;
            node::install("examples/node")?;
            run(command("node")
                .arg("run.js")
                .current_dir(root().join(NODE_TESTS))
                .env("LOOKALIKE_BINARY", &binary))
        });
    }
    if wanted(Suite::Llamaindex) {
        suites.run("llamaindex", tool::python(), || {
            Environment::prepare("llamaindex", "tests/llamaindex/requirements.txt")?.pytest(
                LLAMAINDEX_TESTS,
                &[],
                &binary,
            )
        });
    }
    if wanted(Suite::Odd) {
        suites.run("odd files", tool::python(), || {
            newest_sdk()?.pytest(PYTHON_TESTS, &["test_odd_files.py"], &binary)
        });
    }
    if wanted(Suite::Crash) {
        suites.run("crash", tool::python(), || {
            newest_sdk()?.pytest(PYTHON_TESTS, &["test_crash.py"], &binary)
        });
    }
    if wanted(Suite::Browser) {
        suites.run(
            "browser",
            tool::python().and_then(|()| tool::browser(policy)),
            || {
                Environment::prepare("browser", "tests/browser/requirements.txt")?.pytest(
                    BROWSER_TESTS,
                    &[],
                    &binary,
                )
            },
        );
    }
    suites.close()
}

fn newest_sdk() -> Result<Environment> {
    Environment::prepare("sdk-new", "tests/sdk/python/requirements-new.txt")
}

/// The Rust tests: with nextest where it is installed, which stops a test that hangs.
pub fn unit() -> Result<()> {
    if is_there("cargo-nextest", "--version") {
        run(&mut cargo(["nextest", "run", "--locked", "--workspace"]))?;
    } else {
        run(&mut cargo([
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
        ]))?;
    }
    run(&mut cargo(["test", "--locked", "--workspace", "--doc"]))
}

/// The tests of the filter language that need a database; the ordinary run ignores them. Of the whole workspace, as in
/// [`unit`]: for one package alone, cargo would choose other features and build all dependencies once more.
fn postgres() -> Result<()> {
    let name = "filter::tests::postgres";
    let locked = ["--locked", "--workspace", "--lib"];
    if is_there("cargo-nextest", "--version") {
        return run(cargo(["nextest", "run"]).args(locked).args([
            "--run-ignored",
            "only",
            "--success-output",
            "final",
            name,
        ]));
    }
    run(cargo(["test"])
        .args(locked)
        .args([name, "--", "--ignored", "--nocapture"]))
}

/// Builds the dev binary and returns its path. With the tests, as in [`unit`]: without them cargo would choose other features
/// and build candle and TLS once more.
pub fn build() -> Result<PathBuf> {
    run(&mut cargo([
        "build",
        "--locked",
        "--workspace",
        "--bins",
        "--tests",
    ]))?;
    let metadata = output(&mut cargo([
        "metadata",
        "--locked",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    let file = format!("lookalike{}", std::env::consts::EXE_SUFFIX);
    Ok(Path::new(target).join("debug").join(file))
}
