-- Collections whose vectors the caller brings, and rows that belong to no file.

-- 'vector' collections have no model: embedding_model and encoder_* are empty, and dimension is 0
-- until an index or the first row says it.
ALTER TABLE collections ADD COLUMN kind TEXT NOT NULL DEFAULT 'document'
    CHECK (kind IN ('document', 'vector'));

-- `document_id` may be NULL from here on. SQLite can only do that by a new table; nothing refers
-- to `chunks`, so that dropping the old one takes nothing else along.
CREATE TABLE chunks_new (
    key             INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id   INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    -- NULL for a row that came without a file.
    document_id     INTEGER REFERENCES documents (id) ON DELETE CASCADE,
    id              TEXT    NOT NULL,
    content         TEXT    NOT NULL,
    loader_metadata TEXT    NOT NULL,
    metadata        TEXT    NOT NULL,
    -- Little-endian f32; unit length in a document collection, the caller's own in a vector one.
    vector          BLOB    NOT NULL,
    -- Pairs of little-endian u32 index and f32 value, by ascending index; NULL without a sparse
    -- vector.
    sparse          BLOB,
    UNIQUE (collection_id, id)
) STRICT;

-- A key is never used twice, nor is one whose row is gone by now.
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'chunks_new', seq FROM sqlite_sequence WHERE name = 'chunks';

INSERT INTO chunks_new (key, collection_id, document_id, id, content, loader_metadata, metadata,
        vector)
    SELECT key, collection_id, document_id, id, content, loader_metadata, metadata, vector
    FROM chunks ORDER BY key;

DROP TABLE chunks;
ALTER TABLE chunks_new RENAME TO chunks;

CREATE INDEX chunks_by_document ON chunks (document_id) WHERE document_id IS NOT NULL;

-- What a job does: 'upload' makes documents of a file, 'rows' makes rows of a JSON Lines file.
-- `progress_rows` is how many of them are stored.
ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'upload' CHECK (kind IN ('upload', 'rows'));
ALTER TABLE jobs ADD COLUMN progress_rows INTEGER NOT NULL DEFAULT 0;
