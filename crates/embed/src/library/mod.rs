//! The folder of pulled models: what is in it, how it gets there, whether it is still what it was.
//!
//! `lookalike models pull` fills it ([`hub`] over the network, [`Origin::Folder`] without), [`crate::Models`] serves
//! from it, `models verify` compares it with its [`manifest`]. Each model is a folder of its own:
//!
//! ```text
//! <library>/clip-vit-b-32/            what is served; complete, because it is moved here in one step
//! <library>/.unfinished/clip-vit-b-32/  what a pull that was stopped has so far; the next one goes on from there
//! ```
//!
//! Invariant: a folder that has a manifest was whole, checked, and loadable when it was put there.

mod choice;
mod error;
mod hub;
mod inspect;
mod manifest;
mod wanted;

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

pub use self::choice::FileChoiceError;
pub use self::error::{PullError, VerifyError};
pub use self::hub::HubConfig;
use self::inspect::Inspected;
pub use self::manifest::{Manifest, ManifestFile};
pub use self::wanted::{Wanted, WantedError};
use crate::catalogue::Catalogue;

/// Holds pulls that have not ended.
const UNFINISHED: &str = ".unfinished";

/// The folder of pulled models.
#[derive(Debug, Clone)]
pub struct ModelLibrary {
    folder: PathBuf,
}

/// Where a pull takes its files from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The hub, or a mirror of it.
    Hub(HubConfig),
    /// A folder of this machine that holds the files already.
    Folder(PathBuf),
}

/// Hears how a pull gets on.
pub trait PullProgress {
    /// A file of so many bytes is begun, or gone on with.
    fn start(&mut self, file: &str, bytes: u64);
    /// So many more bytes of it are there.
    fn advance(&mut self, bytes: u64);
    /// It is complete.
    fn finish(&mut self);
}

/// For those who do not want to know.
impl PullProgress for () {
    fn start(&mut self, _: &str, _: u64) {}
    fn advance(&mut self, _: u64) {}
    fn finish(&mut self) {}
}

impl ModelLibrary {
    /// A library in `folder`, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder and manifest of a model that was pulled under this name.
    ///
    /// # Errors
    /// [`VerifyError`] for a manifest that is there but cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<(PathBuf, Manifest)>, VerifyError> {
        let folder = self.folder.join(name);
        Ok(Manifest::read(&folder)?.map(|manifest| (folder, manifest)))
    }

    /// Names of all pulled models, in alphabetical order; none when the library does not exist.
    ///
    /// # Errors
    /// What the system says of a library that cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.path().join(manifest::FILE).is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Fetches a model, checks it, and puts it in place of an older one of its name. Stopped half-way, a pull
    /// from the hub goes on from there the next time.
    ///
    /// # Errors
    /// [`PullError`]; the library is then as it was.
    pub fn pull(
        &self,
        wanted: &Wanted,
        origin: &Origin,
        progress: &mut dyn PullProgress,
    ) -> Result<(PathBuf, Manifest), PullError> {
        let name = wanted.name();
        let work = self.folder.join(UNFINISHED).join(name);
        fs::create_dir_all(&work)?;
        let (source, files) = match origin {
            Origin::Hub(config) => hub::fetch(config, wanted, &work.join("hub"), progress)?,
            Origin::Folder(from) => hub::copy(from, &work.join("copy"), progress)?,
        };
        let fresh = work.join("whole");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        fs::create_dir_all(&fresh)?;
        let mut listed = Vec::new();
        for (file, path) in &files {
            listed.push(ManifestFile::of(file, path)?);
        }
        wanted.check_sums(&listed)?;
        for (file, path) in &files {
            // The hub's cache keeps the bytes behind a link.
            let place = fresh.join(file);
            fs::create_dir_all(place.parent().expect("below the folder"))?;
            fs::rename(path.canonicalize()?, place)?;
        }
        let manifest = Manifest::new(name, source, listed);
        let found = Inspected::of(&fresh).map_err(|source| PullError::Unusable {
            name: name.to_owned(),
            source,
        })?;
        let catalogue = Catalogue::embedded();
        if let Some(detail) = catalogue.find(name).and_then(|entry| found.misfit(entry)) {
            return Err(PullError::WrongModel {
                name: name.to_owned(),
                detail,
            });
        }
        manifest.write(&fresh)?;
        let place = self.folder.join(name);
        exchange(&fresh, &place, &work.join("old"))?;
        fs::remove_dir_all(&work)?;
        Ok((place, manifest))
    }

    /// Compares a pulled model with its manifest, byte for byte, and reads what a server would read of it.
    ///
    /// # Errors
    /// [`VerifyError`] for the first file that is not what it was; the message names it and both values.
    pub fn verify(&self, name: &str) -> Result<Manifest, VerifyError> {
        let Some((folder, manifest)) = self.find(name)? else {
            return Err(VerifyError::NotPulled {
                name: name.to_owned(),
                library: self.folder.clone(),
            });
        };
        manifest.verify(&folder)?;
        Inspected::of(&folder)?;
        Ok(manifest)
    }
}

/// Puts `fresh` at `place`; what was there goes through `old`.
fn exchange(fresh: &Path, place: &Path, old: &Path) -> io::Result<()> {
    if old.exists() {
        fs::remove_dir_all(old)?;
    }
    if place.exists() {
        fs::rename(place, old)?;
    }
    fs::rename(fresh, place)
}
