"""The README's Python example, run as it stands but for the address and the key of the test's server."""

import re
import subprocess
import sys

import pytest

from harness.api import needs
from harness.server import ACCESS_KEY_ID, ACCESS_KEY_SECRET, ROOT, Server

pytestmark = [pytest.mark.ours, needs("QueryContent", "file_url")]


def test_the_example_of_the_readme_finds_the_dog(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    with Server(tmp_path / "data") as server:
        source = blocks[0]
        for there, here in {
            '"127.0.0.1:8443"': f'"{server.address}"',
            'access_key_id="lookalike"': f'access_key_id="{ACCESS_KEY_ID}"',
            'access_key_secret="lookalike"': f'access_key_secret="{ACCESS_KEY_SECRET}"',
        }.items():
            assert there in source
            source = source.replace(there, here)
        command = [sys.executable, "-W", "ignore", "-c", source]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"0\.\d+ dog\.jpg a dog http://\S+\n", done.stdout), done.stdout
