"use strict";
// Vector collections and their rows with every generic client: set up, rows by call and by file, search, change, delete.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { Current, Former, Pop, REGION } = require("./harness/clients");
const { Scenario } = require("./harness/scenario");

const address = process.env.LOOKALIKE_TEST_ADDRESS;

const families = {
  "openapi-core": new Current(address, "http"),
  "openapi-client": new Former(address, "http"),
  "pop-core POST": new Pop(address, "http", "POST"),
};

/** A vector collection of three dimensions in the scenario's own namespace. */
async function prepared(client) {
  const scenario = await new Scenario(client).prepare();
  const { NamespacePassword, ...place } = { ...scenario.collection, Collection: "vectors" };
  const manager = { ManagerAccount: "manager", ManagerAccountPassword: "Manager_1" };
  const fields = { Dimension: 3, Metadata: JSON.stringify({ title: "text", extra: "jsonb" }) };
  await client.call("CreateCollection", { ...place, ...manager, ...fields });
  return { ...place, NamespacePassword };
}

async function ended(client, collection, JobId) {
  for (;;) {
    const { Job } = await client.call("GetUpsertCollectionDataJob", { ...collection, JobId });
    if (Job.Completed) return Job;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const [name, client] of Object.entries(families)) {
  describe(`sdk: rows through ${name}`, () => {
    it("stores, finds, changes and deletes rows", async () => {
      const collection = await prepared(client);
      const rows = [
        { Id: "x", Vector: [1, 0, 0], Metadata: { title: "it's x (*~!)", extra: { k: [1] } } },
        { Id: "y", Vector: [0, 1, 0], Metadata: { title: "值 + & = %" } },
      ];
      await client.call("UpsertCollectionData", collection, { Rows: JSON.stringify(rows) });
      const query = { ...collection, TopK: 2, Vector: JSON.stringify([0.9, 0.1, 0]), IncludeValues: true };
      // pop-core makes objects without a prototype, which are not deeply equal to others.
      const found = JSON.parse(JSON.stringify((await client.call("QueryCollectionData", query)).Matches.match));
      assert.deepEqual(
        found.map((match) => match.Id),
        ["x", "y"],
      );
      assert.deepEqual(found[0].Metadata, { title: "it's x (*~!)", extra: '{"k":[1]}' });
      assert.deepEqual(found[0].MetadataV2, { title: "it's x (*~!)", extra: { k: [1] } });
      assert.deepEqual(found[0].Values.value, [1, 0, 0]);

      const change = { ...collection, Ids: JSON.stringify(["y"]), Metadata: JSON.stringify({ title: "new" }) };
      assert.equal((await client.call("UpdateCollectionDataMetadata", change)).AppliedRows, 1);
      const filtered = await client.call("QueryCollectionData", { ...collection, TopK: 1 }, { Filter: "title = 'new'" });
      assert.equal(filtered.Matches.match[0].Id, "y");
      const data = { ...collection, CollectionData: JSON.stringify({ id: ["y"] }) };
      assert.equal((await client.call("DeleteCollectionData", data)).AppliedRows, 1);
      const shown = await client.call("DescribeCollection", collection);
      assert.deepEqual([shown.Dimension, shown.Metrics, shown.Metadata.title], [3, "cosine", "text"]);
      assert.equal((await client.call("ListCollections", collection)).Collections.Collection.includes("vectors"), true);
      await client.call("DeleteCollection", collection);
    });

    it("stores a local file of rows", async () => {
      const collection = await prepared(client);
      const line = (n) => `${JSON.stringify({ Id: `row ${n}`, Vector: [1, n, 0], Metadata: { title: `t${n}` } })}\n`;
      const file = Buffer.from([...Array(50).keys()].map(line).join(""));
      // pop-core has no call for the upload.
      const FileUrl = await (client.upload ? client : new Current(address, "http")).upload(file);
      const { JobId } = await client.call("UpsertCollectionDataAsync", collection, { FileUrl });
      const job = await ended(client, collection, JobId);
      assert.deepEqual([job.Status, job.Progress], ["Success", 50]);
    });

    it("makes and shows scalar indexes", async () => {
      const collection = await prepared(client);
      const { JobId } = await client.call("CreateIndex", { ...collection, IndexField: "title", IndexName: "by_title" });
      assert.equal((await client.call("DescribeCreateIndexJob", { ...collection, JobId })).Job.Status, "Success");
      const [index] = (await client.call("ListIndices", collection)).Indices.Indices;
      assert.equal(index.IndexName, "by_title");
      await client.call("DeleteIndex", { ...collection, IndexName: "by_title" });
      const enabled = { DBInstanceId: collection.DBInstanceId, VectorConfigurationStatus: "enabled" };
      assert.equal((await client.call("ModifyVectorConfiguration", { RegionId: REGION, ...enabled })).Status, true);
    });
  });
}
