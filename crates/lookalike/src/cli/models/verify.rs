//! `lookalike models verify`.

use std::io::{self, Write};

use anyhow::bail;
use clap::Args;
use indicatif::HumanBytes;
use lookalike_embed::library::ModelLibrary;

/// Compare fetched weights with what was fetched, byte for byte
#[derive(Debug, Args)]
pub struct Verify {
    /// Names as in `models list`; without any, everything that was pulled
    #[arg(env = "LOOKALIKE_VERIFY", value_name = "NAME", value_delimiter = ',')]
    names: Vec<String>,
}

impl Verify {
    pub fn run(self, library: &ModelLibrary) -> anyhow::Result<()> {
        let names = if self.names.is_empty() {
            library.names()?
        } else {
            self.names
        };
        let mut out = io::stdout().lock();
        if names.is_empty() {
            writeln!(out, "no models in {}", library.folder().display())?;
        }
        let mut damaged = 0;
        for name in &names {
            match library.verify(name) {
                Ok(manifest) => {
                    let (files, bytes) = (manifest.files.len(), HumanBytes(manifest.bytes()));
                    writeln!(out, "{name}: as pulled, {files} files, {bytes}")?;
                }
                Err(error) => {
                    damaged += 1;
                    writeln!(out, "{name}: {error}")?;
                }
            }
        }
        if damaged > 0 {
            bail!(
                "{damaged} of {} models are not as they were pulled",
                names.len()
            );
        }
        Ok(())
    }
}
