"use strict";
// The vendor's generic clients behind one small face: `call(action, query, body)` and, where the SDK family can, `upload(content)`.
// The generated gpdb packages are not on npm; they do nothing that is not done here through the same core packages.

const { Readable } = require("node:stream");

const OldClient = require("@alicloud/openapi-client");
const NewClient = require("@alicloud/openapi-core");
const OldOpenPlatform = require("@alicloud/openplatform20191219");
const OldOss = require("@alicloud/oss-client");
const RpcClient = require("@alicloud/pop-core").RPCClient;
const OldForm = require("@alicloud/tea-fileform");
const OldUtil = require("@alicloud/tea-util");
const Dara = require("@darabonba/typescript");

const { accessKeyId, accessKeySecret } = require("./server");

const GPDB = "2016-05-03";
const OPEN_PLATFORM = "2019-12-19";
const REGION = "cn-hangzhou";

function callParameters(action, version, method) {
  return {
    action,
    version,
    protocol: "HTTPS",
    pathname: "/",
    method,
    authType: "AK",
    style: "RPC",
    reqBodyType: "formData",
    bodyType: "json",
  };
}

/** The current generation: openapi-core, whose form writer leaves out the line break behind a file. */
class Current {
  constructor(address, protocol, settings = {}) {
    this.address = address;
    const config = { accessKeyId, accessKeySecret, endpoint: address, protocol, regionId: REGION, ...settings };
    this.client = new NewClient.default(new NewClient.$OpenApiUtil.Config(config));
  }

  async send(action, version, method, query, body) {
    const parameters = new NewClient.$OpenApiUtil.Params(callParameters(action, version, method));
    const request = new NewClient.$OpenApiUtil.OpenApiRequest({ query, body });
    const reply = await this.client.callApi(parameters, request, new Dara.RuntimeOptions({}));
    return reply.body;
  }

  call(action, query, body) {
    return this.send(action, GPDB, "POST", text(query), body && text(body));
  }

  /** What the generated `…Advance` methods do: authorise, post the form over HTTPS, name the URL. */
  async upload(content) {
    const grant = await this.send("AuthorizeFileUpload", OPEN_PLATFORM, "GET", { Product: "gpdb", RegionId: REGION });
    const form = {
      host: grant.Endpoint,
      OSSAccessKeyId: grant.AccessKeyId,
      policy: grant.EncodedPolicy,
      Signature: grant.Signature,
      key: grant.ObjectKey,
      file: { filename: grant.ObjectKey, content: Readable.from([content]), contentType: "" },
      success_action_status: "201",
    };
    const boundary = Dara.Form.getBoundary();
    const request = new Dara.Request();
    request.protocol = "HTTPS";
    request.method = "POST";
    request.pathname = "/";
    request.headers = {
      host: `${grant.Bucket}.${grant.Endpoint}`,
      "content-type": `multipart/form-data; boundary=${boundary}`,
    };
    request.body = Dara.Form.toFileForm(form, boundary);
    const reply = await Dara.doAction(request, {});
    const xml = await Dara.Stream.readAsString(reply.body);
    if (reply.statusCode !== 201) throw new Error(`the upload was answered with ${reply.statusCode}: ${xml}`);
    return `http://${grant.Bucket}.${grant.Endpoint}/${grant.ObjectKey}`;
  }
}

/** The generation before: openapi-client, openplatform and oss-client. */
class Former {
  constructor(address, protocol, settings = {}) {
    this.protocol = protocol;
    this.config = { accessKeyId, accessKeySecret, endpoint: address, protocol, regionId: REGION, ...settings };
    this.client = new OldClient.default(new OldClient.Config(this.config));
  }

  async call(action, query, body) {
    const parameters = new OldClient.Params(callParameters(action, GPDB, "POST"));
    const request = new OldClient.OpenApiRequest({ query: text(query), body: body && text(body) });
    const reply = await this.client.callApi(parameters, request, new OldUtil.RuntimeOptions({}));
    return reply.body;
  }

  async upload(content) {
    const platform = new OldOpenPlatform.default(new OldClient.Config(this.config));
    const ask = new OldOpenPlatform.AuthorizeFileUploadRequest({ product: "gpdb", regionId: REGION });
    const { body: grant } = await platform.authorizeFileUploadWithOptions(ask, new OldUtil.RuntimeOptions({}));
    const oss = new OldOss.default(
      new OldOss.Config({
        accessKeyId,
        accessKeySecret,
        type: "access_key",
        endpoint: grant.endpoint,
        protocol: this.protocol,
        regionId: REGION,
      }),
    );
    const file = new OldForm.FileField({ filename: grant.objectKey, content: Readable.from([content]), contentType: "" });
    const header = new OldOss.PostObjectRequestHeader({
      accessKeyId: grant.accessKeyId,
      policy: grant.encodedPolicy,
      signature: grant.signature,
      key: grant.objectKey,
      file,
      successActionStatus: "201",
    });
    await oss.postObject(new OldOss.PostObjectRequest({ bucketName: grant.bucket, header }), new OldUtil.RuntimeOptions({}));
    return `http://${grant.bucket}.${grant.endpoint}/${grant.objectKey}`;
  }
}

/** pop-core: RPC 1.0 with HMAC-SHA1, everything in the query (GET) or everything in the form (POST). */
class Pop {
  constructor(address, protocol, method, settings = {}) {
    this.method = method;
    const config = { accessKeyId, accessKeySecret, endpoint: `${protocol}://${address}`, apiVersion: GPDB, ...settings };
    this.client = new RpcClient(config);
  }

  call(action, query, body) {
    return this.client.request(action, { ...query, ...body }, { method: this.method, timeout: 10_000 });
  }
}

/** The generic clients want texts; the generated ones turn booleans, numbers and objects into these. */
function text(fields) {
  const texts = {};
  for (const [name, value] of Object.entries(fields)) {
    texts[name] = typeof value === "object" ? JSON.stringify(value) : String(value);
  }
  return texts;
}

module.exports = { Current, Former, Pop, REGION };
