//! `cargo xtask unsafe`: the tests of the one crate that is made of `unsafe`, under tools that see undefined behaviour.
//!
//! Miri runs the portable kernels, the memory and the thread pool: it knows no vector instructions, so that nothing else is found to be present.
//! It needs a nightly toolchain. `AddressSanitizer` runs everything, vector kernels included, and needs only its runtime, which the stable toolchain
//! brings along. What is missing is said loudly, and is a failure in CI.

use anyhow::{Result, bail};

use crate::command::{cargo, command, output, run};
use crate::tool::Policy;

const CRATE: &str = "lookalike-kernels";

/// Runs what the machine can run.
pub fn check(policy: Policy) -> Result<()> {
    let mut missing = Vec::new();
    if cargo_nightly_has("miri") {
        run(nightly(["miri", "test", "--package", CRATE, "--lib"])
            .env("MIRIFLAGS", "-Zmiri-disable-isolation"))?;
    } else {
        missing.push("Miri: rustup +nightly component add miri");
    }
    if has_address_sanitizer().unwrap_or(false) {
        // A target folder of its own: these objects must not be mixed with others.
        run(cargo([
            "test",
            "--locked",
            "--package",
            CRATE,
            "--lib",
            "--target",
            TARGET,
            "--target-dir",
            "target/address-sanitizer",
        ])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address"))?;
    } else {
        missing.push("AddressSanitizer: a Rust toolchain whose libraries include its runtime");
    }
    for remedy in &missing {
        println!("!!!! SKIPPED {remedy} !!!!");
    }
    if policy.ci && !missing.is_empty() {
        bail!("tools are missing: {}", missing.join("; "));
    }
    Ok(())
}

/// Where `AddressSanitizer` is used; a target has to be named so that build scripts are left alone.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Whether the compiler in use has the runtime. No nightly is asked for: `RUSTC_BOOTSTRAP` lets any compiler take the flag.
fn has_address_sanitizer() -> Result<bool> {
    let libraries =
        output(command("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let mut files = fs_err::read_dir(libraries.trim())?;
    Ok(files.any(|file| {
        file.is_ok_and(|file| file.file_name().to_string_lossy().ends_with("_rt.asan.a"))
    }))
}

fn nightly<const N: usize>(arguments: [&str; N]) -> std::process::Command {
    // Not the cargo that runs this: rustup's own, which takes the name of a toolchain.
    let mut cargo = command("cargo");
    cargo.arg("+nightly").args(arguments);
    cargo.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    cargo
}

fn cargo_nightly_has(subcommand: &str) -> bool {
    let mut cargo = nightly([subcommand, "--version"]);
    cargo.stdout(std::process::Stdio::null());
    cargo.stderr(std::process::Stdio::null());
    cargo.status().is_ok_and(|status| status.success())
}
