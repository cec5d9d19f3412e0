//! A `PostgreSQL` of the test's own: made in a temporary folder, reached by a socket in it and by
//! nothing else, stopped and removed when dropped.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// The account that Debian's package makes. The server refuses to run as root.
const ACCOUNT: &str = "postgres";
const REMEDY: &str = "PostgreSQL is needed: on Debian `apt-get install postgresql`, or put initdb and pg_ctl on the PATH";

pub(super) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    as_root: bool,
}

impl Cluster {
    pub(super) fn start() -> Self {
        let as_root = succeeded(Command::new("id").arg("-u")).trim() == "0";
        let cluster = Self {
            programs: programs(),
            folder: tempfile::Builder::new()
                .prefix("lookalike-pg")
                .tempdir()
                .unwrap(),
            as_root,
        };
        if as_root {
            succeeded(
                Command::new("chown")
                    .arg(ACCOUNT)
                    .arg(cluster.folder.path()),
            );
        }
        succeeded(
            cluster
                .program("initdb")
                .args(["--auth=trust", "--no-sync", "--encoding=UTF8"])
                .arg(format!("--username={ACCOUNT}"))
                // Text is ordered by code points; upper and lower case are those of Unicode.
                .args(["--lc-collate=C", "--lc-ctype=C.UTF-8"])
                .arg("--pgdata")
                .arg(cluster.data()),
        );
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c timezone=UTC",
            cluster.folder.path().display()
        );
        succeeded(
            cluster
                .program("pg_ctl")
                .args(["start", "--wait", "--silent", "--options", &options])
                .arg("--log")
                .arg(cluster.folder.path().join("log"))
                .arg("--pgdata")
                .arg(cluster.data()),
        );
        cluster
    }

    /// Runs a script in a session of its own; what it printed, without headings.
    pub(super) fn run(&self, script: &str) -> String {
        let mut session = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .arg("-h")
            .arg(self.folder.path())
            .args(["-U", ACCOUNT, "-d", "postgres"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = session.stdin.take().expect("it is piped");
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(script.as_bytes()).unwrap());
            session.wait_with_output().unwrap()
        });
        checked("psql", output)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if self.as_root {
            let mut command = Command::new("runuser");
            command.args(["-u", ACCOUNT, "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(self.data());
        if !stop.status().is_ok_and(|status| status.success()) {
            eprintln!(
                "the PostgreSQL in {} could not be stopped",
                self.folder.path().display()
            );
        }
    }
}

/// The folder of the server's programs: Debian keeps them off the PATH, one folder a version.
fn programs() -> PathBuf {
    let on_path = Command::new("initdb").arg("--version").output();
    if on_path.is_ok_and(|output| output.status.success()) {
        return PathBuf::new();
    }
    let versions = fs_err::read_dir("/usr/lib/postgresql").expect(REMEDY);
    versions
        .map(|version| version.unwrap().path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max_by_key(|bin| version(bin))
        .expect(REMEDY)
}

fn version(bin: &Path) -> Option<u32> {
    bin.parent()?.file_name()?.to_str()?.parse().ok()
}

#[track_caller]
fn succeeded(command: &mut Command) -> String {
    // A server that goes on in the background would keep a pipe open for ever.
    let is_start = command.get_args().any(|argument| argument == "start");
    if is_start {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "{command:?} failed");
        return String::new();
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    checked(&format!("{command:?}"), output)
}

#[track_caller]
fn checked(what: &str, output: Output) -> String {
    assert!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
