"use strict";
// Image search with the vendor's generic Node client: search by text and by the address of a picture.
//
//     node image-search.js load URL NAME.jpg     index a picture that the server can fetch
//     node image-search.js text "dog"            search by text
//
// Everything but the lines marked below is what a program for the cloud does.

const OpenApi = require("@alicloud/openapi-core");
const Dara = require("@darabonba/typescript");

const { Config, OpenApiRequest, Params } = OpenApi.$OpenApiUtil;

const instance = { RegionId: "cn-hangzhou", DBInstanceId: "gp-example" };
const manager = { ManagerAccount: "manager", ManagerAccountPassword: "Manager_1" };
const namespace = { Namespace: "examples", NamespacePassword: "Namespace_1" };
const collection = { ...instance, ...namespace, Collection: "photos" };

const client = new OpenApi.default(
  new Config({
    accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID ?? "lookalike", // for Lookalike: a key that it knows
    accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET ?? "lookalike",
    regionId: "cn-hangzhou",
    endpoint: process.env.LOOKALIKE_ENDPOINT ?? "127.0.0.1:8443", // for Lookalike: where it listens
    protocol: "http", // for Lookalike: HTTPS works too, once its CA is trusted
  }),
);

async function call(action, query, body) {
  const parameters = new Params({
    action,
    version: "2016-05-03",
    protocol: "HTTPS",
    pathname: "/",
    method: "POST",
    authType: "AK",
    style: "RPC",
    reqBodyType: "formData",
    bodyType: "json",
  });
  const reply = await client.callApi(parameters, new OpenApiRequest({ query, body }), new Dara.RuntimeOptions({}));
  return reply.body;
}

/** Database, namespace and collection; all three calls may be repeated. */
async function prepare() {
  await call("InitVectorDatabase", { ...instance, ...manager });
  await call("CreateNamespace", { ...instance, ...manager, ...namespace });
  try {
    await call("CreateDocumentCollection", {
      ...instance,
      ...manager,
      Namespace: namespace.Namespace,
      Collection: collection.Collection,
      EmbeddingModel: "clip-vit-b-32",
      Metadata: '{"caption":"text"}',
    });
  } catch (error) {
    if (error.code !== "Collection.AlreadyExists") throw error;
  }
}

/** Polls until everything in the upload can be found. */
async function wait(jobId) {
  for (;;) {
    const { Job: job } = await call("GetUploadDocumentJob", collection, { JobId: jobId });
    if (job.Completed) {
      if (job.Status !== "Success") throw new Error(`the upload ended as ${job.Status}: ${job.Error}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function main([command, argument, name]) {
  if (command === "load" && argument && name) {
    await prepare();
    const { JobId: jobId } = await call("UploadDocumentAsync", collection, { FileUrl: argument, FileName: name });
    await wait(jobId);
    console.log(`${name} is ready to be searched`);
  } else if (command === "text" && argument) {
    const reply = await call("QueryContent", { ...collection, TopK: "3" }, { Content: argument });
    for (const match of reply.Matches.MatchList) {
      console.log(`${match.Score.toFixed(3)}  ${match.FileName}\n       ${match.FileURL}`);
    }
  } else {
    console.error('usage: node image-search.js load URL NAME.jpg | text "dog"');
    process.exitCode = 2;
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
