"""Every supported action through the SDK: what it answers and what it changes."""

import re

import pytest

from harness import pictures
from harness.api import Api, fresh_name, make_collection, make_namespace, needs, refused

REQUEST_ID = r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}"


def check_envelope(body, message: str = "success"):
    assert re.fullmatch(REQUEST_ID, body.request_id)
    assert body.status == "success"
    assert body.message == message


@pytest.mark.sdk
def test_set_up_may_be_repeated(client):
    """Dify, LlamaIndex and the vendor's plugin send both calls at every start."""
    api = Api(client, namespace=fresh_name("ns"))
    for _ in range(2):
        check_envelope(api.call("InitVectorDatabase"))
        check_envelope(api.call("CreateNamespace"))


@pytest.mark.sdk
def test_creating_a_namespace_again_replaces_its_password(namespace):
    collection = make_collection(namespace)
    changed = Api(namespace.client, namespace=namespace.namespace, password="Another_1", collection=collection.collection)
    changed.call("CreateNamespace")
    assert changed.documents() == []
    with refused("Namespace.PasswordInvalid", 403):
        collection.documents()


@pytest.mark.docs
def test_describe_namespace(namespace):
    body = namespace.call("DescribeNamespace")
    check_envelope(body, "Successful")
    assert (body.namespace, body.dbinstance_id, body.region_id) == (namespace.namespace, namespace.instance, "cn-hangzhou")
    assert isinstance(body.namespace_info, dict)


@pytest.mark.sdk
def test_a_missing_namespace_is_404(namespace):
    """The status is what Dify and LlamaIndex look at, the ending `NotFound` what the vendor's plugin looks at."""
    with refused("Namespace.NotFound", 404):
        namespace.call("DescribeNamespace", namespace="nowhere")


@pytest.mark.docs
def test_list_namespaces(client):
    first = make_namespace(client, instance="gp-list")
    second = make_namespace(client, instance="gp-list")
    body = first.call("ListNamespaces")
    check_envelope(body, "Successful")
    assert body.dbinstance_id == "gp-list"
    assert {first.namespace, second.namespace} <= set(body.namespaces.namespace)
    assert body.count == len(body.namespaces.namespace)


@pytest.mark.ours
def test_delete_namespace_removes_what_is_in_it(namespace):
    collection = make_collection(namespace)
    collection.upload(pictures.drawing(1), "one.png")
    check_envelope(namespace.call("DeleteNamespace"))
    with refused("Namespace.NotFound", 404):
        namespace.call("DescribeNamespace")
    namespace.call("CreateNamespace")
    with refused("Collection.NotFound", 404):
        collection.documents()


@pytest.mark.docs
@needs("ListDocumentCollections")
def test_a_document_collection_is_listed_as_it_was_made(namespace):
    assert namespace.call("ListDocumentCollections").count == 0
    api = make_collection(namespace, embedding_model="clip-vit-l-14", metrics="l2", metadata='{"caption":"text"}')
    body = namespace.call("ListDocumentCollections")
    check_envelope(body)
    assert body.count == 1
    item = body.items.collection_list[0]
    assert item.collection_name == api.collection
    assert (item.embedding_model, item.dimension, item.metrics) == ("clip-vit-l-14", 768, "l2")
    assert item.metadata == '{"caption":"text"}'


@pytest.mark.sdk
def test_creating_a_collection_twice_says_already_exists(api):
    with refused("Collection.AlreadyExists", 409):
        api.call("CreateDocumentCollection", embedding_model="clip-vit-b-32")


@pytest.mark.docs
def test_delete_document_collection(api):
    api.upload(pictures.drawing(1), "one.png")
    check_envelope(api.call("DeleteDocumentCollection"))
    for action in ("ListDocuments", "DeleteDocumentCollection"):
        with refused("Collection.NotFound", 404) as refusal:
            api.call(action)
        assert "please check if the collection name is corrected" in refusal.message


@pytest.mark.docs
def test_a_vector_index_can_be_made_and_deleted(api):
    check_envelope(api.call("CreateVectorIndex", dimension=512, metrics="cosine"))
    check_envelope(api.call("DeleteVectorIndex"))
    api.upload(pictures.drawing(1), "one.png")
    assert len(api.query("red")) == 1, "searching without an index is an exact scan"


@pytest.mark.docs
def test_documents_are_listed_whole_without_paging_parameters(api):
    members = {f"picture-{number}.png": pictures.drawing(number) for number in range(7)}
    api.upload(pictures.zipped(members), "seven.zip")
    assert api.documents() == sorted(members), "ordered by name"


@pytest.mark.docs
@needs("ListDocuments", "max_results")
def test_documents_are_listed_page_by_page(api):
    members = {f"picture-{number}.png": pictures.drawing(number) for number in range(7)}
    api.upload(pictures.zipped(members), "seven.zip")
    names, token = [], None
    for expected in (3, 3, 1):
        body = api.call("ListDocuments", max_results=3, **({"next_token": token} if token else {}))
        check_envelope(body, "Successful")
        assert body.count == len(body.items.document_list) == expected
        names += [document.file_name for document in body.items.document_list]
        token = body.next_token
    assert names == sorted(members)
    assert not token


@pytest.mark.docs
def test_describe_document(api):
    content = pictures.photo("rose.jpg")
    api.upload(content, "garden/rose.jpg")
    body = api.call("DescribeDocument", file_name="garden/rose.jpg")
    check_envelope(body)
    assert body.file_name == "garden/rose.jpg"
    assert body.file_ext == "jpg"
    assert body.file_size == len(content)
    assert re.fullmatch(r"[0-9a-f]{32}", body.file_md_5)
    assert body.file_version == 1
    assert body.docs_count == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", body.file_mtime)


@pytest.mark.docs
def test_delete_document(api):
    api.upload(pictures.drawing(1), "one.png")
    api.upload(pictures.drawing(2), "two.png")
    check_envelope(api.call("DeleteDocument", file_name="one.png"))
    assert api.documents() == ["two.png"]
    assert [match.file_name for match in api.query("colour")] == ["two.png"]
    for action in ("DescribeDocument", "DeleteDocument"):
        with refused("File.NotFound", 404):
            api.call(action, file_name="one.png")
