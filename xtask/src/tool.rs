//! What to do about a tool that the machine lacks: say so loudly, fail in CI, or install it where CI may.

use anyhow::Result;

use crate::command::{command, is_there, run};

/// How strict a run is.
#[derive(Clone, Copy)]
pub struct Policy {
    /// Set by `CI=true`: nothing may be skipped.
    pub ci: bool,
}

/// Why a suite cannot run here, and what would help.
pub struct Missing {
    pub what: String,
    pub remedy: String,
}

impl Missing {
    fn new(what: &str, remedy: &str) -> Self {
        Self {
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Python with the `venv` module.
pub fn python() -> Result<(), Missing> {
    program(
        "python3",
        "install Python 3.11 or later with its venv module",
    )
}

/// A C++ compiler, by the name that `nvcc` looks for.
pub fn cpp() -> Result<(), Missing> {
    program(
        "g++",
        "install a C++ compiler, on Debian: apt-get install g++",
    )
}

fn program(name: &str, remedy: &str) -> Result<(), Missing> {
    if is_there(name, "--version") {
        Ok(())
    } else {
        Err(Missing::new(name, remedy))
    }
}

/// Node.js with npm.
pub fn node() -> Result<(), Missing> {
    if is_there("node", "--version") && is_there("npm", "--version") {
        Ok(())
    } else {
        Err(Missing::new("node and npm", "install Node.js 20 or later"))
    }
}

/// A browser and its driver.
pub fn browser(policy: Policy) -> Result<(), Missing> {
    there_or_installed(has_browser, &["chromium", "chromium-driver"], policy).ok_or_else(|| {
        Missing::new(
            "chromium and chromedriver",
            "install both, on Debian: apt-get install chromium chromium-driver",
        )
    })
}

/// A `PostgreSQL` server's programs; no server needs to run.
pub fn postgres(policy: Policy) -> Result<(), Missing> {
    there_or_installed(has_postgres, &["postgresql"], policy).ok_or_else(|| {
        Missing::new(
            "PostgreSQL",
            "install its server, on Debian: apt-get install postgresql",
        )
    })
}

/// CI may install Debian's packages, a developer's machine is left alone.
fn there_or_installed(is_there_now: fn() -> bool, packages: &[&str], policy: Policy) -> Option<()> {
    if is_there_now() {
        return Some(());
    }
    if policy.ci && is_there("apt-get", "--version") {
        let installed = run(command("apt-get").args(["update", "-qq"])).and_then(|()| {
            run(command("apt-get")
                .args(["install", "-y", "-qq", "--no-install-recommends"])
                .args(packages)
                .env("DEBIAN_FRONTEND", "noninteractive"))
        });
        if let Err(error) = installed {
            println!(
                "apt-get could not install {}: {error:#}",
                packages.join(" ")
            );
        }
    }
    is_there_now().then_some(())
}

fn has_browser() -> bool {
    is_there("chromium", "--version") && is_there("chromedriver", "--version")
}

/// Debian keeps the server's programs off the PATH, in a folder for each version.
fn has_postgres() -> bool {
    let in_debians_place = || {
        let versions = fs_err::read_dir("/usr/lib/postgresql").ok()?;
        versions
            .flatten()
            .any(|version| version.path().join("bin/initdb").exists())
            .then_some(())
    };
    is_there("initdb", "--version") || in_debians_place().is_some()
}
