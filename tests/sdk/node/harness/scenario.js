"use strict";
// A namespace and a collection of a test's own, and the calls that repeat.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const { REGION } = require("./clients");
const { ROOT, waitUntil } = require("./server");

const END_STATES = ["Success", "Failed", "Cancelled"];
let number = 0;

function photo(name) {
  return fs.readFileSync(path.join(ROOT, "examples/photos", name));
}

class Scenario {
  constructor(client) {
    number += 1;
    this.client = client;
    const unique = `${process.pid}_${number}`;
    this.manager = { ManagerAccount: "manager", ManagerAccountPassword: "Manager_1" };
    this.place = { DBInstanceId: "gp-node", RegionId: REGION };
    this.namespace = { Namespace: `ns_${unique}`, NamespacePassword: "Namespace_1" };
    this.collection = { ...this.place, ...this.namespace, Collection: `photos_${unique}` };
  }

  /** Makes the namespace and the collection; `changes` as in CreateDocumentCollection, an undefined one leaves the usual field out. */
  async prepare(changes = {}) {
    await this.client.call("InitVectorDatabase", { ...this.place, ...this.manager });
    await this.client.call("CreateNamespace", { ...this.place, ...this.namespace, ...this.manager });
    const fields = {
      ...this.place,
      ...this.manager,
      Namespace: this.namespace.Namespace,
      Collection: this.collection.Collection,
      EmbeddingModel: "clip-vit-b-32",
      Metadata: JSON.stringify({ caption: "text" }),
      ...changes,
    };
    const given = Object.entries(fields).filter(([, value]) => value !== undefined);
    await this.client.call("CreateDocumentCollection", Object.fromEntries(given));
    return this;
  }

  async submit(fileUrl, name, fields = {}) {
    const body = { FileUrl: fileUrl, FileName: name, ...fields };
    const reply = await this.client.call("UploadDocumentAsync", this.collection, body);
    assert.match(reply.JobId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    return reply.JobId;
  }

  finished(jobId) {
    return waitUntil(async () => {
      const reply = await this.client.call("GetUploadDocumentJob", this.collection, { JobId: jobId });
      assert.equal(reply.Job.Completed, END_STATES.includes(reply.Job.Status));
      return reply.Job.Completed ? reply.Job : null;
    }, `job ${jobId} to end`);
  }

  async uploaded(fileUrl, name, fields) {
    const job = await this.finished(await this.submit(fileUrl, name, fields));
    assert.equal(job.Status, "Success", job.Error);
  }

  async query(fields) {
    const reply = await this.client.call("QueryContent", { ...this.collection, TopK: 3 }, fields);
    return reply.Matches.MatchList;
  }
}

module.exports = { Scenario, photo };
