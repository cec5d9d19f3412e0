"""Text collections: uploads, chunks, windows, reranking, and the text models by themselves."""

import json
import math
import re
import urllib.request

import pytest
from alibabacloud_gpdb20160503 import models

from harness.api import IS_OLD_SDK, Api, fresh_name, make_collection, needs, refused

NOTES = "The invoice of the third quarter is overdue.\n\nA puppy sleeps on the sofa.\n\nHeavy rain is expected tomorrow."
SPLIT = {"chunk_size": 50, "chunk_overlap": 0}


@pytest.fixture
def notes(namespace) -> Api:
    """An empty collection of the default model, which is one of texts."""
    return make_collection(namespace, embedding_model=None, metadata='{"topic":"text","page":"int"}')


def opened(url: str) -> bytes:
    """What a bare GET finds, as any browser would."""
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read()


def chunks_of(notes: Api, **fields):
    return notes.call("ListChunks", **fields).chunks.chunks


@pytest.mark.docs
def test_a_text_is_split_embedded_and_found(notes):
    job = notes.upload(NOTES.encode(), "notes.txt", metadata={"topic": "mixed", "page": 3}, **SPLIT)
    assert job.progress == 100
    best = notes.query("dog", top_k=1)[0]
    assert best.content == "A puppy sleeps on the sofa."
    assert best.file_name == "notes.txt"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_1", best.id)
    assert best.metadata == {"topic": "mixed", "page": "3"}
    assert json.loads(best.loader_metadata)["source"] == "notes.txt"
    assert notes.query("weather forecast", top_k=1)[0].content.startswith("Heavy rain")


@pytest.mark.docs
def test_chinese_is_found_by_its_characters(notes):
    text = "发票已经付款，谢谢您的合作。\n客户要求退款，请尽快处理。\n仓库将在三天内发货。"
    notes.upload(text.encode("gb18030"), "常见问题.txt", chunk_size=20, chunk_overlap=0)
    for query, expected in [("退款", "客户要求退款"), ("什么时候发货？", "仓库"), ("发票", "发票")]:
        assert notes.query(query, top_k=1)[0].content.startswith(expected)


@pytest.mark.docs
@pytest.mark.skipif(IS_OLD_SDK, reason="3.5.0 does not know ChunkResult")
def test_chunk_files_open_without_a_signature(notes):
    job_id = notes.submit(b"# Guide\nfirst\n\n## Use\nclick here", "guide.md")
    notes.finished(job_id)
    body = notes.call("GetUploadDocumentJob", job_id=job_id)
    lines = [json.loads(line) for line in opened(body.chunk_result.chunk_file_url).decode().splitlines()]
    assert [line["page_content"] for line in lines] == ["# Guide\nfirst", "## Use\nclick here"]
    assert lines[1]["metadata"]["Header 2"] == "Use"
    assert opened(body.chunk_result.plain_chunk_file_url).decode() == "# Guide first\n## Use click here\n"
    assert body.usage.embedding_entries == 2, "a text is one"
    document = notes.call("DescribeDocument", file_name="guide.md")
    assert (document.docs_count, document.file_ext, document.file_version) == (2, "md", 1)
    assert document.text_splitter == "MarkdownHeaderTextSplitter"
    assert document.document_loader
    assert opened(document.file_url) == b"# Guide\nfirst\n\n## Use\nclick here"


@pytest.mark.docs
@needs("UploadDocumentAsync", "dry_run")
def test_a_dry_run_has_chunk_files_and_stores_nothing(notes):
    job_id = notes.submit(NOTES.encode(), "notes.txt", dry_run=True, **SPLIT)
    assert notes.finished(job_id).status == "Success"
    result = notes.call("GetUploadDocumentJob", job_id=job_id).chunk_result
    assert len(opened(result.plain_chunk_file_url).decode().splitlines()) == 3
    assert notes.documents() == []
    assert notes.query("dog") == []


@pytest.mark.docs
def test_an_upload_of_the_same_name_replaces_the_chunks(notes):
    notes.upload(NOTES.encode(), "notes.txt", **SPLIT)
    notes.upload(b"Only this is left.", "notes.txt")
    assert [match.content for match in notes.query("dog")] == ["Only this is left."]
    assert notes.call("DescribeDocument", file_name="notes.txt").file_version == 2


