"""What goes wrong, as a program sees it: code, HTTP status and message of the SDK's exception."""

import re

import pytest
from alibabacloud_gpdb20160503 import models
from alibabacloud_gpdb20160503.client import Client
from alibabacloud_tea_util import models as util_models

from harness import pictures
from harness.api import IS_OLD_SDK, Api, fresh_name, make_client, make_collection, needs, refused, snake

SUPPORTED = {
    "InitVectorDatabase", "CreateNamespace", "DescribeNamespace", "ListNamespaces", "DeleteNamespace",
    "CreateDocumentCollection", "ListDocumentCollections", "DeleteDocumentCollection", "CreateVectorIndex", "DeleteVectorIndex",
    "UploadDocumentAsync", "GetUploadDocumentJob", "CancelUploadDocumentJob",
    "ListDocuments", "DescribeDocument", "DeleteDocument", "QueryContent",
    "UpsertChunks", "ListChunks", "DeleteChunks", "TextEmbedding", "Rerank", "ListSupportModels",
    "CreateCollection", "DescribeCollection", "ListCollections", "ModifyCollection", "DeleteCollection", "GrantCollection", "CreateIndex",
    "DescribeIndex", "DeleteIndex", "ListIndices", "DescribeCreateIndexJob", "CancelCreateIndexJob", "UpsertCollectionData",
    "UpsertCollectionDataAsync", "GetUpsertCollectionDataJob", "CancelUpsertCollectionDataJob", "DeleteCollectionData",
    "UpdateCollectionDataMetadata", "QueryCollectionData", "CreateAccount", "DescribeAccounts", "DescribeRegions", "DescribeDBInstances",
    "DescribeDBInstanceAttribute", "ModifyVectorConfiguration",
}  # fmt: skip


@pytest.mark.docs
def test_an_error_has_the_vendors_shape(api):
    with refused("Collection.NotFound", 404) as refusal:
        api.call("ListDocuments", collection="nowhere")
    assert re.fullmatch(r"[0-9A-F-]{36}", refusal.data["RequestId"])
    assert refusal.data["HostId"]
    assert refusal.data["Recommend"] is not None
    assert refusal.data["RequestId"] in str(refusal.error)
    if not IS_OLD_SDK:
        assert type(refusal.error).__name__ == "ClientException"


@pytest.mark.sdk
@pytest.mark.skipif(IS_OLD_SDK, reason="only the newest SDK tells 4xx and 5xx apart")
def test_a_5xx_is_a_server_exception(api):
    with refused("AccountOrPassword.VerificationError", 500) as refusal:
        api.call("DescribeNamespace", manager_account_password="Wrong_123")
    assert type(refusal.error).__name__ == "ServerException"


@pytest.mark.docs
def test_a_wrong_manager_is_refused_with_the_documented_500(namespace):
    for wrong in ({"manager_account_password": "Wrong_123"}, {"manager_account": "somebody"}):
        with refused("AccountOrPassword.VerificationError", 500) as refusal:
            namespace.call("ListNamespaces", **wrong)
        assert "verification account name or password failed" in refusal.message


@pytest.mark.ours
def test_a_wrong_namespace_password_is_never_404(api):
    """A 404 would make clients create the namespace anew and so overwrite its password."""
    for action in ("ListDocuments", "DeleteDocumentCollection", "ListDocumentCollections"):
        with refused("Namespace.PasswordInvalid", 403):
            api.call(action, namespace_password="Wrong_123")


@pytest.mark.sdk
def test_an_unknown_key_is_refused(server):
    api = Api(make_client(server, access_key_id="nobody"))
    with refused("InvalidAccessKeyId.NotFound", 404):
        api.call("InitVectorDatabase")


