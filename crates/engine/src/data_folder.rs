//! The data folder: made when missing, held by one process at a time.

use std::{
    fs::TryLockError,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use fs_err as fs;

use crate::error::EngineError;

/// The folder while this process holds it; the system lets go of it when the process ends, however
/// it ends.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: std::fs::File,
}

impl DataFolder {
    /// Makes the folder and takes hold of it, or says who has it.
    pub(crate) fn open_blocking(path: &Path) -> Result<Self, EngineError> {
        let unusable = |error: io::Error| EngineError::Unavailable {
            reason: format!("the data folder cannot be used: {error}"),
        };
        fs::create_dir_all(path).map_err(unusable)?;
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(unusable)?
            .into_parts()
            .0;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The number helps to find the other process; without it the message still does.
                drop(file.read_to_string(&mut holder));
                return Err(EngineError::Unavailable {
                    reason: format!(
                        "the data folder {} is in use by another process{}; stop it or use another \
                         folder",
                        path.display(),
                        match holder.trim() {
                            "" => String::new(),
                            holder => format!(" ({holder})"),
                        }
                    ),
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0).map_err(unusable)?;
        write!(file, "pid {}", std::process::id()).map_err(unusable)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: file,
        })
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("lookalike.db")
    }

    /// Where the indexes are. All of it can be made anew from the database.
    pub(crate) fn indexes(&self) -> PathBuf {
        self.path.join("index")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        let held = DataFolder::open_blocking(&path).unwrap();
        let Err(error) = DataFolder::open_blocking(&path) else {
            panic!("held twice")
        };
        let text = error.to_string();
        assert!(text.contains("in use by another process (pid "), "{text}");
        drop(held);
        DataFolder::open_blocking(&path).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let Err(error) = DataFolder::open_blocking(&file.join("data")) else {
            panic!("made")
        };
        assert!(error.to_string().contains("file"), "{error}");
    }
}
