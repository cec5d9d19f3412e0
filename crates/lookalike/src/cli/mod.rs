//! The command line: what it offers, and which function does it.
//!
//! [`run`] is the whole program. Exit codes: 0 done, 1 failed, 2 wrong usage (a flag, an environment variable
//! or the settings file).

mod ca;
mod demo;
mod embed;
mod health;
mod models;
mod reference;
mod reindex;
mod runtime;
mod serve;
mod startup;
mod table;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{ConfigFile, ConfigFileError, ConfigPath};

/// A local server that looks and behaves like AnalyticDB for PostgreSQL where it does vector image search.
#[derive(Debug, Parser)]
#[command(name = "lookalike", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    config: ConfigPath,
    #[command(subcommand)]
    command: Commands,
}

const AFTER_HELP: &str = "\
Every flag is also an environment variable (LOOKALIKE_…) and, for `serve`, a key of lookalike.toml;
a flag beats the environment, the environment beats the file.

Start here:
  lookalike demo                  a server with example photos in it, and a few searches
  lookalike serve                 a server that keeps what it is given
  lookalike serve --help          everything that can be set";

#[derive(Debug, Subcommand)]
enum Commands {
    /// Run the server
    Serve(Box<serve::Serve>),
    /// Start in memory, load example photos through the API, search them, keep serving
    Demo(demo::Demo),
    /// Print the vectors of texts and images
    Embed(embed::Embed),
    /// Say what the models are, fetch their weights, check them
    Models(models::Models),
    /// Make vectors anew, from the stored originals, after a change of encoder
    Reindex(Box<reindex::Reindex>),
    /// Print the path of the certificate authority that clients are to trust
    Ca(ca::Ca),
    /// Ask the running server of a data folder whether it is ready
    Health(health::Health),
    #[command(hide = true)]
    Reference(reference::Reference),
}

/// Why the command line could not be carried out.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error(transparent)]
    Flags(#[from] clap::Error),
    #[error(transparent)]
    File(#[from] ConfigFileError),
}

/// Runs the program on `arguments`, the first of which is its own name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(UsageError::Flags(error)) => {
            // `--help` and `--version` arrive here too, with exit code 0.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
        Err(error @ UsageError::File(_)) => {
            complain(&error.into());
            return ExitCode::from(2);
        }
    };
    match carry_out(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The command line's definition, for the generated reference.
pub fn command() -> Command {
    Cli::command()
}

fn parse(arguments: &[OsString]) -> Result<Cli, UsageError> {
    // First without the file: it finds `--config`, and what is wrong with a flag is not blamed on the file.
    let plain = Cli::try_parse_from(arguments)?;
    let Some(file) = ConfigFile::find(plain.config.config.as_deref())? else {
        return Ok(plain);
    };
    let matches = file
        .apply_to(Cli::command())?
        .try_get_matches_from(arguments)
        .map_err(|error| ConfigFileError::Value {
            path: file.path().to_owned(),
            reason: error.to_string(),
        })?;
    Ok(Cli::from_arg_matches(&matches)?)
}

fn carry_out(command: Commands) -> anyhow::Result<()> {
    match command {
        Commands::Serve(serve) => serve.run(),
        Commands::Demo(demo) => demo.run(),
        Commands::Embed(embed) => embed.run(),
        Commands::Models(models) => models.run(),
        Commands::Reindex(reindex) => reindex.run(),
        Commands::Ca(ca) => ca.run(),
        Commands::Health(health) => health.run(),
        Commands::Reference(reference) => reference.run(),
    }
}

/// Prints an error with its causes. What stands in a cause already is not said twice.
fn complain(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// `lookalike models list | head` is not a failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
