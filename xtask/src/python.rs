//! Virtual environments inside the checkout, made from pinned requirements and kept until those change.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, root, run, scratch};

/// A virtual environment with exactly what a requirements file names.
pub struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// `requirements` is relative to the root. An environment made from the same text is used again.
    pub fn prepare(name: &str, requirements: &str) -> Result<Self> {
        let folder = scratch().join(format!("venv-{name}"));
        let environment = Self { folder };
        let wanted = fs_err::read_to_string(root().join(requirements))?;
        let stamp = environment.folder.join("installed-requirements.txt");
        if fs_err::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        if environment.folder.exists() {
            fs_err::remove_dir_all(&environment.folder)?;
        }
        fs_err::create_dir_all(scratch())?;
        run(command("python3")
            .args(["-m", "venv"])
            .arg(&environment.folder))?;
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "-r",
            requirements,
        ];
        run(environment.python().args(install))
            .with_context(|| format!("cannot install {requirements}"))?;
        fs_err::write(stamp, wanted)?;
        Ok(environment)
    }

    /// This environment's interpreter, started in the root folder.
    pub fn python(&self) -> Command {
        let bin = if cfg!(windows) { "Scripts" } else { "bin" };
        command(self.folder.join(bin).join("python"))
    }

    /// pytest in `folder`, against the given binary.
    pub fn pytest(&self, folder: &str, arguments: &[&str], binary: &Path) -> Result<()> {
        run(self
            .python()
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .args(arguments)
            .current_dir(root().join(folder))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LOOKALIKE_BINARY", binary))
    }
}
