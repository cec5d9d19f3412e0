//! The demo's photos: found, packed into one archive.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lookalike_media::extension::is_image_name;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// Where the repository keeps them.
const FOLDER: &str = "examples/photos";
/// What one archive may hold (semantics.md, "Archives").
const MAX_PHOTOS: usize = 100;

/// Photos with their names.
#[derive(Debug)]
pub struct Photos {
    files: Vec<(String, Vec<u8>)>,
}

impl Photos {
    /// Reads the photos of the folder that was named, else of [`FOLDER`] here or where the program was built.
    pub fn find(named: Option<&Path>) -> anyhow::Result<Self> {
        let folder = match named {
            Some(folder) => folder.to_owned(),
            None => default_folder()?,
        };
        let mut paths: Vec<PathBuf> = fs_err::read_dir(&folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        paths.retain(|path| {
            path.is_file()
                && path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(is_image_name)
        });
        paths.sort();
        paths.truncate(MAX_PHOTOS);
        if paths.is_empty() {
            bail!(
                "{} holds no photos (.bmp .jpg .jpeg .png .tiff)",
                folder.display()
            );
        }
        let read = |path: PathBuf| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .context("a photo's name is not text")?
                .to_owned();
            Ok((name, fs_err::read(path)?))
        };
        Ok(Self {
            files: paths.into_iter().map(read).collect::<anyhow::Result<_>>()?,
        })
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// The photo to search with: the one that is asked for, else the first.
    pub fn example(&self, wanted: &str) -> (&str, &[u8]) {
        let found = self.files.iter().find(|(name, _)| name.contains(wanted));
        let (name, bytes) =
            found.unwrap_or_else(|| self.files.first().expect("there is at least one photo"));
        (name, bytes)
    }

    /// All of them in a zip. Photos are packed already: they are stored as they are.
    pub fn archive(&self) -> anyhow::Result<Vec<u8>> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in &self.files {
            archive.start_file(name.as_str(), options)?;
            archive.write_all(bytes)?;
        }
        Ok(archive.finish()?.into_inner())
    }
}

fn default_folder() -> anyhow::Result<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(FOLDER);
    let candidates = [PathBuf::from(FOLDER), built_from];
    candidates
        .into_iter()
        .find(|folder| folder.is_dir())
        .with_context(|| format!("no {FOLDER} here; name a folder with photos: --photos DIR"))
}
