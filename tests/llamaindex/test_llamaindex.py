"""LlamaIndex's AnalyticDB store from PyPI, unchanged: only the client's endpoint points at the server."""

import itertools

import pytest
from harness.api import make_client
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.vector_stores.analyticdb import AnalyticDBVectorStore

pytestmark = pytest.mark.sdk
DIMENSION = 4
_numbers = itertools.count(1)


def node(name: str, vector: list[float], document: str, **metadata) -> TextNode:
    return TextNode(
        id_=name,
        text=f"It's {name}: 文本",
        embedding=vector,
        metadata=metadata,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
    )


def new_store(server, **settings) -> AnalyticDBVectorStore:
    defaults = {
        "region_id": "cn-hangzhou",
        "instance_id": "gp-llama",
        "account": "manager",
        "account_password": "Manager_1",
        "namespace": f"llama_{next(_numbers)}",
        "embedding_dimension": DIMENSION,
    }
    return AnalyticDBVectorStore(client=make_client(server), **(defaults | settings))


@pytest.fixture
def store(server) -> AnalyticDBVectorStore:
    store = new_store(server)
    added = store.add(
        [
            node("first", [1.0, 0.0, 0.0, 0.0], "book", author="Ann", year=1999, tags=["red", "blue"]),
            node("second", [0.0, 1.0, 0.0, 0.0], "book", author="Bob", year=2005, tags=["blue"]),
            node("third", [0.0, 0.0, 1.0, 0.0], "leaflet", author="O''Neill", year=2020, tags=[]),
        ]
    )
    assert added == ["first", "second", "third"]
    return store


def ask(store, vector, *filters: MetadataFilter, top_k: int = 10) -> list[str]:
    conditions = MetadataFilters(filters=list(filters)) if filters else None
    query = VectorStoreQuery(query_embedding=vector, similarity_top_k=top_k, filters=conditions)
    return store.query(query).ids


def test_nodes_come_back_whole_and_nearest_first(store):
    result = store.query(VectorStoreQuery(query_embedding=[0.1, 1.0, 0.0, 0.0], similarity_top_k=2))
    assert result.ids == ["second", "first"]
    assert result.similarities[0] > 0.99 > result.similarities[1]
    found = result.nodes[0]
    assert (found.node_id, found.text, found.ref_doc_id) == ("second", "It's second: 文本", "book")
    assert found.metadata == {"author": "Bob", "year": 2005, "tags": ["blue"]}


@pytest.mark.parametrize(
    ("operator", "key", "value", "expected"),
    [
        (FilterOperator.EQ, "author", "Ann", {"first"}),
        (FilterOperator.NE, "author", "Ann", {"second", "third"}),
        (FilterOperator.GT, "year", "2000", {"second", "third"}),
        (FilterOperator.LTE, "year", "2005", {"first", "second"}),
        (FilterOperator.EQ, "year", 2020, {"third"}),
        (FilterOperator.IN, "author", ["Ann", "Bob"], {"first", "second"}),
        (FilterOperator.NIN, "author", ["Ann", "Bob"], {"third"}),
        (FilterOperator.CONTAINS, "tags", "blue", {"first", "second"}),
        (FilterOperator.EQ, "author", "nobody", set()),
    ],
)
def test_every_operator_of_its_filters_works(store, operator, key, value, expected):
    found = ask(store, [1.0, 1.0, 1.0, 0.0], MetadataFilter(key=key, value=value, operator=operator))
    assert set(found) == expected


def test_a_document_is_deleted_with_its_nodes(store, server):
    store.delete("book")
    assert ask(store, [1.0, 1.0, 1.0, 0.0]) == ["third"]
    store.delete("book")
    store.delete_collection()
    # Made anew by the next store, as at a program's next start.
    again = new_store(server, namespace=store.namespace)
    assert ask(again, [1.0, 0.0, 0.0, 0.0]) == []


def test_set_up_is_sent_at_every_start(store, server):
    again = new_store(server, namespace=store.namespace)
    assert ask(again, [1.0, 0.0, 0.0, 0.0], top_k=1) == ["first"]


def test_another_metric_is_the_stores_own(server):
    store = new_store(server, metrics="l2")
    store.add([node("near", [1.0, 0.0, 0.0, 0.0], "a"), node("far", [9.0, 0.0, 0.0, 0.0], "a")])
    result = store.query(VectorStoreQuery(query_embedding=[1.0, 0.0, 0.0, 0.0], similarity_top_k=2))
    assert (result.ids, result.similarities) == (["near", "far"], [0.0, 8.0])
