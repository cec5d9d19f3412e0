"""The real binary as a child process on a port of its own.

Used by the SDK, odd-file, crash and browser suites. A server is ready when its readiness route answers 200; nothing here waits for a fixed time.
"""

import os
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
ACCESS_KEY_ID = "testAK"
ACCESS_KEY_SECRET = "testSK"
TEMPORARY_KEY = ("STS.testAK", "temporarySK", "STS.token")
BEARER_TOKEN = "bearer-token"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 60


def binary() -> Path:
    """The binary under test: `LOOKALIKE_BINARY`, which xtask sets, else the dev build."""
    path = Path(os.environ.get("LOOKALIKE_BINARY", ROOT / "target/debug/lookalike"))
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `cargo build`, or name another one in LOOKALIKE_BINARY")
    return path


def wait_until(condition, what: str, deadline_s: float = START_DEADLINE_S, pause_s: float = 0.02):
    """Asks `condition` until it answers something true, and returns that; fails loudly after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s} s in vain for {what}")
        time.sleep(pause_s)


class Server:
    """`lookalike serve` on a free port; `data` survives `kill` and `start`, so a crash test can reopen it."""

    def __init__(self, data: Path | str, *flags: str, env: dict[str, str] | None = None, cwd: Path | None = None):
        self.data = data
        self.flags = flags
        self.env = env or {}
        self.cwd = cwd
        self.process: subprocess.Popen | None = None
        self.lines: list[str] = []
        self.address = ""
        self._line_came = threading.Condition()

    def start(self) -> "Server":
        command = [
            str(binary()),
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            str(self.data),
            "--access-key",
            f"{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}",
            "--access-key",
            ":".join(TEMPORARY_KEY),
            "--bearer-token",
            BEARER_TOKEN,
            *self.flags,
        ]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE_")}
        self.lines = []
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=inherited | self.env,
            cwd=self.cwd,
        )
        threading.Thread(target=self._read_lines, args=(self.process,), daemon=True).start()
        self.address = self._printed_address()
        wait_until(self._is_ready, "the readiness route to answer 200")
        return self

    def _read_lines(self, process: subprocess.Popen):
        for line in process.stdout:
            with self._line_came:
                self.lines.append(line.rstrip("\n"))
                self._line_came.notify_all()
        with self._line_came:
            self._line_came.notify_all()

    def _printed_address(self) -> str:
        def found():
            marks = [line for line in self.lines if line.startswith("listening on ")]
            return marks[0].removeprefix("listening on ").strip() if marks else None

        with self._line_came:
            self._line_came.wait_for(lambda: found() or self.process.poll() is not None, START_DEADLINE_S)
            address = found()
        if not address:
            raise AssertionError(f"the server never said where it listens:\n{self.output()}")
        return address

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode} before it was ready:\n{self.output()}")
        try:
            with urllib.request.urlopen(self.url("/_lookalike/ready"), timeout=10) as reply:
                return reply.status == 200
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://{self.address}{path}"

    @property
    def ca(self) -> Path:
        """The path that `lookalike ca` prints."""
        run = subprocess.run([str(binary()), "ca", "--data", str(self.data)], capture_output=True, text=True, check=True)
        return Path(run.stdout.strip())

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def output(self) -> str:
        return "\n".join(self.lines)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def peak_memory_bytes(self) -> int:
        """The highest resident size that the process ever had (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def kill(self):
        """SIGKILL: nothing in the process gets to run any more."""
        self.process.kill()
        self.process.wait(STOP_DEADLINE_S)

    def terminate(self) -> int:
        """SIGTERM; returns the exit code after the server has drained."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_DEADLINE_S)

    def stop(self):
        if not self.alive():
            return
        try:
            self.terminate()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop on SIGTERM:\n{self.output()}") from None

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_):
        self.stop()
