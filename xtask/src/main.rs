//! The project's commands: `cargo xtask dev | test | ci | parity | unsafe | cuda-check | bench`. Plain Rust, no shell; CI runs the same.
//!
//! Invariant: a runner that could not run is never silent: it is a loud skip on a developer's machine and a failure when `CI=true`.
//! One exception: where NVIDIA's compiler cannot be installed, CI leaves the feature `cuda` unchecked, loudly.

#![expect(
    clippy::print_stdout,
    reason = "a command line program talks to its user"
)]

mod bench;
mod ci;
mod command;
mod cuda;
mod demo;
mod node;
mod parity;
mod python;
mod suite;
mod test;
mod tool;
mod unsafety;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The commands of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    /// Treat a missing tool as a failure, and install what CI may install.
    #[arg(long, env = "CI", global = true, hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new(), default_value_t = false, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ci: bool,
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, lint and run the unit tests: the loop of a developer.
    Dev,
    /// Run every test; installs what the tests need inside the checkout.
    Test(test::Arguments),
    /// What CI runs: format check, lints, the feature `cuda`, licences and layering, every test, the demo.
    Ci,
    /// Compare full-size CLIPs with transformers and `open_clip`; names of models go after `--`.
    Parity(parity::Arguments),
    /// Run the kernels' tests under Miri and `AddressSanitizer`.
    Unsafe,
    /// Type-check the feature `cuda` with NVIDIA's compiler from `PyPI`; no graphics card is needed.
    CudaCheck,
    /// Run the benches; arguments after `--` go to criterion.
    Bench(bench::Arguments),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let policy = tool::Policy { ci: arguments.ci };
    match arguments.command {
        Task::Dev => ci::dev(),
        Task::Test(selection) => test::run_suites(&selection, policy),
        Task::Ci => ci::run_everything(policy),
        Task::Parity(selection) => parity::compare(&selection),
        Task::Unsafe => unsafety::check(policy),
        Task::CudaCheck => cuda::check(),
        Task::Bench(selection) => bench::run_benches(&selection),
    }
}
