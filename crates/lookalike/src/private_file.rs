//! Files in the data folder that only their owner may read: keys.

use std::io::{self, Write};
use std::path::Path;

/// Writes a new file that no other user can read; fails if it exists.
#[cfg(unix)]
pub fn create(path: &Path, text: &str) -> io::Result<()> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    let mut file = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Writes a new file; fails if it exists. Access follows the folder's rules here.
#[cfg(not(unix))]
pub fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
