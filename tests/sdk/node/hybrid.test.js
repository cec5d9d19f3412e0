"use strict";
// Full text and HybridSearch through the generic clients, which send objects as JSON text.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { Current, Former, Pop } = require("./harness/clients");
const { Scenario, photo } = require("./harness/scenario");

const address = process.env.LOOKALIKE_TEST_ADDRESS;
const VECTOR = 1;
const BOTH = 3;

const CAPTIONS = {
  "bulldog-waiting.jpg": "a dog waits for dinner",
  "lemons.jpg": "柠檬 in a shop",
  "rocket.jpg": "a rocket",
};

async function captioned() {
  const client = new Current(address, "http");
  const scenario = await new Scenario(client).prepare({ FullTextRetrievalFields: "caption" });
  for (const [file, caption] of Object.entries(CAPTIONS)) {
    await scenario.uploaded(await client.upload(photo(file)), file, { Metadata: { caption } });
  }
  return scenario;
}

const families = {
  "openapi-core": () => new Current(address, "http"),
  "openapi-client": () => new Former(address, "http"),
  "pop-core": () => new Pop(address, "http", "POST"),
};

for (const [name, make] of Object.entries(families)) {
  describe(`docs: ${name} with HybridSearch`, () => {
    it("finds by text and vector in every mode", async () => {
      const scenario = await captioned();
      scenario.client = make();
      const query = { Content: "柠檬" };

      const [plain] = await scenario.query(query);
      assert.equal(plain.RetrievalSource, VECTOR);

      const [rrf] = await scenario.query({
        ...query,
        UseFullTextRetrieval: true,
        HybridSearch: "RRF",
        RerankFactor: 2.0,
        HybridSearchArgs: JSON.stringify({ RRF: { k: 10 } }),
      });
      assert.equal(rrf.FileName, "lemons.jpg");
      assert.equal(rrf.RetrievalSource, BOTH);
      // First on both paths is 2 / 11; a score is written in single precision.
      assert.ok(rrf.Score > 1 / 11 && Math.fround(rrf.Score) <= Math.fround(2 / 11));

      const [weight] = await scenario.query({
        ...query,
        HybridSearch: "Weight",
        HybridSearchArgs: JSON.stringify({ Weight: { dense: 0, fulltext: 3 } }),
      });
      assert.equal(weight.FileName, "lemons.jpg");
      assert.ok(weight.Score > 0 && weight.Score < 1);

      const cascaded = await scenario.query({ ...query, HybridSearch: "Cascaded" });
      assert.deepEqual(
        cascaded.map((match) => match.FileName),
        ["lemons.jpg"],
      );
    });
  });
}
