"""The Python example, run as its README says."""

import os
import subprocess
import sys

import pytest

from harness import pictures
from harness.server import ACCESS_KEY_ID, ACCESS_KEY_SECRET, ROOT, Server

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Runs the script against a server of its own: its collection has a fixed name."""
    with Server(tmp_path_factory.mktemp("example")) as server:
        env = os.environ | {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ACCESS_KEY_SECRET,
            "LOOKALIKE_ENDPOINT": server.address,
            "SSL_CERT_FILE": str(server.ca),
        }

        def run(*arguments: str) -> str:
            command = [sys.executable, str(ROOT / "examples/python/image_search.py"), *arguments]
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        assert run("load") == f"{len(pictures.labels())} photos are ready to be searched\n"
        yield run


def names(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines() if not line.startswith(" ")]


def test_search_by_text(example):
    output = example("text", "dog")
    assert set(names(output)) == pictures.photos_of("dog")
    assert pictures.captions()["bulldog-waiting.jpg"] in output


def test_search_by_picture(example):
    output = example("image", str(pictures.PHOTOS / "lemons.jpg"), "--top", "5")
    assert names(output)[0] == "lemons.jpg"
    assert len(names(output)) == 5


def test_upload_an_archive_and_loading_again_changes_nothing(example, tmp_path):
    archive = tmp_path / "more.zip"
    archive.write_bytes(pictures.zipped({"rose-again.jpg": pictures.photo("rose.jpg")}))
    example("archive", str(archive))
    assert set(names(example("text", "red rose", "--top", "100"))) == {*pictures.labels(), "rose-again.jpg"}
    example("load")
    assert len(names(example("text", "red rose", "--top", "100"))) == len(pictures.labels()) + 1
