"""One local file up, found by image, and back; a program of its own because trust lasts as long as a process.

    python one_upload.py ADDRESS http|https|none SSL_CERT_FILE|ca|ignore_ssl|none CA_PATH
"""

import os
import ssl
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import pictures
from harness.api import make_client, make_collection, make_namespace


def main():
    address, protocol, way, ca = sys.argv[1:]
    runtime = {"ca": {"ca": ca}, "ignore_ssl": {"ignore_ssl": True}}.get(way, {})
    client = make_client(SimpleNamespace(address=address), protocol=None if protocol == "none" else protocol)
    instance = f"gp-process-{os.getpid()}"
    api = make_collection(make_namespace(client, instance, **runtime))
    content = pictures.photo("daisy.jpg")
    api.upload(content, "daisy.jpg")
    match = api.query_image(content, "query.jpg", top_k=1)[0]
    assert match.file_name == "daisy.jpg"
    with urllib.request.urlopen(match.file_url, timeout=30, context=ssl.create_default_context(cafile=ca)) as reply:
        assert reply.read() == content
    print("the picture came back")


if __name__ == "__main__":
    main()