@pytest.mark.docs
@pytest.mark.parametrize(
    "fields",
    [{"chunk_size": 2049}, {"chunk_size": 10, "chunk_overlap": 11}, {"text_splitter_name": "LLMSplitter"}],
    ids=["size", "overlap", "splitter"],
)
def test_wrong_splitting_is_refused_at_once(notes, fields):
    with refused("InvalidParameter", 400):
        notes.submit(b"text", "notes.txt", **fields)


@pytest.mark.ours
def test_images_and_texts_do_not_mix(notes, api):
    with refused("InvalidParameter", 400) as refusal:
        notes.submit(b"x", "photo.jpg")
    assert "text-embedding-v3" in refusal.message
    with refused("InvalidParameter", 400) as refusal:
        api.submit(b"x", "notes.txt")
    assert "clip-vit-b-32" in refusal.message
    with refused("InvalidParameter", 400) as refusal:
        notes.submit(b"x", "report.pdf")
    assert ".txt or .md" in refusal.message


@pytest.mark.ours
def test_a_file_that_is_no_text_fails_with_the_reason(notes):
    job = notes.finished(notes.submit(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "notes.txt"))
    assert job.status == "Failed"
    assert "UTF-8" in job.error


@pytest.mark.docs
@needs("QueryContent", "recall_window")
def test_a_window_holds_the_neighbours(notes):
    notes.upload(NOTES.encode(), "notes.txt", **SPLIT)
    body = notes.call("QueryContent", content="puppy", top_k=1, recall_window=[-1, 1])
    window = body.window_matches.window_matches[0].window_match.window_match
    assert [row.content for row in window] == NOTES.split("\n\n")
    body = notes.call("QueryContent", content="puppy", top_k=1, recall_window=[0, 0])
    assert len(body.window_matches.window_matches[0].window_match.window_match) == 1


@pytest.mark.docs
@needs("QueryContent", "rerank_factor", "include_file_url")
def test_reranked_matches_have_a_score_and_links_only_when_asked_for(notes):
    notes.upload(NOTES.encode(), "notes.txt", **SPLIT)
    matches = notes.query("invoice", top_k=2, rerank_factor=1.5)
    scores = [match.rerank_score for match in matches]
    assert len(matches) == 2 and scores == sorted(scores, reverse=True)
    assert not any(match.file_url for match in matches)
    linked = notes.query("invoice", top_k=1, include_file_url=True)
    assert opened(linked[0].file_url) == NOTES.encode()
    with refused("InvalidParameter", 400):
        notes.query("invoice", rerank_factor=6.0)


def chunk(content: str, **fields):
    return models.UpsertChunksRequestTextChunks(content=content, **fields)


@pytest.mark.docs
@needs("UpsertChunks", "should_replace_file")
def test_chunks_are_written_replaced_and_changed(notes):
    first = [chunk("dogs bark", metadata={"topic": "pets", "page": 1}), chunk("rain falls", id="rain")]
    body = notes.call("UpsertChunks", file_name="faq", text_chunks=first)
    assert (body.status, body.message, body.embedding_tokens) == ("success", "success", "4")
    assert notes.query("dog", top_k=1)[0].metadata["topic"] == "pets"
    notes.call("UpsertChunks", text_chunks=[chunk("heavy snow", id="rain")])
    assert notes.query("snow", top_k=1)[0].id == "rain"
    notes.call("UpsertChunks", text_chunks=[chunk("cats purr", filter="page = 1")])
    assert notes.query("cat", top_k=1)[0].metadata["page"] == "1"
    notes.call("UpsertChunks", text_chunks=[chunk("nobody", filter="page = 9")], allow_insert_with_filter=False)
    assert {match.content for match in notes.query("dog")} == {"cats purr", "heavy snow"}
    notes.call("UpsertChunks", file_name="faq", text_chunks=[chunk("invoices")], should_replace_file=False)
    assert len(notes.query("dog")) == 3
    notes.call("UpsertChunks", file_name="faq", text_chunks=[chunk("only this")])
    assert [match.content for match in notes.query("dog")] == ["only this"]
    with refused("InvalidParameter", 400):
        notes.call("UpsertChunks", text_chunks=[chunk("x", metadata={"author": "y"})])


