"""A Streamlit script as a process of its own, on a free port."""

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from harness.server import wait_until


class StreamlitPage:
    """`streamlit run SCRIPT`; the port is taken from the system and handed on, Streamlit cannot choose one by itself."""

    def __init__(self, script: Path, env: dict[str, str], home: Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
        flags = {
            "--server.address": "127.0.0.1",
            "--server.headless": "true",
            "--server.fileWatcherType": "none",
            "--browser.gatherUsageStats": "false",
        }
        for name, value in flags.items():
            command += [name, value]
        self.process = subprocess.Popen(
            command,
            env=env | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True).start()

    def __enter__(self) -> "StreamlitPage":
        wait_until(self._is_up, "Streamlit to answer")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, "".join(self.lines)
        try:
            with urllib.request.urlopen(f"{self.url}_stcore/health", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False
