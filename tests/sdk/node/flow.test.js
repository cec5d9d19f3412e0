"use strict";
// The whole flow with every generic client, over HTTP and HTTPS: set up, local file, poll, search by text and by image, open the URL.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { Current, Former, Pop } = require("./harness/clients");
const { Scenario, photo } = require("./harness/scenario");

const address = process.env.LOOKALIKE_TEST_ADDRESS;

async function bytesOf(url) {
  const reply = await fetch(url);
  assert.equal(reply.status, 200);
  assert.match(reply.headers.get("content-type"), /^image\//);
  return Buffer.from(await reply.arrayBuffer());
}

const families = {
  "openapi-core": (protocol) => new Current(address, protocol),
  "openapi-core with RPC 1.0 signatures": (protocol) => new Current(address, protocol, { signatureAlgorithm: "v2" }),
  "openapi-client": (protocol) => new Former(address, protocol),
  "openapi-client with RPC 1.0 signatures": (protocol) => new Former(address, protocol, { signatureAlgorithm: "v2" }),
};

for (const [name, make] of Object.entries(families)) {
  for (const protocol of ["http", "https"]) {
    describe(`sdk: ${name} over ${protocol}`, () => {
      it("uploads local files, polls, and finds them by text and by image", async () => {
        const client = make(protocol);
        const scenario = await new Scenario(client).prepare();
        const names = ["bulldog-waiting.jpg", "lemons.jpg", "rocket.jpg"];
        for (const file of names) {
          await scenario.uploaded(await client.upload(photo(file)), file, { Metadata: { caption: `it's ${file} (*~!)` } });
        }

        const [dog] = await scenario.query({ Content: "dog" });
        assert.equal(dog.FileName, "bulldog-waiting.jpg");
        assert.equal(dog.Metadata.caption, "it's bulldog-waiting.jpg (*~!)");
        assert.deepEqual(await bytesOf(dog.FileURL), photo("bulldog-waiting.jpg"));

        const queryUrl = await client.upload(photo("rocket.jpg"));
        const [rocket] = await scenario.query({ FileUrl: queryUrl, FileName: "query.jpg" });
        assert.equal(rocket.FileName, "rocket.jpg");
        assert.ok(rocket.Score > 0.999);

        const listed = await client.call("ListDocuments", scenario.collection);
        assert.deepEqual(
          listed.Items.DocumentList.map((document) => document.FileName),
          names,
        );
        await client.call("DeleteDocument", { ...scenario.collection, FileName: "lemons.jpg" });
        assert.equal((await client.call("ListDocuments", scenario.collection)).Count, 2);
      });

      it("sends booleans as true and false", async () => {
        const client = make(protocol);
        const scenario = await new Scenario(client).prepare();
        const url = await client.upload(photo("rose.jpg"));
        await scenario.uploaded(url, "dry.jpg", { DryRun: true });
        assert.deepEqual(await scenario.query({ Content: "rose" }), []);
        await scenario.uploaded(url, "rose.jpg", { DryRun: false });
        const [match] = (
          await client.call("QueryContent", { ...scenario.collection, TopK: 1, IncludeVector: true }, { Content: "rose" })
        ).Matches.MatchList;
        assert.equal(match.Vector.VectorList.length, 512);
      });
    });
  }
}

for (const method of ["GET", "POST"]) {
  for (const protocol of ["http", "https"]) {
    describe(`sdk: pop-core ${method} over ${protocol}`, () => {
      it("does everything but the upload, which pop-core has no call for", async () => {
        const client = new Pop(address, protocol, method);
        const scenario = await new Scenario(client).prepare();
        const url = await new Current(address, protocol).upload(photo("frog.jpg"));
        await scenario.uploaded(url, "frog 值 ~*'().jpg", { Metadata: JSON.stringify({ caption: "值 + & = %" }) });
        const [match] = await scenario.query({ Content: "frog" });
        assert.equal(match.FileName, "frog 值 ~*'().jpg");
        assert.equal(match.Metadata.caption, "值 + & = %");
        assert.deepEqual(await bytesOf(match.FileURL), photo("frog.jpg"));
      });

      it("is refused with a wrong secret", async () => {
        const client = new Pop(address, protocol, method, { accessKeySecret: "wrong" });
        await assert.rejects(client.call("DescribeNamespace", {}), (error) => {
          assert.equal(error.code ?? error.data.Code, "SignatureDoesNotMatch");
          return true;
        });
      });
    });
  }
}
