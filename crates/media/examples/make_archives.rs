//! Writes the archives that the tests make, bombs included, to a folder:
//! `cargo run -p lookalike-media --example make_archives -- DIR`.
//!
//! For tests in other languages and for trying a running server by hand. Beside the
//! archives it writes `manifest.csv`: the file and what must become of it, in the
//! words of tests/fixtures/odd/manifest.csv.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use support::archives::{Fate, all};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: make_archives DIR");
        return ExitCode::from(2);
    };
    match write_all(&folder) {
        Ok(count) => {
            eprintln!("{count} archives in {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &std::path::Path) -> std::io::Result<usize> {
    fs_err::create_dir_all(folder)?;
    let mut manifest = String::from("file,expected,photos\n");
    let made = all();
    for archive in &made {
        fs_err::write(folder.join(archive.name), &archive.bytes)?;
        let (expected, photos) = match archive.fate {
            Fate::Photos(names) => ("accept", names.len() as u64),
            Fate::Members(photos, _) => ("reject", photos),
            Fate::Archive(_) => ("reject", 0),
        };
        manifest.extend([archive.name, ",", expected, ",", &photos.to_string(), "\n"]);
    }
    fs_err::write(folder.join("manifest.csv"), manifest)?;
    Ok(made.len())
}
