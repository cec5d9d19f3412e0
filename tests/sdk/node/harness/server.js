"use strict";
// The real binary as a child process on a port of its own, ready when its readiness route answers 200.

const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const ROOT = path.resolve(__dirname, "../../../..");
const BINARY = process.env.LOOKALIKE_BINARY ?? path.join(ROOT, "target/debug/lookalike");
const DEADLINE_MS = 60_000;

const accessKeyId = "testAK";
const accessKeySecret = "testSK";

/** Asks `condition` until it answers something true; fails loudly after the deadline. */
async function waitUntil(condition, what) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isReady(address) {
  return new Promise((resolve) => {
    const request = http.get(`http://${address}/_lookalike/ready`, (reply) => {
      reply.resume();
      reply.on("end", () => resolve(reply.statusCode === 200));
    });
    request.on("error", () => resolve(false));
  });
}

async function startServer(...flags) {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), "lookalike-node-"));
  const serve = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--access-key", `${accessKeyId}:${accessKeySecret}`];
  const child = spawn(BINARY, [...serve, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const alive = () => child.exitCode === null && child.signalCode === null;
  const announced = await waitUntil(() => {
    if (!alive()) throw new Error(`the server ended before it was ready:\n${output}`);
    return /^listening on (\S+)$/m.exec(output);
  }, "the line that says where the server listens");
  const address = announced[1];
  await waitUntil(() => isReady(address), "the readiness route to answer 200");
  return {
    address,
    ca: execFileSync(BINARY, ["ca", "--data", data], { encoding: "utf8" }).trim(),
    alive,
    output: () => output,
    async stop() {
      if (alive()) {
        const ended = new Promise((resolve) => child.on("exit", resolve));
        child.kill("SIGTERM");
        await ended;
      }
      fs.rmSync(data, { recursive: true, force: true });
    },
  };
}

module.exports = { ROOT, accessKeyId, accessKeySecret, startServer, waitUntil };
