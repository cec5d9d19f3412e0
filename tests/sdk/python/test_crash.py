"""The real binary is killed at random, seeded moments and started again on the same folder.

What must hold whatever the moment was: an accepted job is never lost, an archive is never half visible, and the end state is the one that the accepted
jobs describe. SIGTERM drains instead.
"""

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from functools import partial

import pytest
from alibabacloud_gpdb20160503 import models

from harness import pictures
from harness.api import Api, make_client, make_collection, make_namespace, needs
from harness.server import Server, wait_until

pytestmark = pytest.mark.ours

SEEDS = [1, 2, 3]
KILLS_PER_SEED = 4
MEMBERS = 5
LONGEST_WAIT_S = 0.4


class Uploads:
    """Remembers what was accepted, and so what has to be there in the end."""

    def __init__(self, seed: int):
        self.seed = seed
        self.count = 0
        self.jobs: dict[str, dict[str, bytes]] = {}
        self.unanswered: list[dict[str, bytes]] = []

    def submit_one(self, api: Api):
        """One more upload; the server may be killed while it runs."""
        self.count += 1
        base = self.seed * 1000 + self.count * 10
        if self.count % 3 == 0:
            members = {f"single-{self.count}.png": pictures.drawing(base)}
            name, content = next(iter(members.items()))
        else:
            members = {f"archive-{self.count}/{n}.png": pictures.drawing(base + n) for n in range(MEMBERS)}
            name, content = f"archive-{self.count}.zip", pictures.zipped(members)
        try:
            self.jobs[api.submit(content, name)] = members
        except Exception:
            self.unanswered.append(members)

    def oldest_unfinished(self, api: Api) -> str:
        """Jobs of one collection run one after the other, in the order of their submission."""
        return next((job_id for job_id in self.jobs if not api.job(job_id).completed), next(iter(self.jobs)))

    def check_no_half(self, visible: set[str]):
        for members in [*self.jobs.values(), *self.unanswered]:
            shown = visible & set(members)
            assert shown in (set(), set(members)), f"half visible: {sorted(shown)} of {sorted(members)}"


def reopened(server: Server, api: Api) -> Api:
    """The same namespace through the new process."""
    return Api(make_client(server), namespace=api.namespace, collection=api.collection, runtime=api.runtime)


@contextlib.contextmanager
def killed_while(server: Server, change, *, more: int, of, chance: random.Random):
    """Changes things over and over in a thread until there are so many `more` `of` them, and kills the server at a moment of chance after that. What
    is to be seen before the kill belongs into the body; afterwards the server runs again."""
    stop = threading.Event()
    enough = of() + more

    def keep_changing():
        while not stop.is_set():
            change()

    changer = threading.Thread(target=keep_changing)
    changer.start()
    try:
        wait_until(lambda: of() >= enough, f"{more} more changes to be acknowledged")
        yield
        time.sleep(chance.uniform(0, LONGEST_WAIT_S))  # the moment of the kill is the subject of the test
    finally:
        server.kill()
        stop.set()
        changer.join()
    server.start()


def listed_and_found(api: Api) -> set[str] | None:
    """The documents, once the index shows exactly what the store lists."""
    listed = set(api.documents())
    found = [match.file_name for match in api.query("x", top_k=1000)]
    assert len(found) == len(set(found)), "something is there twice"
    return listed if set(found) == listed else None


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_random_moments_nothing_is_lost_or_half_there(tmp_path, seed):
    chance = random.Random(seed)
    print(f"seed {seed}")
    server = Server(tmp_path / "data").start()
    api = make_collection(make_namespace(make_client(server), ignore_ssl=True, read_timeout=10_000))
    uploads = Uploads(seed)
    try:
        for _ in range(KILLS_PER_SEED):
            with killed_while(server, partial(uploads.submit_one, api), more=1, of=lambda: len(uploads.jobs), chance=chance):
                pass
            api = reopened(server, api)
            uploads.check_no_half(set(api.documents()))
            # A job is given up after three starts, so that one that kills the process cannot do so for ever:
            # the one that was at work gets to its end before the next kill.
            api.finished(uploads.oldest_unfinished(api))

        for job_id, members in uploads.jobs.items():
            job = api.finished(job_id)
            assert job.status == "Success", f"{sorted(members)}: {job.error}"
            uploads.check_no_half(set(api.documents()))
        visible = wait_until(lambda: listed_and_found(api), "the last jobs whose acceptance was lost with the connection")
        accepted = set().union(*uploads.jobs.values())
        assert accepted <= visible
        for name in chance.sample(sorted(accepted), 10):
            content = next(members[name] for members in uploads.jobs.values() if name in members)
            match = api.query_image(content, "query.png", top_k=1)[0]
            assert match.score > 0.999
    finally:
        server.kill()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_overwrite_that_is_killed_ends_with_the_last_accepted_picture(tmp_path, seed):
    chance = random.Random(seed)
    server = Server(tmp_path / "data").start()
    api = make_collection(make_namespace(make_client(server), ignore_ssl=True))
    try:
        for version in range(1, 6):
            job_id = api.submit(pictures.drawing(version), "same.png", metadata={"caption": str(version)})
            time.sleep(chance.uniform(0, 0.05))  # the moment of the kill is the subject of the test
            server.kill()
            server.start()
            api = reopened(server, api)
            job = api.finished(job_id)
            assert job.status == "Success", job.error
            matches = api.query("x")
            assert [match.metadata["caption"] for match in matches] == [str(version)]
            assert api.call("DescribeDocument", file_name="same.png").file_version == version, "no run counts twice"
    finally:
        server.kill()