@pytest.mark.sdk
def test_a_wrong_secret_is_refused(server):
    api = Api(make_client(server, access_key_secret="wrong"))
    with pytest.raises(Exception) as caught:
        api.call("InitVectorDatabase")
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.sdk
def test_the_old_signature_is_verified_too(server):
    """`signature_algorithm="v2"` is RPC 1.0 with HMAC-SHA1."""
    Api(make_client(server, signature_algorithm="v2")).call("InitVectorDatabase")
    with pytest.raises(Exception) as caught:
        Api(make_client(server, signature_algorithm="v2", access_key_secret="wrong")).call("InitVectorDatabase")
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.docs
@pytest.mark.parametrize(
    ("action", "missing", "parameter"),
    [
        ("QueryContent", "collection", "Collection"),
        ("QueryContent", "namespace_password", "NamespacePassword"),
        ("UploadDocumentAsync", "file_name", "FileName"),
        ("UploadDocumentAsync", "file_url", "FileUrl"),
        ("GetUploadDocumentJob", "job_id", "JobId"),
        ("CreateNamespace", "manager_account", "ManagerAccount"),
        ("CreateNamespace", "namespace_password", "NamespacePassword"),
        ("DescribeDocument", "file_name", "FileName"),
    ],
)
def test_a_missing_parameter_is_named(api, action, missing, parameter):
    fields = {"UploadDocumentAsync": {"file_name": "a.png", "file_url": "http://127.0.0.1:9/a.png"}}.get(action, {})
    with refused("MissingParameter", 400) as refusal:
        api.call(action, **(fields | {missing: None}))
    assert parameter in refusal.message


@pytest.mark.ours
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"embedding_model": "clip-vit-z-99"}, "clip-vit-b-32"),
        pytest.param({"dimension": 513}, "512", marks=needs("CreateDocumentCollection", "dimension")),
        ({"metadata": "not json"}, "Metadata"),
        ({"metadata": '{"price":"money"}'}, "money"),
        ({"metadata": '{"vector":"text"}'}, "vector"),
        ({"metrics": "hamming"}, "Metrics"),
        ({"full_text_retrieval_fields": "title"}, "title"),
    ],
)
def test_an_impossible_collection_is_refused_and_says_why(namespace, fields, named):
    with refused("InvalidParameter", 400) as refusal:
        make_collection(namespace, **fields)
    assert named in refusal.message


@pytest.mark.ours
@pytest.mark.parametrize("name", ["1st", "with space", "semi;colon", "a" * 64, "ünïcode"])
def test_an_impossible_name_is_refused(namespace, name):
    with refused("InvalidParameter", 400) as refusal:
        namespace.with_collection(name).call("CreateDocumentCollection", embedding_model="clip-vit-b-32")
    assert "Collection" in refusal.message


@pytest.mark.docs
@pytest.mark.parametrize(
    ("metadata", "named"), [({"colour": "red"}, "colour"), ({"page": "seven"}, "page"), ({"page": [1]}, "page")]
)
def test_metadata_must_match_what_was_declared(namespace, metadata, named):
    api = make_collection(namespace, metadata='{"page":"int"}')
    with refused("InvalidParameter", 400) as refusal:
        api.submit(pictures.drawing(1), "one.png", metadata=metadata)
    assert named in refusal.message


@pytest.mark.ours
def test_an_undecodable_query_picture_is_refused(api):
    with refused("InvalidParameter", 400):
        api.query_image(b"this is no picture at all", "query.jpg")


def other_actions() -> list[str]:
    methods = {name for name in dir(Client) if name.endswith("_with_options")}
    names = [name.removesuffix("Request") for name in dir(models) if name.endswith("Request")]
    return sorted(name for name in names if f"{snake(name)}_with_options" in methods and name not in SUPPORTED)


@pytest.mark.ours
@pytest.mark.parametrize("action", other_actions())
def test_an_action_that_we_do_not_have_says_so(client, action):
    method = getattr(client, f"{snake(action)}_with_options")
    with refused("UnsupportedOperation", 400) as refusal:
        method(getattr(models, f"{action}Request")(), util_models.RuntimeOptions())
    assert action in refusal.message and "not supported here yet" in refusal.message


@pytest.mark.ours
def test_names_of_different_case_are_different(namespace):
    upper = namespace.with_collection(fresh_name("Photos"))
    upper.call("CreateDocumentCollection", embedding_model="clip-vit-b-32")
    with refused("Collection.NotFound", 404):
        upper.with_collection(upper.collection.lower()).documents()
