//! The folders of odd files and their manifests.
//!
//! `tests/fixtures/odd` is part of the repository. The larger collection beside the
//! checkout, `shared/data/odd-dev`, holds what may not be redistributed.

use std::io::Write;
use std::path::{Path, PathBuf};

/// One row of a manifest.
pub struct Row {
    pub file: String,
    pub expected: Expected,
    pub path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Accept,
    Reject,
    Either,
}

impl Row {
    /// Archives are told by what they are called.
    pub fn is_archive(&self) -> bool {
        self.file.starts_with("arc-") || self.file == "other-hopper.tar"
    }

    pub fn bytes(&self) -> Vec<u8> {
        fs_err::read(&self.path).unwrap()
    }
}

/// The rows of the repository's own folder.
pub fn own_rows() -> Vec<Row> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    rows(&root.join("../../tests/fixtures/odd"))
}

/// The rows of the collection beside the checkout; `None`, loudly, where it is
/// missing, and a failure where CI promises it.
pub fn shared_rows() -> Option<Vec<Row>> {
    let folder = shared_folder();
    if folder.is_none() {
        assert!(
            environment("CI").is_none_or(|value| value != "true"),
            "CI=true, but shared/data/odd-dev is not beside the checkout"
        );
        // Written past the macros, whose output a passing test does not show.
        let notice = "\n*** SKIPPED: shared/data/odd-dev is not beside this checkout; set \
                      LOOKALIKE_SHARED to the folder that holds data/odd-dev ***\n";
        std::io::stderr().write_all(notice.as_bytes()).unwrap();
    }
    folder.map(|folder| rows(&folder))
}

fn shared_folder() -> Option<PathBuf> {
    let given = environment("LOOKALIKE_SHARED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared"));
    given
        .into_iter()
        .chain(beside)
        .map(|shared| shared.join("data/odd-dev"))
        .find(|folder| folder.join("manifest.csv").is_file())
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn rows(folder: &Path) -> Vec<Row> {
    let manifest = fs_err::read_to_string(folder.join("manifest.csv")).unwrap();
    let rows: Vec<Row> = manifest
        .lines()
        .skip(1)
        .map(|line| {
            let fields = fields(line);
            Row {
                path: folder.join(&fields[0]),
                file: fields[0].clone(),
                expected: match fields[2].as_str() {
                    "accept" => Expected::Accept,
                    "reject" => Expected::Reject,
                    "either" => Expected::Either,
                    other => panic!("{}: what is {other:?}?", fields[0]),
                },
            }
        })
        .collect();
    assert!(
        rows.len() > 50,
        "the manifest in {} is too short",
        folder.display()
    );
    rows
}

/// The fields of a line of CSV; no field of these manifests spans lines.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}
