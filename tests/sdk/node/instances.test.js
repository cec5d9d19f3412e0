"use strict";
// Regions, instances and accounts through every generic client.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { Current, Former, Pop, REGION } = require("./harness/clients");

const address = process.env.LOOKALIKE_TEST_ADDRESS;
let number = 0;

const families = {
  "openapi-core": () => new Current(address, "http"),
  "openapi-client": () => new Former(address, "http"),
  "pop-core POST": () => new Pop(address, "http", "POST"),
  "pop-core GET": () => new Pop(address, "http", "GET"),
};

for (const [name, make] of Object.entries(families)) {
  describe(`sdk: start page with ${name}`, () => {
    it("makes an account, initialises with it, and finds the instance", async () => {
      const client = make();
      number += 1;
      const instance = { DBInstanceId: `gp-start-${process.pid}-${number}` };
      await client.call("CreateAccount", { ...instance, AccountName: "keeper", AccountPassword: "Keeper_1+=&%" });
      const accounts = await client.call("DescribeAccounts", instance);
      assert.deepEqual(
        accounts.Accounts.DBInstanceAccount.map((account) => [account.AccountName, account.AccountType]),
        [["keeper", "Super"]],
      );
      const place = { ...instance, RegionId: REGION };
      const wrong = { ManagerAccount: "keeper", ManagerAccountPassword: "wrong" };
      await assert.rejects(client.call("InitVectorDatabase", { ...place, ...wrong }), (error) => {
        assert.equal(error.code ?? error.data.Code, "AccountOrPassword.VerificationError");
        return true;
      });
      const manager = { ManagerAccount: "keeper", ManagerAccountPassword: "Keeper_1+=&%" };
      await client.call("InitVectorDatabase", { ...place, ...manager });

      const regions = await client.call("DescribeRegions", {});
      assert.ok(regions.Regions.Region.some((region) => region.RegionId === REGION));
      const listed = await client.call("DescribeDBInstances", { RegionId: REGION, DBInstanceIds: instance.DBInstanceId });
      assert.equal(listed.TotalRecordCount, 1);
      assert.equal(listed.Items.DBInstance[0].DBInstanceId, instance.DBInstanceId);
      const described = await client.call("DescribeDBInstanceAttribute", instance);
      const [attribute] = described.Items.DBInstanceAttribute;
      assert.equal(attribute.VectorConfigurationStatus, "enabled");
      assert.equal(`${attribute.ConnectionString}:${attribute.Port}`, address);
    });

    it("filters by dotted tags", async () => {
      const tagged = { RegionId: REGION, "Tag.1.Key": "team", "Tag.1.Value": "photos" };
      assert.equal((await make().call("DescribeDBInstances", tagged)).TotalRecordCount, 0);
    });
  });
}
