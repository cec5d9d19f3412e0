"""The server under test for LlamaIndex's own integration."""

import pytest

from harness.server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("data")) as running:
        yield running
        assert running.alive(), f"the server died during the tests:\n{running.output()}"
