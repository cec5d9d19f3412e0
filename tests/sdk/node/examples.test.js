"use strict";
// The Node example, run as its README says: the pictures come from a web server on this machine.

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const http = require("node:http");
const path = require("node:path");
const { it } = require("node:test");
const { promisify } = require("node:util");

const { photo } = require("./harness/scenario");
const { ROOT, accessKeyId, accessKeySecret } = require("./harness/server");

const env = {
  ...process.env,
  ALIBABA_CLOUD_ACCESS_KEY_ID: accessKeyId,
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: accessKeySecret,
  LOOKALIKE_ENDPOINT: process.env.LOOKALIKE_TEST_ADDRESS,
};

async function example(...words) {
  const script = path.join(ROOT, "examples/node/image-search.js");
  return (await promisify(execFile)(process.execPath, [script, ...words], { env })).stdout;
}

it("ours: the Node example indexes pictures by address and finds them by text", async () => {
  const pages = http.createServer((request, reply) => reply.end(photo(path.basename(request.url))));
  await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${pages.address().port}`;
  for (const name of ["eagle.jpg", "fork.jpg", "bananas.jpg"]) {
    assert.equal(await example("load", `${base}/${name}`, name), `${name} is ready to be searched\n`);
  }
  pages.close();
  const lines = (await example("text", "eagle")).split("\n");
  assert.match(lines[0], /^0\.\d{3} {2}eagle\.jpg$/);
  assert.match(lines[1], /^ +http:\/\//);
});
