"""Sends queries by the vendor's Python SDK, for `lookalike-bench rows --client`; a vector a line on its input."""

import json
import sys

from alibabacloud_gpdb20160503 import models
from alibabacloud_gpdb20160503.client import Client
from alibabacloud_tea_openapi import models as open_api_models

client = Client(
    open_api_models.Config(
        access_key_id="lookalike", access_key_secret="lookalike", endpoint=sys.argv[1], region_id="cn-hangzhou", protocol="http"
    )
)
for line in sys.stdin:
    request = models.QueryCollectionDataRequest(
        dbinstance_id="gp-bench",
        region_id="cn-hangzhou",
        namespace="bench",
        namespace_password="Bench-2026",
        collection="rows",
        top_k=10,
        vector=json.loads(line),
    )
    assert len(client.query_collection_data(request).body.matches.match) == 10
