"use strict";
// Text collections with every generic client: upload, chunks, windows, and the text models by themselves.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { Current, Former, Pop } = require("./harness/clients");
const { Scenario } = require("./harness/scenario");

const address = process.env.LOOKALIKE_TEST_ADDRESS;
const NOTES = "The invoice is overdue.\n\nA puppy sleeps on the sofa.\n\nHeavy rain is expected.";

const families = {
  "openapi-core": new Current(address, "http"),
  "openapi-client": new Former(address, "http"),
  "pop-core POST": new Pop(address, "http", "POST"),
};

for (const [name, client] of Object.entries(families)) {
  describe(`sdk: texts with ${name}`, () => {
    it("splits, finds, shows windows and chunks", async () => {
      const scenario = await new Scenario(client).prepare({ EmbeddingModel: undefined });
      const url = await new Current(address, "http").upload(Buffer.from(NOTES));
      await scenario.uploaded(url, "notes.txt", { ChunkSize: 30, ChunkOverlap: 0, Metadata: JSON.stringify({ caption: "a" }) });

      const reply = await client.call(
        "QueryContent",
        { ...scenario.collection, TopK: 1, RecallWindow: "[-1,1]" },
        { Content: "dog" },
      );
      assert.equal(reply.Matches.MatchList[0].Content, "A puppy sleeps on the sofa.");
      assert.equal(reply.Matches.MatchList[0].FileURL, undefined);
      const window = reply.WindowMatches.windowMatches[0].WindowMatch.windowMatch;
      assert.deepEqual(
        window.map((row) => row.Content),
        NOTES.split("\n\n"),
      );

      const chunks = JSON.stringify([{ Content: "cats purr", Id: "cat", Metadata: { caption: "b" } }]);
      const stored = await client.call("UpsertChunks", scenario.collection, { TextChunks: chunks });
      assert.equal(stored.EmbeddingTokens, "2");
      const listed = await client.call("ListChunks", { ...scenario.collection, PageSize: 50 });
      assert.equal(listed.TotalRecordCount, 4);
      assert.equal(listed.Chunks.chunks[0].Metadata.caption, "b");
      const deleted = await client.call("DeleteChunks", { ...scenario.collection, ChunkIds: "cat" });
      assert.deepEqual(Object.keys(deleted), ["RequestId"]);
      assert.equal((await client.call("ListChunks", scenario.collection)).TotalRecordCount, 3);
    });

    it("embeds and ranks texts", async () => {
      const place = { DBInstanceId: "gp-node", RegionId: "cn-hangzhou" };
      const embedded = await client.call("TextEmbedding", place, { Input: '["dogs bark","rain"]', Model: "m3e-small" });
      assert.equal(embedded.Results.Results[1].Embedding.Embedding.length, 512);
      const documents = '["The invoice is overdue.","A puppy sleeps."]';
      const ranked = await client.call("Rerank", place, { Query: "dog", Documents: documents, TopK: 1 });
      assert.equal(ranked.Results.Results[0].Index, 1);
      const models = await client.call("ListSupportModels", { RegionId: "cn-hangzhou" });
      assert.ok(models.ModelNames.modelNames.includes("text-embedding-v3"));
    });
  });
}
