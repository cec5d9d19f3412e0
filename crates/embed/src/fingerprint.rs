//! The identity of an encoder: a sha256 over everything that its vectors depend on.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Raised whenever resizing or normalisation changes what a model sees, so that old vectors are not mixed with new ones.
const PREPROCESSING_VERSION: u64 = 1;

/// Hashes named parts, one after another. Names and lengths are hashed too, so that bytes cannot move between parts.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// `kind` tells encoders apart that would read the same files differently.
    pub(crate) fn new(kind: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(kind.as_bytes());
        hasher.update(PREPROCESSING_VERSION.to_le_bytes());
        Self(hasher)
    }

    /// Adds one part.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub(crate) fn add(&mut self, name: &str, mut content: impl Read) -> io::Result<()> {
        self.0.update(name.as_bytes());
        let length = io::copy(&mut content, &mut self.0)?;
        self.0.update(length.to_le_bytes());
        Ok(())
    }

    /// Lower-case hex.
    pub(crate) fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}
