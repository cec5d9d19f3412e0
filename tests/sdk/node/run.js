"use strict";
// Starts the real binary, then the tests in a second process: Node reads NODE_EXTRA_CA_CERTS only when it starts,
// and the CA is made when the server starts for the first time.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const { startServer } = require("./harness/server");

async function main() {
  const server = await startServer("--allow-private-urls");
  const tests = fs
    .readdirSync(__dirname)
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => path.join(__dirname, name));
  const runner = spawn(process.execPath, ["--test", ...tests], {
    stdio: "inherit",
    env: { ...process.env, NODE_EXTRA_CA_CERTS: server.ca, LOOKALIKE_TEST_ADDRESS: server.address },
  });
  const code = await new Promise((resolve) => runner.on("exit", resolve));
  const alive = server.alive();
  if (!alive) console.error(`the server died during the tests:\n${server.output()}`);
  await server.stop();
  process.exitCode = code === 0 && alive ? 0 : 1;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