def test_a_cancelled_job_stays_cancelled_after_a_kill(tmp_path):
    server = Server(tmp_path / "data").start()
    api = make_collection(make_namespace(make_client(server), ignore_ssl=True))
    try:
        busy = api.submit(pictures.zipped({f"{n}.jpg": pictures.photo("frog.jpg") for n in range(40)}), "busy.zip")
        waiting = api.submit(pictures.drawing(1), "cancelled.png")
        api.call("CancelUploadDocumentJob", job_id=waiting)
        server.kill()
        server.start()
        api = reopened(server, api)
        assert api.finished(waiting).status == "Cancelled"
        assert api.finished(busy).status == "Success"
        assert "cancelled.png" not in api.documents()
    finally:
        server.kill()


def refuses_connections(address: str) -> bool:
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return True
    return False


def test_sigterm_answers_what_it_has_begun_to_read_and_keeps_the_jobs(tmp_path):
    server = Server(tmp_path / "data").start()
    api = make_collection(make_namespace(make_client(server), ignore_ssl=True))
    members = {f"{n}.jpg": pictures.photo("frog.jpg") for n in range(20)}
    job_id = api.submit(pictures.zipped(members), "many.zip")
    host, port = server.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", "application/x-www-form-urlencoded")
    connection.putheader("Content-Length", "20")
    # Answered when the body is asked for. A connection that nobody has accepted yet would be reset.
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.send(b"Action=Describe")
    code = []
    ending = threading.Thread(target=lambda: code.append(server.terminate()))
    ending.start()
    wait_until(lambda: refuses_connections(server.address), "the listener to close")
    connection.send(b"Thing")
    reply = connection.getresponse()
    assert reply.status >= 400 and reply.read().startswith(b"{"), "the request that was under way is answered"
    connection.close()
    ending.join()
    assert code == [0]
    server.start()
    try:
        api = reopened(server, api)
        assert api.finished(job_id).status == "Success"
        assert api.documents() == sorted(members)
    finally:
        server.kill()


def make_vectors(api: Api) -> Api:
    api = api.with_collection("vectors")
    api.call("CreateCollection", dimension=16, metadata='{"page":"int"}')
    return api


def found_rows(api: Api, where: str, vector=None) -> list[str]:
    return sorted(match.id for match in api.call("QueryCollectionData", vector=vector, filter=where, top_k=1000).matches.match)


@pytest.mark.parametrize("seed", SEEDS)
@needs("UpsertCollectionDataAsync")
def test_a_file_of_rows_that_is_killed_over_and_over_stores_each_row_once(tmp_path, seed):
    """The rows have no ids, so that one that was stored twice would be there twice."""
    chance = random.Random(seed)
    rows = 20_000
    lines = (json.dumps({"Vector": [chance.random() for _ in range(16)], "Metadata": {"page": n}}) for n in range(rows))
    content = "\n".join(lines).encode()
    server = Server(tmp_path / "data", "--max-attempts", "10").start()
    api = make_vectors(make_namespace(make_client(server), ignore_ssl=True, read_timeout=10_000))
    try:
        job_id = api.call_with_file("UpsertCollectionDataAsync", content).job_id
        for _ in range(KILLS_PER_SEED):
            time.sleep(chance.uniform(0, LONGEST_WAIT_S))  # the moment of the kill is the subject of the test
            server.kill()
            server.start()
            api = reopened(server, api)

        def ended():
            job = api.call("GetUpsertCollectionDataJob", job_id=job_id).job
            return job if job.completed else None

        job = wait_until(ended, "the file of rows to be stored")
        assert (job.status, job.progress) == ("Success", rows), job.error
        for start in range(0, rows, 1000):
            assert len(found_rows(api, f"page >= {start} AND page < {start + 1000}")) == 1000
    finally:
        server.kill()


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_were_acknowledged_are_there_and_deleted_ones_are_not(tmp_path, seed):
    chance = random.Random(seed)
    server = Server(tmp_path / "data").start()
    api = make_vectors(make_namespace(make_client(server), read_timeout=10_000))
    stored: set[str] = set()
    deleted: set[str] = set()
    unanswered: set[str] = set()
    numbers = iter(range(1_000_000))
    try:
        for _ in range(KILLS_PER_SEED):

            def change_one(api=api):
                name, victim = f"row-{next(numbers)}", next(iter(stored - unanswered), None)
                row = models.UpsertCollectionDataRequestRows(id=name, vector=[chance.random() for _ in range(16)], metadata={"page": 1})
                try:
                    api.call("UpsertCollectionData", rows=[row])
                    stored.add(name)
                    if victim is not None and chance.random() < 0.3:
                        unanswered.add(victim)
                        api.call("DeleteCollectionData", collection_data=json.dumps({"id": [victim]}))
                        unanswered.discard(victim)
                        stored.discard(victim)
                        deleted.add(victim)
                except Exception:
                    unanswered.add(name)

            with killed_while(server, change_one, more=6, of=lambda: len(stored), chance=chance):
                pass
            api = reopened(server, api)
            # Once by the database, once by the index.
            for found in (found_rows(api, "page = 1"), found_rows(api, "page = 1", [1.0] * 16)):
                assert stored - unanswered <= set(found)
                assert not set(found) & (deleted - unanswered)
    finally:
        server.kill()


