//! `lookalike ca`: where the certificate is that clients have to trust.

use std::io::{self, Write};

use anyhow::{Context, bail};
use clap::Args;
use lookalike_engine::DataLocation;

use crate::config::data_location;
use crate::gateway::authority;

/// Print the path of the certificate authority that clients are to trust
///
/// The certificate authority is made on first use and kept in the data folder. A server that keeps its data
/// in memory has one for its own life only, and offers it at /_lookalike/ca.pem.
#[derive(Debug, Args)]
pub struct Ca {
    /// The data folder of the server
    #[arg(long, env = "LOOKALIKE_DATA", value_name = "DIR", value_parser = data_location::parse)]
    data: Option<DataLocation>,
}

impl Ca {
    pub fn run(self) -> anyhow::Result<()> {
        let location = self.data.unwrap_or_else(data_location::default_for_user);
        let Some(folder) = data_location::folder(&location) else {
            bail!(
                "a server in memory keeps no certificate; name a folder with --data, or fetch /_lookalike/ca.pem from the running server"
            );
        };
        let path = authority::certificate_path(folder)?;
        let path = fs_err::canonicalize(path).context("the certificate is gone")?;
        writeln!(io::stdout(), "{}", path.display())?;
        Ok(())
    }
}
