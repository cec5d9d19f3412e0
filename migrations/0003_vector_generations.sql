-- Counts the changes of each collection's vectors, so that an index read from a file can tell
-- whether it has them all. By triggers: no statement that changes a vector can forget to count.

CREATE TABLE vector_generations (
    collection_id INTEGER PRIMARY KEY REFERENCES collections (id) ON DELETE CASCADE,
    generation    INTEGER NOT NULL
) STRICT;

-- Begins at a random number, so that an index that was left by another database is not taken for
-- this one's. It has 62 bits: counting on never ends.
INSERT INTO vector_generations (collection_id, generation)
    SELECT collection_id, abs(random() >> 1) FROM chunks GROUP BY collection_id;

CREATE TRIGGER vector_was_added AFTER INSERT ON chunks BEGIN
    INSERT INTO vector_generations (collection_id, generation)
        VALUES (NEW.collection_id, abs(random() >> 1))
        ON CONFLICT (collection_id) DO UPDATE SET generation = generation + 1;
END;

CREATE TRIGGER vector_was_changed AFTER UPDATE OF vector ON chunks BEGIN
    UPDATE vector_generations SET generation = generation + 1
        WHERE collection_id = NEW.collection_id;
END;

-- When the whole collection goes, so does the row.
CREATE TRIGGER vector_was_removed AFTER DELETE ON chunks BEGIN
    UPDATE vector_generations SET generation = generation + 1
        WHERE collection_id = OLD.collection_id;
END;
