"use strict";
// The object store's side: the malformed form of openapi-core byte for byte, and what the policy must refuse.

const assert = require("node:assert/strict");
const http = require("node:http");
const { describe, it } = require("node:test");

const { Current } = require("./harness/clients");
const { Scenario, photo } = require("./harness/scenario");

const address = process.env.LOOKALIKE_TEST_ADDRESS;
const BOUNDARY = "boundary0123456789ab";

function grant() {
  const client = new Current(address, "http");
  return client.send("AuthorizeFileUpload", "2019-12-19", "GET", { Product: "gpdb", RegionId: "cn-hangzhou" });
}

function fieldsOf(given, changes = {}) {
  return {
    host: given.Endpoint,
    OSSAccessKeyId: given.AccessKeyId,
    policy: given.EncodedPolicy,
    Signature: given.Signature,
    key: given.ObjectKey,
    ...changes,
  };
}

/** The body as openapi-core writes it: no line break behind the file, and one more field after it. */
function malformedBody(fields, content) {
  let head = "";
  for (const [name, value] of Object.entries(fields)) {
    head += `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  }
  head += `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${fields.key}"\r\nContent-Type: \r\n\r\n`;
  const tail = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="success_action_status"\r\n\r\n201\r\n\r\n--${BOUNDARY}--\r\n`;
  return Buffer.concat([Buffer.from(head), content, Buffer.from(tail)]);
}

/** Posts in chunks of `chunkBytes` with Transfer-Encoding: chunked, as Node's clients do. */
function post(body, chunkBytes = body.length) {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(":");
    const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}`, "transfer-encoding": "chunked" };
    const request = http.request({ host, port, method: "POST", path: "/", headers }, (reply) => {
      const parts = [];
      reply.on("data", (part) => parts.push(part));
      reply.on("end", () => {
        resolve({ status: reply.statusCode, type: reply.headers["content-type"], text: Buffer.concat(parts).toString() });
      });
    });
    request.on("error", reject);
    for (let start = 0; start < body.length; start += chunkBytes) request.write(body.subarray(start, start + chunkBytes));
    request.end();
  });
}

async function storedBytes(given) {
  const client = new Current(address, "http");
  const scenario = await new Scenario(client).prepare();
  await scenario.uploaded(`http://${given.Bucket}.${given.Endpoint}/${given.ObjectKey}`, "picture.png");
  const [match] = await scenario.query({ Content: "picture" });
  return Buffer.from(await (await fetch(match.FileURL)).arrayBuffer());
}

describe("sdk: the malformed form of openapi-core", () => {
  const picture = photo("cup-of-coffee.png");
  const awkwardEndings = {
    "the picture as it is": picture,
    "a file that ends in a line break": Buffer.concat([picture, Buffer.from("\r\n")]),
    "a file that ends in the boundary": Buffer.concat([picture, Buffer.from(`\r\n--${BOUNDARY}`)]),
    "a file that holds the trailing field itself": Buffer.concat([
      picture,
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="success_action_status"\r\n\r\n201\r\n`),
      Buffer.from("end"),
    ]),
  };
  for (const [name, content] of Object.entries(awkwardEndings)) {
    for (const chunkBytes of [1_000_000, 1021]) {
      it(`stores ${name}, sent ${chunkBytes} bytes at a time`, async () => {
        const given = await grant();
        const reply = await post(malformedBody(fieldsOf(given), content), chunkBytes);
        assert.equal(reply.status, 201, reply.text);
        assert.equal(reply.type, "application/xml");
        assert.match(reply.text, /<PostResponse>.*<Key>.+<\/Key>.*<\/PostResponse>/s);
        assert.deepEqual(await storedBytes(given), content);
      });
    }
  }
});

describe("sdk: an upload that its policy does not allow", () => {
  const changes = {
    "another key": (given) => ({ key: `${given.ObjectKey}x` }),
    "a changed policy": (given) => ({ policy: Buffer.from("{}").toString("base64") }),
    "a wrong signature": () => ({ Signature: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" }),
    "an unknown key id": () => ({ OSSAccessKeyId: "nobody" }),
  };
  for (const [name, change] of Object.entries(changes)) {
    it(`is refused in XML: ${name}`, async () => {
      const given = await grant();
      const reply = await post(malformedBody(fieldsOf(given, change(given)), photo("rose.jpg")));
      assert.ok(reply.status >= 400 && reply.status < 500, `${reply.status} ${reply.text}`);
      assert.match(reply.text, /<Error>.*<Code>.+<\/Code>.*<Message>.+<\/Message>.*<RequestId>.+<\/RequestId>.*<\/Error>/s);
    });
  }

  it("says 403 and not a crash when there is no file at all", async () => {
    const reply = await post(Buffer.from(`--${BOUNDARY}--\r\n`));
    assert.ok(reply.status >= 400 && reply.status < 500, `${reply.status} ${reply.text}`);
    assert.match(reply.text, /<Error>/);
  });
});
