-- A collection's rows by key, which is the order they are read in when columns, words and vectors are loaded.
-- Without it, every page of them sorts the whole collection.

CREATE INDEX chunks_by_collection ON chunks (collection_id);
