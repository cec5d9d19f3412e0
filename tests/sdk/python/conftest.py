"""Fixtures of the SDK contract tests, and the rule that every test says how we know what it claims."""

import os

import pytest

from harness import pictures
from harness.api import Api, make_client, make_collection, make_namespace
from harness.server import Server
from harness.web import Pages

EVIDENCE = {"cloud", "docs", "sdk", "ours"}


def pytest_collection_modifyitems(items):
    for item in items:
        marks = EVIDENCE & {mark.name for mark in item.iter_markers()}
        if len(marks) != 1:
            raise pytest.UsageError(f"{item.nodeid} needs exactly one mark of {sorted(EVIDENCE)}, it has {sorted(marks)}")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that all ordinary tests share; each has a namespace or a collection of its own in it."""
    with Server(tmp_path_factory.mktemp("data"), "--allow-private-urls") as running:
        yield running
        assert running.alive(), f"the server died during the tests:\n{running.output()}"


@pytest.fixture(scope="session", autouse=True)
def trust_the_ca(server):
    """SSL_CERT_FILE is how a user makes Python trust the server's CA without touching the program."""
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(server.ca)
    yield
    if before is None:
        del os.environ["SSL_CERT_FILE"]
    else:
        os.environ["SSL_CERT_FILE"] = before


@pytest.fixture(scope="session")
def client(server):
    return make_client(server)


@pytest.fixture
def namespace(client) -> Api:
    return make_namespace(client)


@pytest.fixture
def api(namespace) -> Api:
    """An empty image collection of the test's own."""
    return make_collection(namespace)


@pytest.fixture(scope="session")
def album(client) -> Api:
    """A collection with the example photos, to be queried only."""
    api = make_collection(make_namespace(client))
    api.upload(pictures.zipped(pictures.example_photos()), "photos.zip", metadata={"batch": "examples"})
    return api


@pytest.fixture(scope="session")
def pages():
    pages = Pages()
    yield pages
    pages.close()