@pytest.mark.docs
@needs("ListChunks")
def test_chunks_are_listed_in_pages_and_deleted(notes):
    notes.call("UpsertChunks", file_name="b", text_chunks=[chunk(f"number {i}", metadata={"page": i}) for i in range(45)])
    body = notes.call("ListChunks")
    assert (body.page_number, body.page_record_count, body.total_record_count) == (1, 20, 45)
    assert body.chunks.chunks[0].metadata == {"page": 0}, "typed, unlike in a match"
    last = notes.call("ListChunks", page_number=1, page_size=50, filter="page >= 43", include_vector=True)
    assert [row.content for row in last.chunks.chunks] == ["number 43", "number 44"]
    assert math.isclose(sum(x * x for x in last.chunks.chunks[0].vector.vector), 1.0, abs_tol=1e-4)
    ids = [row.id for row in chunks_of(notes, file_name="b")]
    assert notes.call("DeleteChunks", chunk_ids=ids).request_id
    assert notes.call("ListChunks").total_record_count == 25
    with refused("InvalidParameter", 400):
        notes.call("ListChunks", page_size=30)
    with refused("File.NotFound", 404):
        notes.call("ListChunks", file_name="nowhere")


@pytest.mark.docs
@needs("TextEmbedding")
def test_texts_become_vectors(namespace):
    body = namespace.call("TextEmbedding", input=["dogs bark", "rain"], model="text-embedding-v3", dimension=512)
    assert (body.status, body.message, body.text_tokens) == ("success", "Successful", 3)
    assert [item.index for item in body.results.results] == [0, 1]
    assert [len(item.embedding.embedding) for item in body.results.results] == [512, 512]
    default = namespace.call("TextEmbedding", input=["dogs bark"])
    assert len(default.results.results[0].embedding.embedding) == 1024
    with refused("InvalidParameter", 400):
        namespace.call("TextEmbedding", input=["x"] * 101)
    with refused("InvalidParameter", 400) as refusal:
        namespace.call("TextEmbedding", input=["x"], model="clip-vit-b-32")
    assert "m3e-small" in refusal.message


@pytest.mark.docs
@needs("Rerank")
def test_texts_are_put_in_order(namespace):
    documents = ["The invoice is overdue.", "A puppy sleeps.", "Rain is expected."]
    body = namespace.call("Rerank", query="dog", documents=documents, model="bge-reranker-v2-m3", return_documents=True)
    assert (body.status, body.message) == ("success", "success")
    assert body.tokens > 0
    best = body.results.results[0]
    assert (best.index, best.document) == (1, "A puppy sleeps.")
    assert len(body.results.results) == 3
    body = namespace.call("Rerank", query="weather", documents=documents, top_k=1, return_documents=False)
    assert [(item.index, item.document) for item in body.results.results] == [(2, None)]
    with refused("InvalidParameter", 400):
        namespace.call("Rerank", query="dog", documents=documents, model="no-such-model")


@pytest.mark.ours
@needs("ListSupportModels")
def test_models_are_listed(namespace):
    names = namespace.call("ListSupportModels").model_names.model_names
    assert {"text-embedding-v3", "m3e-small", "clip-vit-b-32"} <= set(names)


@pytest.mark.docs
@needs("CreateDocumentCollection", "dimension")
def test_text_models_have_the_documented_dimensions(namespace):
    for model, dimension in [("text-embedding-v3", 1024), ("text-embedding-v2", 1536), ("text2vec", 1024), ("m3e-base", 768), ("m3e-small", 512)]:
        make_collection(namespace, embedding_model=model)
        listed = namespace.call("ListDocumentCollections").items.collection_list
        assert next(item.dimension for item in listed if item.embedding_model == model) == dimension
    name = fresh_name("notes")
    with refused("InvalidParameter", 400):
        namespace.with_collection(name).call("CreateDocumentCollection", embedding_model="text-embedding-v3", dimension=1536)


@pytest.mark.sdk
@needs("QueryContent", "hybrid_search", "rerank_factor")
def test_full_text_hybrid_search_and_reranking_go_together(notes):
    """The vendor's endpoint plugin always sends the three together."""
    notes.upload(NOTES.encode(), "notes.txt", **SPLIT)
    notes.call("UpsertChunks", text_chunks=[chunk("Contoso rose by three per cent.")])
    fields = {"use_full_text_retrieval": True, "hybrid_search": "RRF", "rerank_factor": 2.0}
    for query, expected in [("Contoso", "Contoso rose"), ("overdue invoice", "The invoice"), ("puppy", "A puppy")]:
        best = notes.query(query, top_k=2, **fields)[0]
        assert best.content.startswith(expected)
        assert best.retrieval_source == 3 and best.rerank_score > 0
