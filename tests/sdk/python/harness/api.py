"""The vendor's Python SDK, as a program would use it, with the parameters that every call repeats filled in.

Works with the newest SDK and with 3.5.0: their classes have the same names, their exceptions do not, `refused` hides that.
"""

import importlib.metadata
import inspect
import io
import itertools
import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from alibabacloud_gpdb20160503 import models
from alibabacloud_gpdb20160503.client import Client
from alibabacloud_tea_openapi import models as open_api_models
from alibabacloud_tea_util import models as util_models

from harness.server import ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server, wait_until

SDK_VERSION = importlib.metadata.version("alibabacloud_gpdb20160503")
IS_OLD_SDK = SDK_VERSION.startswith("3.")
REGION = "cn-hangzhou"
JOB_DEADLINE_S = 120
END_STATES = {"Success", "Failed", "Cancelled"}
_numbers = itertools.count(1)


def make_client(server: Server, protocol: str | None = "http", **config) -> Client:
    """A client whose endpoint lines, and nothing else, point at the server."""
    settings = {
        "access_key_id": ACCESS_KEY_ID,
        "access_key_secret": ACCESS_KEY_SECRET,
        "endpoint": server.address,
        "region_id": REGION,
        "protocol": protocol,
    }
    client = Client(open_api_models.Config(**(settings | config)))
    client._open_platform_endpoint = server.address
    return client


def snake(action: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", action).lower()


def known_fields(request_class) -> set[str]:
    return set(inspect.signature(request_class.__init__).parameters) - {"self"}


def knows(action: str, *fields: str) -> bool:
    """Whether this SDK version has the action, and its request these fields."""
    request_class = getattr(models, f"{action}Request", None)
    return request_class is not None and set(fields) <= known_fields(request_class)


def needs(action: str, *fields: str):
    """Skips a test that this SDK version cannot express."""
    return pytest.mark.skipif(not knows(action, *fields), reason=f"SDK {SDK_VERSION} has no {action} {' '.join(fields)}")


@dataclass
class Refusal:
    code: str = ""
    status: int = 0
    message: str = ""
    data: dict = field(default_factory=dict)
    error: Exception | None = None


@contextmanager
def refused(code: str, status: int):
    """Expects the vendor's exception with this code and HTTP status, as a program sees them."""
    seen = Refusal()
    with pytest.raises(Exception) as caught:
        yield seen
    error = caught.value
    seen.error = error
    seen.code = getattr(error, "code", None)
    assert seen.code is not None, f"not an exception of the SDK: {error!r}"
    seen.data = getattr(error, "data", None) or {}
    seen.message = str(getattr(error, "message", error))
    seen.status = getattr(error, "status_code", None) or getattr(error, "statusCode", None) or seen.data.get("statusCode")
    assert (seen.code, seen.status) == (code, status), seen.message


@dataclass
class Api:
    """One namespace's view of the service."""

    client: Client
    instance: str = "gp-test"
    namespace: str = "public"
    password: str = "Namespace_1"
    manager: str = "manager"
    manager_password: str = "Manager_1"
    collection: str = ""
    runtime: dict = field(default_factory=dict)

    def with_collection(self, name: str) -> "Api":
        return replace(self, collection=name)

    def request(self, class_name: str, **fields):
        request_class = getattr(models, class_name)
        usual = {
            "region_id": REGION,
            "dbinstance_id": self.instance,
            "namespace": self.namespace,
            "namespace_password": self.password,
            "manager_account": self.manager,
            "manager_account_password": self.manager_password,
            "collection": self.collection or None,
        }
        known = known_fields(request_class)
        return request_class(**({k: v for k, v in usual.items() if k in known} | fields))

    def options(self):
        return util_models.RuntimeOptions(**self.runtime)

    def call(self, action: str, **fields):
        """The action's reply body; `fields` are the SDK's own names and override the usual values."""
        method = getattr(self.client, f"{snake(action)}_with_options")
        reply = method(self.request(f"{action}Request", **fields), self.options())
        assert reply.status_code == 200
        return reply.body

    async def call_async(self, action: str, **fields):
        method = getattr(self.client, f"{snake(action)}_with_options_async")
        reply = await method(self.request(f"{action}Request", **fields), self.options())
        assert reply.status_code == 200
        return reply.body

    def call_with_file(self, action: str, file: bytes, **fields):
        """The Advance call: the SDK uploads `file` first and then sends the URL."""
        method = getattr(self.client, f"{snake(action)}_advance")
        request = self.request(f"{action}AdvanceRequest", file_url_object=io.BytesIO(file), **fields)
        reply = method(request, self.options())
        assert reply.status_code == 200
        return reply.body

    def submit(self, content: bytes, name: str, **fields) -> str:
        body = self.call_with_file("UploadDocumentAsync", content, file_name=name, **fields)
        assert body.job_id
        return body.job_id

    def submit_url(self, url: str, name: str, **fields) -> str:
        return self.call("UploadDocumentAsync", file_url=url, file_name=name, **fields).job_id

    def job(self, job_id: str):
        return self.call("GetUploadDocumentJob", job_id=job_id).job

    def finished(self, job_id: str, deadline_s: float = JOB_DEADLINE_S):
        """Polls the way the vendor's own programs do, and holds every reply to what they rely on."""

        def look():
            job = self.job(job_id)
            check_job(job)
            return job if job.completed else None

        return wait_until(look, f"job {job_id} to end", deadline_s)

    def upload(self, content: bytes, name: str, **fields):
        job = self.finished(self.submit(content, name, **fields))
        assert job.status == "Success", job.error
        return job

    def query(self, text: str | None = None, **fields):
        if text is not None:
            fields["content"] = text
        return self.call("QueryContent", **fields).matches.match_list

    def query_image(self, picture: bytes, name: str, **fields):
        return self.call_with_file("QueryContent", picture, file_name=name, **fields).matches.match_list

    def documents(self) -> list[str]:
        body = self.call("ListDocuments")
        names = [document.file_name for document in body.items.document_list]
        assert IS_OLD_SDK or body.count == len(names), "3.5.0 does not know Count"
        return names


def check_job(job):
    """The rules that published pollers impose on every GetUploadDocumentJob reply."""
    assert job.status in END_STATES | {"Pending", "Start", "Running", "Cancelling"}
    assert job.completed is (job.status in END_STATES)
    assert 0 <= job.progress <= 100
    assert (job.progress == 100) == (job.status == "Success")
    assert bool(job.error) == (job.status == "Failed"), "Error must stay empty until the job has failed"
    time_text = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"
    assert re.fullmatch(time_text, job.create_time) and re.fullmatch(time_text, job.update_time)
    assert job.create_time <= job.update_time


def fresh_name(prefix: str) -> str:
    return f"{prefix}_{next(_numbers)}"


def make_namespace(client: Client, instance: str = "gp-test", **runtime) -> Api:
    """An initialised instance with a namespace that no other test uses."""
    api = Api(client, instance=instance, namespace=fresh_name("ns"), runtime=runtime)
    api.call("InitVectorDatabase")
    api.call("CreateNamespace")
    return api


def make_collection(api: Api, **fields) -> Api:
    """A new image collection in the API's namespace; fields as in CreateDocumentCollection."""
    name = fresh_name("photos")
    settings = {
        "embedding_model": "clip-vit-b-32",
        "metadata": '{"caption":"text","category":"text","batch":"text"}',
    }
    api.with_collection(name).call("CreateDocumentCollection", **(settings | fields))
    return api.with_collection(name)
