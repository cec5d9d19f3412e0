//! The `lookalike` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lookalike::cli::run(std::env::args_os())
}
