"""What other libraries take for the searches that `lookalike-bench ann` measures, as the same JSON lines.

    python -m venv .venv && .venv/bin/pip install -r ann-requirements.txt
    OMP_NUM_THREADS=1 taskset -c 1 .venv/bin/python ann.py FOLDER [PEER,PEER…]

FOLDER is one that `lookalike-bench ann-data` wrote. One thread; CPU time of the process, the least of a few
rounds that are interleaved over the peers; all queries in one call, which is what suits these libraries best.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

M, EF_CONSTRUCTION, K, ROUNDS, QUERIES = 16, 200, 10, 3, 500
WIDTHS = [10, 20, 40, 80, 160, 320]


class Usearch:
    def __init__(self, base):
        from usearch.index import Index

        self.index = Index(
            ndim=base.shape[1], metric="ip", dtype="bf16", connectivity=M, expansion_add=EF_CONSTRUCTION
        )
        self.index.add(np.arange(len(base)), base, threads=1)

    def search(self, queries, width):
        self.index.expansion_search = width
        return self.index.search(queries, K, threads=1).keys


class Hnswlib:
    def __init__(self, base):
        import hnswlib

        self.index = hnswlib.Index("ip", base.shape[1])
        self.index.init_index(len(base), ef_construction=EF_CONSTRUCTION, M=M)
        self.index.add_items(base, num_threads=1)

    def search(self, queries, width):
        self.index.set_ef(width)
        return self.index.knn_query(queries, K, num_threads=1)[0]


class Faiss:
    def __init__(self, base, codes="Flat"):
        import faiss

        faiss.omp_set_num_threads(1)
        self.index = faiss.index_factory(base.shape[1], f"HNSW{M},{codes}", faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = EF_CONSTRUCTION
        if not self.index.is_trained:
            self.index.train(base)
        self.index.add(base)

    def search(self, queries, width):
        self.index.hnsw.efSearch = width
        return self.index.search(queries, K)[1]


PEERS = {
    "usearch-bf16": Usearch,
    "hnswlib": Hnswlib,
    "faiss-hnsw": Faiss,
    "faiss-hnsw-sq8": lambda base: Faiss(base, "SQ8"),
}


def main():
    folder = Path(sys.argv[1])
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else list(PEERS)
    meta = json.loads((folder / "meta.json").read_text())
    base = np.fromfile(folder / "base.f32", np.float32).reshape(-1, meta["dim"])
    built = {}
    for name in names:
        start = time.process_time()
        peer = PEERS[name](base)
        built[name] = (peer, time.process_time() - start)
    for query_set in meta["sets"]:
        queries = np.fromfile(folder / f"q_{query_set}.f32", np.float32).reshape(-1, meta["dim"])[:QUERIES]
        truth = np.fromfile(folder / f"gt_{query_set}.i32", np.int32).reshape(-1, 100)[: len(queries), :K]
        best, recall = {}, {}
        for _ in range(ROUNDS):
            for name, (peer, _) in built.items():
                for width in WIDTHS:
                    start = time.process_time()
                    found = peer.search(queries, width)
                    seconds = (time.process_time() - start) / len(queries)
                    best[name, width] = min(best.get((name, width), seconds), seconds)
                    hits = sum(len(np.intersect1d(row, true)) for row, true in zip(found, truth))
                    recall[name, width] = hits / truth.size
        for (name, width), seconds in best.items():
            line = {
                "peer": name,
                "dataset": folder.name,
                "n": len(base),
                "queries": query_set,
                "params": {"M": M, "efC": EF_CONSTRUCTION, "ef": str(width), "k": K},
                "recall@10": round(recall[name, width], 4),
                "qps": round(1 / seconds),
                "us": round(seconds * 1e6, 1),
                "build_s": round(built[name][1], 1),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
