"""A headless Chromium and a server with the example photos, each photo with its caption."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from harness.server import ACCESS_KEY_ID, ACCESS_KEY_SECRET, ROOT, Server

# Without the flags against background traffic Chromium asks hosts on the internet at every start; no test needs those.
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1600",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("data")) as running:
        yield running
        assert running.alive(), f"the server died during the tests:\n{running.output()}"


@pytest.fixture(scope="session")
def user(server) -> dict[str, str]:
    """The environment of somebody who set the examples up as their READMEs say."""
    return os.environ | {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ACCESS_KEY_SECRET,
        "LOOKALIKE_ENDPOINT": server.address,
        "SSL_CERT_FILE": str(server.ca),
    }


@pytest.fixture(scope="session")
def photos(user):
    """The example photos, uploaded by the Python example."""
    script = ROOT / "examples/python/image_search.py"
    subprocess.run([sys.executable, str(script), "load"], env=user, check=True, timeout=300)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else ""
    for flag in [*CHROMIUM_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver_path = "/usr/bin/chromedriver"
    driver = webdriver.Chrome(options=options, service=Service(driver_path if Path(driver_path).exists() else None))
    yield driver
    driver.quit()
