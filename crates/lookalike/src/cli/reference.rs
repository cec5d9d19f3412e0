//! `lookalike reference`: the generated pages of the documentation. Hidden: it is for those who work on the
//! program.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::reference::pages;

/// Write the generated pages of the documentation
#[derive(Debug, Args)]
pub struct Reference {
    /// The folder they go to
    #[arg(
        long,
        env = "LOOKALIKE_WRITE",
        value_name = "DIR",
        default_value = "docs"
    )]
    write: PathBuf,
}

impl Reference {
    pub fn run(self) -> anyhow::Result<()> {
        for (name, text) in pages() {
            let path = self.write.join(name);
            fs_err::write(&path, text)?;
            writeln!(io::stdout(), "{}", path.display())?;
        }
        Ok(())
    }
}
