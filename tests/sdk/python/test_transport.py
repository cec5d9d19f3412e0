"""HTTP and HTTPS on one port, the ways to trust the CA, and how the SDK spells things on the wire."""

import asyncio
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from alibabacloud_credentials.client import Client as CredentialClient
from alibabacloud_credentials.models import Config as CredentialConfig

from harness import pictures
from harness.api import IS_OLD_SDK, Api, make_client, make_collection, make_namespace, needs
from harness.server import BEARER_TOKEN, TEMPORARY_KEY
from harness.web import opened

FLOW = Path(__file__).parent / "harness/one_upload.py"
WAYS_OF_TRUST = ["SSL_CERT_FILE", "ca", "ignore_ssl"]


def run_flow(server, protocol: str | None, way: str) -> subprocess.CompletedProcess:
    """The whole flow in a process of its own: the SDKs keep connections, and with them their trust, for a process's life."""
    env = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    if way == "SSL_CERT_FILE":
        env["SSL_CERT_FILE"] = str(server.ca)
    command = [sys.executable, str(FLOW), server.address, protocol or "none", way, str(server.ca)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.sdk
@pytest.mark.parametrize("way", WAYS_OF_TRUST)
@pytest.mark.parametrize("protocol", ["http", "https", None])
def test_a_local_file_goes_up_and_comes_back(server, protocol, way):
    """Also the upload inside: HTTPS always with the newest SDK, as the protocol says with the old one."""
    if IS_OLD_SDK and way == "SSL_CERT_FILE" and protocol != "http":
        pytest.skip("the old SDK's synchronous client does not read SSL_CERT_FILE")
    done = run_flow(server, protocol, way)
    assert done.stdout == "the picture came back\n", done.stdout + done.stderr


@pytest.mark.sdk
@pytest.mark.skipif(IS_OLD_SDK, reason="the old SDK uploads over HTTP")
def test_without_trust_the_upload_is_refused_by_the_client(server):
    """Proves that the certificate is really checked in the tests above."""
    done = run_flow(server, "http", "none")
    assert done.returncode != 0
    assert "certificate verify failed" in done.stderr


@pytest.mark.ours
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_certificate_names_the_host(server, host):
    port = server.address.rpartition(":")[2]
    with urllib.request.urlopen(f"https://{host}:{port}/_lookalike/health", timeout=10, context=server.tls()) as reply:
        assert reply.status == 200


@pytest.mark.ours
def test_another_ca_is_not_trusted(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(urllib.error.URLError) as caught:
        urllib.request.urlopen(server.url("/_lookalike/health", "https"), timeout=10, context=ssl.create_default_context())
    assert isinstance(caught.value.reason, ssl.SSLCertVerificationError)


@pytest.mark.sdk
@needs("QueryContent", "include_vector")
def test_the_python_sdks_booleans_are_understood(api):
    """Python sends `True` and `False`."""
    api.upload(pictures.drawing(1), "one.png", dry_run=False)
    assert len(api.query("x", include_vector=True)[0].vector.vector_list) == 512
    vector = api.query("x", include_vector=False)[0].vector
    assert not vector or not vector.vector_list
    assert api.finished(api.submit(pictures.drawing(2), "two.png", dry_run=True)).status == "Success"
    assert api.documents() == ["one.png"]


@pytest.mark.sdk
def test_a_region_is_not_needed(server, api):
    """The guide sets none in the configuration."""
    client = make_client(server, region_id=None)
    Api(client, namespace=api.namespace, collection=api.collection).upload(pictures.drawing(1), "one.png")
    assert api.documents() == ["one.png"]


@pytest.mark.sdk
@pytest.mark.parametrize("algorithm", [None, "v2"])
def test_temporary_credentials_carry_their_token(server, algorithm):
    key, secret, token = TEMPORARY_KEY
    settings = {"access_key_id": key, "access_key_secret": secret, "signature_algorithm": algorithm, "type": "sts"}
    make_namespace(make_client(server, security_token=token, **settings))
    with pytest.raises(Exception) as caught:
        make_namespace(make_client(server, security_token="STS.another", **settings))
    assert caught.value.code == "InvalidSecurityToken.MismatchWithAccessKey"


@pytest.mark.sdk
@pytest.mark.skipif(IS_OLD_SDK, reason="the old SDK has no bearer credentials")
def test_a_bearer_token_is_a_credential(server):
    def client(token: str):
        credential = CredentialClient(CredentialConfig(type="bearer", bearer_token=token))
        return make_client(server, access_key_id=None, access_key_secret=None, credential=credential)

    make_namespace(client(BEARER_TOKEN))
    with pytest.raises(Exception) as caught:
        make_namespace(client("another"))
    assert caught.value.code


@pytest.mark.sdk
@pytest.mark.parametrize("size", [1023, 1025, 4096, 3_000_000])
def test_a_file_of_any_size_arrives_whole(api, size):
    """Not 1024 bytes: at that size the Python SDKs' form writer never ends."""
    picture = pictures.drawing(1)
    name = f"padded-{size}.png"
    content = picture + bytes(index * 7 % 251 for index in range(size - len(picture)))
    assert len(content) == size
    api.upload(content, name)
    assert opened(api.query("x")[0].file_url) == content


@pytest.mark.sdk
def test_text_of_any_kind_survives(namespace):
    """Python signs a blank as `+`, sends non-ASCII unescaped in JSON, and empty texts as they are."""
    caption = "a + b & c = 100 % ~*'()! \"quoted\" 狗 🐕 \n\t end"
    api = make_collection(namespace)
    api.upload(pictures.drawing(1), "狗 + & % 100.png", metadata={"caption": caption, "category": ""})
    match = api.query("狗 dog + & %")[0]
    assert match.file_name == "狗 + & % 100.png"
    assert match.metadata == {"caption": caption, "category": ""}
    assert opened(match.file_url) == pictures.drawing(1)
    assert api.call("DescribeDocument", file_name=match.file_name).file_name == match.file_name


@pytest.mark.sdk
def test_the_asynchronous_client_does_the_same(server):
    """`*_async` speaks through another HTTP library."""
    api = make_collection(make_namespace(make_client(server), ca=str(server.ca)))

    async def flow():
        assert (await api.call_async("ListDocuments")).items.document_list == []
        with (pictures.PHOTOS / "eagle.jpg").open("rb") as file:
            request = api.request("UploadDocumentAsyncAdvanceRequest", file_name="eagle.jpg", file_url_object=file)
            reply = await api.client.upload_document_async_advance_async(request, api.options())
        while not (job := (await api.call_async("GetUploadDocumentJob", job_id=reply.body.job_id)).job).completed:
            await asyncio.sleep(0.02)
        assert job.status == "Success", job.error
        with (pictures.PHOTOS / "eagle.jpg").open("rb") as file:
            request = api.request("QueryContentAdvanceRequest", file_name="query.jpg", file_url_object=file, top_k=1)
            reply = await api.client.query_content_advance_async(request, api.options())
        texts = await asyncio.gather(*(api.call_async("QueryContent", content="eagle", top_k=1) for _ in range(8)))
        return [reply.body, *texts]

    for body in asyncio.run(flow()):
        assert [match.file_name for match in body.matches.match_list] == ["eagle.jpg"]
