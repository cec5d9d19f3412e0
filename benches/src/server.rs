//! A server as a child process: started on a free port, killed when dropped.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::Context;

pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// Starts `command`, which is `lookalike serve`, and waits until it says where it listens.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let process = command.stdout(Stdio::piped()).spawn().with_context(|| {
            format!(
                "cannot start {}: build it with cargo build --release",
                command.get_program().display()
            )
        })?;
        // Held by then: a server that says nothing is killed, too.
        let mut server = Self {
            process,
            address: String::new(),
        };
        let output = (server.process.stdout.take()).context("the server has no output")?;
        let mut lines = BufReader::new(output).lines();
        while server.address.is_empty() {
            let line = lines
                .next()
                .context("the server ended before it listened")??;
            if let Some(address) = line.strip_prefix("listening on ") {
                address.clone_into(&mut server.address);
            }
        }
        // Keep reading, so that the server never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// Its log, once, if it was started with a pipe for that.
    pub fn take_log(&mut self) -> Option<ChildStderr> {
        self.process.stderr.take()
    }

    /// The processor time it has used, in ticks, on Linux hundredths of seconds.
    pub fn cpu_ticks(&self) -> anyhow::Result<u64> {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // After the name, which may hold spaces: state, ten more, then user and system time.
        let (_, fields) = stat.rsplit_once(')').context("a name in brackets")?;
        let times = fields.split_whitespace().skip(11).take(2);
        Ok(times.map(str::parse::<u64>).sum::<Result<u64, _>>()?)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ending an already ended process fails harmlessly.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
