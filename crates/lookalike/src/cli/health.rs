//! `lookalike health`: whether the server of a data folder answers, for the health check of a container that
//! has no other HTTP client.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use lookalike_engine::DataLocation;

use super::startup;
use crate::config::data_location;
use crate::server::ENDPOINT_FILE;

/// An answer takes well under a millisecond; a server that needs longer is not healthy.
const TIMEOUT: Duration = Duration::from_secs(3);
/// More than the head and the few bytes of the answer.
const MAX_ANSWER_BYTES: u64 = 4096;

/// Ask the running server of a data folder whether it is ready
///
/// Exit code 0 when it is, 1 when it is not or does not answer.
#[derive(Debug, Args)]
pub struct Health {
    /// The data folder of the server
    #[arg(long, env = "LOOKALIKE_DATA", value_name = "DIR", value_parser = data_location::parse)]
    data: Option<DataLocation>,
}

impl Health {
    pub fn run(self) -> anyhow::Result<()> {
        let location = self.data.unwrap_or_else(data_location::default_for_user);
        let Some(folder) = data_location::folder(&location) else {
            bail!("a server in memory writes its address nowhere; name a folder with --data");
        };
        let text = fs_err::read_to_string(folder.join(ENDPOINT_FILE))
            .context("no server was started on this folder")?;
        let address: SocketAddr = text.trim().parse().context("not an address")?;
        let status = ask(startup::reachable(address))
            .with_context(|| format!("the server at {address} does not answer"))?;
        if !status.starts_with("HTTP/1.1 200 ") {
            bail!("the server at {address} is not ready: {status}");
        }
        writeln!(io::stdout(), "ready at {address}")?;
        Ok(())
    }
}

/// The status line of the readiness route's answer.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    let request =
        format!("GET /_lookalike/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    connection.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