class Texts:
    """Chunks and files that all have the word "common" and one of their own, and what has to be found of them."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.numbers = iter(range(1_000_000))
        self.chunks: set[str] = set()
        self.jobs: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.unanswered: set[str] = set()

    def change_one(self, api: Api):
        """One more text, and sometimes one less; the server may be killed while it runs."""
        word = f"word{next(self.numbers)}"
        text = f"common text {word}"
        try:
            if self.chance.random() < 0.7:
                self.unanswered.add(word)
                api.call("UpsertChunks", text_chunks=[models.UpsertChunksRequestTextChunks(id=word, content=text)])
                self.unanswered.discard(word)
                self.chunks.add(word)
            else:
                self.unanswered.add(word)
                self.jobs[word] = api.submit(text.encode(), f"{word}.txt")
                self.unanswered.discard(word)
            if self.chance.random() < 0.3:
                self.delete_one(api)
        except Exception:
            return

    def acknowledged(self) -> int:
        return len(self.chunks) + len(self.jobs)

    def delete_one(self, api: Api):
        ended = (word for word, job_id in self.jobs.items() if word not in self.unanswered and api.job(job_id).completed)
        victim = next(ended, None) if self.chance.random() < 0.5 else next(iter(self.chunks - self.unanswered), None)
        if victim is None:
            return
        self.unanswered.add(victim)
        if victim in self.jobs:
            api.call("DeleteDocument", file_name=f"{victim}.txt")
            del self.jobs[victim]
        else:
            api.call("DeleteChunks", chunk_ids=[victim])
            self.chunks.discard(victim)
        self.unanswered.discard(victim)
        self.deleted.add(victim)

    def check(self, acknowledged, found: set[str]):
        missing = set(acknowledged) - self.unanswered - found
        assert not missing, f"acknowledged, but not found: {sorted(missing)}"
        left = found & self.deleted
        assert not left, f"deleted, but found: {sorted(left)}"


def found_by_full_text(api: Api) -> set[str]:
    only_text = {"HybridPathsSetting": {"paths": "fulltext"}}
    matches = api.query("common", top_k=1000, hybrid_search_args=only_text)
    assert {match.retrieval_source for match in matches} <= {2}
    words = [match.content.split()[-1] for match in matches]
    assert len(words) == len(set(words)), "something is there twice"
    return set(words)


@pytest.mark.parametrize("seed", SEEDS)
@needs("UpsertChunks")
@needs("QueryContent", "hybrid_search_args")
def test_texts_that_were_acknowledged_are_found_by_full_text_and_deleted_ones_are_not(tmp_path, seed):
    """What full text looks in is in memory only, and made of the rows after each start."""
    chance = random.Random(seed)
    server = Server(tmp_path / "data", "--max-attempts", "10").start()
    api = make_collection(make_namespace(make_client(server), ignore_ssl=True, read_timeout=10_000), embedding_model=None)
    texts = Texts(chance)
    try:
        for _ in range(KILLS_PER_SEED):
            with killed_while(server, partial(texts.change_one, api), more=6, of=texts.acknowledged, chance=chance):
                # Loaded, and followed from then on.
                found_by_full_text(api)
            api = reopened(server, api)
            texts.check(texts.chunks, found_by_full_text(api))
            for word, job_id in texts.jobs.items():
                if word not in texts.unanswered:
                    job = api.finished(job_id)
                    assert job.status == "Success", f"{word}: {job.error}"
            texts.check([*texts.chunks, *texts.jobs], found_by_full_text(api))
        assert texts.deleted, "nothing was deleted, and so nothing was shown"
    finally:
        server.kill()
