//! `cargo xtask cuda-check`: type-checks the feature `cuda`, which candle's build script allows only beside NVIDIA's compiler.
//!
//! The compiler comes from `PyPI` into a virtual environment, so that neither a graphics card nor an installed CUDA is
//! needed. Nothing is linked and nothing runs: this says that the code compiles, not that it works.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use crate::command::{cargo, output, run};
use crate::python::Environment;
use crate::tool;

const REQUIREMENTS: &str = "xtask/cuda-requirements.txt";

/// The release in those requirements, as cudarc writes it.
const RELEASE: &str = "13000";

/// The oldest card for which candle's kernels are all compiled; without one the build has to be told.
const COMPUTE_CAPABILITY: &str = "80";

/// Compiles candle's kernels and checks the program with the feature.
pub fn check() -> Result<()> {
    check_with(&install()?)
}

/// The same in CI, where it is loudly left out if the compiler cannot be had: not every system and not every mirror of
/// `PyPI` has it.
pub fn check_in_ci() -> Result<()> {
    match install() {
        Ok(nvcc) => check_with(&nvcc),
        Err(error) => {
            println!("!!!! the feature `cuda` was NOT checked: {error:#} !!!!");
            Ok(())
        }
    }
}

/// NVIDIA's compiler, installed if it is not there yet.
fn install() -> Result<PathBuf> {
    tool::python()
        .and_then(|()| tool::cpp())
        .map_err(|missing| anyhow!("{} is missing: {}", missing.what, missing.remedy))?;
    let environment = Environment::prepare("cuda", REQUIREMENTS)?;
    let where_packages_are = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let packages = output(environment.python().args(["-c", where_packages_are]))?;
    let nvcc = Path::new(packages.trim()).join("nvidia/cu13/bin/nvcc");
    if !nvcc.exists() {
        bail!("{REQUIREMENTS} gave no {}", nvcc.display());
    }
    Ok(nvcc)
}

fn check_with(nvcc: &Path) -> Result<()> {
    // The kernels are thrown away, so they are compiled fast instead of well. A setting of their own keeps them apart in
    // the target folder: no build that is meant to run may find them.
    let apart = "profile.dev.package.candle-kernels.opt-level=0";
    // All targets, as the lints have them: then the dependencies are the same and are there already.
    let targets = ["--workspace", "--all-targets"];
    run(cargo(["check", "--locked", "--config", apart])
        .args(targets)
        .args(["--features", "lookalike/cuda"])
        .env("NVCC", nvcc)
        .env("NVCC_APPEND_FLAGS", "--Ofast-compile=max")
        .env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY)
        .env("CUDARC_CUDA_VERSION", RELEASE))
}
