//! The program itself as a child process.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program, deaf to the settings of whoever runs the tests.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lookalike"));
    command.env_clear().env("HOME", "/nonexistent");
    command
}

/// Runs to the end, in an empty folder so that no settings file is found by accident.
pub fn run(arguments: &[&str]) -> Output {
    let empty = tempfile::tempdir().unwrap();
    program()
        .args(arguments)
        .current_dir(empty.path())
        .output()
        .unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server process that listens; killed when dropped.
pub struct Process {
    pub child: Child,
    pub endpoint: String,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    /// `serve` on a free port.
    pub fn serve(data: &Path, flags: &[&str]) -> Self {
        let mut command = program();
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log",
                "warn",
                "--threads",
                "1",
                "--data",
            ])
            .arg(data)
            .args(flags);
        Self::start(command.current_dir(data))
    }

    /// Waits for the line that says where it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let endpoint = line
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("unexpected first line: {line:?}"));
        Self {
            endpoint: endpoint.trim_end().to_owned(),
            child,
            output,
        }
    }

    /// SIGKILL: nothing gets to run any more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit code after draining, and what it printed after the first line.
    #[cfg(unix)]
    pub fn terminate(mut self) -> (Option<i32>, String) {
        let killed = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
