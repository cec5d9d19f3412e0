"use strict";
// Errors as Node programs see them, and the deadline that every default Node client has.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { Current, Former } = require("./harness/clients");
const { Scenario } = require("./harness/scenario");

const address = process.env.LOOKALIKE_TEST_ADDRESS;

for (const [name, Client] of Object.entries({ "openapi-core": Current, "openapi-client": Former })) {
  describe(`sdk: errors in ${name}`, () => {
    it("carry code, status, message and RequestId", async () => {
      const client = new Client(address, "http");
      const scenario = await new Scenario(client).prepare();
      const missing = { ...scenario.collection, Collection: "nowhere" };
      await assert.rejects(client.call("ListDocuments", missing), (error) => {
        assert.equal(error.code, "Collection.NotFound");
        assert.equal(error.statusCode ?? error.data.statusCode, 404);
        assert.match(error.message, /request id: [0-9A-F-]{36}/i);
        return true;
      });
    });

    it("tell an unknown key and a wrong secret apart", async () => {
      const unknown = new Client(address, "http", { accessKeyId: "nobody" });
      await assert.rejects(unknown.call("ListNamespaces", {}), { code: "InvalidAccessKeyId.NotFound" });
      const wrong = new Client(address, "http", { accessKeySecret: "wrong" });
      await assert.rejects(wrong.call("ListNamespaces", {}), { code: "SignatureDoesNotMatch" });
    });

    it("name an action that does not exist", async () => {
      const client = new Client(address, "http");
      await assert.rejects(client.call("MakeCoffee", {}), (error) => {
        assert.match(error.code, /^InvalidAction\.NotFound$|^InvalidApi\.NotFound$/);
        assert.equal(error.statusCode ?? error.data.statusCode, 404);
        return true;
      });
    });

    it("never arise from the clients' own deadline of three seconds: the first query is answered in time", async () => {
      const client = new Client(address, "http");
      const scenario = await new Scenario(client).prepare();
      assert.deepEqual(await scenario.query({ Content: "anything" }), []);
    });
  });
}
