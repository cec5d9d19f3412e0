-- Vectors that `lookalike reindex` has made so far. They take the place of a collection's own in one
-- transaction when there is one for each of its rows; until then nothing sees them, and a run that
-- was stopped goes on from here.

CREATE TABLE reindexed_vectors (
    key                 INTEGER PRIMARY KEY REFERENCES chunks (key) ON DELETE CASCADE,
    collection_id       INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    encoder_fingerprint TEXT    NOT NULL,
    -- As in `chunks`.
    vector              BLOB    NOT NULL
) STRICT;

CREATE INDEX reindexed_vectors_by_collection ON reindexed_vectors (collection_id);
