"""What Dify's AnalyticDB store sends through the OpenAPI, in its order, with its parameters (contract/semantics.md, client: DIFY).

Its own code needs Dify around it; these calls are written from the description of what it depends on.
"""

import json
import uuid

import pytest
from alibabacloud_gpdb20160503 import models

from harness.api import Api, fresh_name

DIMENSION = 8
METADATA = {"ref_doc_id": "text", "page_content": "text", "metadata_": "jsonb"}


class DifyStore:
    """The calls of the store, named after what Dify asks it for."""

    def __init__(self, client):
        # Dify lower-cases the name of its index.
        self.api = Api(client, namespace=fresh_name("dify"), collection=f"Vector_index_{uuid.uuid4().hex}_Node".lower())
        self.api.call("InitVectorDatabase")
        self.if_missing("DescribeNamespace", "CreateNamespace")
        self.if_missing(
            "DescribeCollection",
            "CreateCollection",
            dimension=DIMENSION,
            metrics="cosine",
            metadata=json.dumps(METADATA),
            full_text_retrieval_fields="page_content",
        )

    def if_missing(self, look: str, make: str, **fields):
        try:
            self.api.call(look)
        except Exception as error:
            if getattr(error, "statusCode", None) != 404:
                raise
            self.api.call(make, **fields)

    def add_texts(self, documents):
        rows = [
            models.UpsertCollectionDataRequestRows(
                vector=vector,
                metadata={"ref_doc_id": metadata["doc_id"], "page_content": text, "metadata_": json.dumps(metadata)},
            )
            for text, vector, metadata in documents
        ]
        self.api.call("UpsertCollectionData", rows=rows)

    def text_exists(self, doc_id: str) -> bool:
        body = self.api.call("QueryCollectionData", metrics="cosine", include_values=True, vector=None, content=None, top_k=1, filter=f"ref_doc_id='{doc_id}'")
        return len(body.matches.match) > 0

    def delete_by_ids(self, doc_ids):
        quoted = ",".join(f"'{doc_id}'" for doc_id in doc_ids)
        return self.api.call("DeleteCollectionData", collection_data=None, collection_data_filter=f"ref_doc_id IN ({quoted})").applied_rows

    def delete_by_metadata_field(self, key: str, value: str):
        return self.api.call("DeleteCollectionData", collection_data=None, collection_data_filter=f"metadata_ ->> '{key}' = '{value}'").applied_rows

    def search_by_vector(self, vector, top_k: int = 4, score_threshold: float = 0.0, document_ids=()):
        where = ""
        if document_ids:
            quoted = ", ".join(f"'{document_id}'" for document_id in document_ids)
            where = f"metadata_ ->> 'document_id' IN ({quoted})"
        body = self.api.call("QueryCollectionData", metrics="cosine", include_values=True, vector=vector, content=None, top_k=top_k, filter=where)
        found = []
        for match in body.matches.match:
            if match.score > score_threshold:
                metadata = json.loads(match.metadata.get("metadata_"))
                found.append((match.metadata.get("page_content"), metadata, match.values.value))
        return sorted(found, key=lambda one: one[1]["doc_id"])

    def delete(self):
        self.api.call("DeleteCollection")


def along(axis: int) -> list[float]:
    return [1.0 if at == axis else 0.0 for at in range(DIMENSION)]


@pytest.fixture
def store(client) -> DifyStore:
    store = DifyStore(client)
    store.add_texts(
        [
            ("It's raining", along(0), {"doc_id": "one", "document_id": "d1", "doc_hash": "a"}),
            ("天气很好", along(1), {"doc_id": "two", "document_id": "d1", "doc_hash": "b"}),
            ("Snow", along(2), {"doc_id": "three", "document_id": "d2", "doc_hash": "c"}),
        ]
    )
    return store


@pytest.mark.sdk
def test_set_up_is_sent_at_every_start(store, client):
    again = DifyStore(client)
    again.api = store.api
    for look, make in [("DescribeNamespace", "CreateNamespace"), ("DescribeCollection", "CreateCollection")]:
        again.if_missing(look, make)
    assert store.text_exists("one")


@pytest.mark.sdk
def test_texts_are_found_by_vector_above_the_threshold(store):
    [(text, metadata, vector)] = store.search_by_vector(along(1))
    assert (text, metadata["doc_id"], vector) == ("天气很好", "two", along(1))
    both = [0.6, 0.8] + [0.0] * (DIMENSION - 2)
    assert [metadata["doc_id"] for _, metadata, _ in store.search_by_vector(both, score_threshold=0.7)] == ["two"]
    assert [metadata["doc_id"] for _, metadata, _ in store.search_by_vector(both, document_ids=["d2", "d1"])] == ["one", "two"]
    assert store.search_by_vector(along(2), document_ids=["d1"]) == []


@pytest.mark.sdk
def test_texts_are_deleted_by_id_by_document_and_all_together(store):
    assert store.text_exists("one") and not store.text_exists("nobody")
    assert store.delete_by_ids(["one", "nobody"]) == 1
    assert not store.text_exists("one")
    assert store.delete_by_metadata_field("document_id", "d2") == 1
    assert store.search_by_vector(along(2)) == []
    store.delete()
    with pytest.raises(Exception) as caught:
        store.api.call("DescribeCollection")
    assert caught.value.statusCode == 404
