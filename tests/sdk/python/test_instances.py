"""Instances, regions and accounts: what a program's start page asks before anything else."""

import pytest

from harness.api import REGION, Api, fresh_name, make_namespace, needs, refused
from harness.server import Server


@pytest.fixture
def api(client):
    """An instance of the test's own."""
    return Api(client, instance=fresh_name("gp-instance"))


def account_name() -> str:
    return fresh_name("keeper").replace("_", "")


@pytest.mark.sdk
def test_the_vendors_demo_finds_an_instance(client, server):
    """The calls of the demo's start page, and what it does with their replies."""
    made = make_namespace(client, instance="gp-demo")
    body = made.call("DescribeDBInstances", dbinstance_modes=["StorageElastic"], page_size=100)
    assert body.total_record_count >= body.page_record_count >= 1
    usable = [item for item in body.items.dbinstance if item.dbinstance_status != "LOCKED" and item.engine_version == "6.0"]
    assert "gp-demo" in [item.dbinstance_id for item in usable]
    attribute = made.call("DescribeDBInstanceAttribute").items.dbinstance_attribute[0]
    assert attribute.vector_configuration_status == "enabled"
    assert attribute.dbinstance_status == "Running"
    assert attribute.core_version.lstrip("mm.")
    assert f"{attribute.connection_string}:{attribute.port}" == server.address
    assert (attribute.engine, attribute.dbinstance_id) == ("gpdb", "gp-demo")


@pytest.mark.docs
def test_instances_come_in_pages(client):
    names = sorted(f"{fresh_name('gp-paged')}x" for _ in range(3))
    for name in names:
        make_namespace(client, instance=name)
    api = Api(client)
    wanted = ",".join(names)
    first = api.call("DescribeDBInstances", dbinstance_ids=wanted, page_size=2)
    second = api.call("DescribeDBInstances", dbinstance_ids=wanted, page_size=2, page_number=2)
    seen = [item.dbinstance_id for body in (first, second) for item in body.items.dbinstance]
    assert seen == names
    assert [(body.page_number, body.page_record_count, body.total_record_count) for body in (first, second)] == [(1, 2, 3), (2, 1, 3)]
    with refused("InvalidParameter", 400):
        api.call("DescribeDBInstances", page_size=101)


@pytest.mark.docs
def test_instances_have_no_tags(client):
    from alibabacloud_gpdb20160503 import models

    api = make_namespace(client)
    tag = models.DescribeDBInstancesRequestTag(key="team", value="photos")
    assert api.call("DescribeDBInstances", tag=[tag]).total_record_count == 0


@pytest.mark.docs
@needs("DescribeRegions", "region")
def test_regions_are_listed_with_zones(client):
    regions = Api(client).call("DescribeRegions").regions.region
    assert REGION in [region.region_id for region in regions]
    assert all(region.zones.zone[0].zone_id.startswith(region.region_id) for region in regions)
    assert [region.region_id for region in Api(client).call("DescribeRegions", region="cn-beijing").regions.region] == ["cn-beijing"]


@pytest.mark.docs
def test_an_account_that_was_made_initialises_the_instance(api):
    name = account_name()
    reply = api.call("CreateAccount", account_name=name, account_password="Keeper_1", account_description="keeps it")
    assert reply.request_id
    accounts = api.call("DescribeAccounts").accounts.dbinstance_account
    assert [(account.account_name, account.account_description, account.account_status) for account in accounts] == [(name, "keeps it", "1")]
    assert accounts[0].dbinstance_id == api.instance
    with refused("AccountOrPassword.VerificationError", 500):
        api.call("InitVectorDatabase")
    api.call("InitVectorDatabase", manager_account=name, manager_account_password="Keeper_1")
    api.call("CreateNamespace", namespace=fresh_name("ns"), manager_account=name, manager_account_password="Keeper_1")


@pytest.mark.docs
@pytest.mark.parametrize("name, password", [("gpadmin", "Keeper_1"), ("Keeper", "Keeper_1"), ("keeper", "keeper"), ("keeper", "Keeper 1")])
def test_names_and_passwords_have_rules(api, name, password):
    with refused("InvalidParameter", 400) as refusal:
        api.call("CreateAccount", account_name=name, account_password=password)
    assert password not in refusal.message


@pytest.mark.ours
def test_a_second_account_of_one_name_is_refused(api):
    name = account_name()
    api.call("CreateAccount", account_name=name, account_password="Keeper_1")
    with refused("InvalidAccountName.Duplicate", 400):
        api.call("CreateAccount", account_name=name, account_password="Another_1")


@pytest.mark.ours
def test_only_listed_instances_exist_when_some_are_listed(tmp_path):
    from harness.api import make_client

    with Server(tmp_path / "data", "--instance", "gp-one,gp-two") as strict:
        client = make_client(strict)
        listed = Api(client).call("DescribeDBInstances").items.dbinstance
        assert [item.dbinstance_id for item in listed] == ["gp-one", "gp-two"]
        other = Api(client, instance="gp-three")
        for action in ("DescribeDBInstanceAttribute", "DescribeAccounts"):
            with refused("InvalidDBInstanceId.NotFound", 404):
                other.call(action)
        with refused("InvalidDBInstanceId.NotFound", 404):
            other.call("CreateAccount", account_name="keeper", account_password="Keeper_1")
