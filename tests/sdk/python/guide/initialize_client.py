# -*- coding: utf-8 -*-
import os
from alibabacloud_gpdb20160503.client import Client as gpdb20160503Client
from alibabacloud_tea_OpenAPI import models as open_api_models
from alibabacloud_gpdb20160503 import models as gpdb_20160503_models
from alibabacloud_tea_util import models as util_models
def create_client() -> gpdb20160503Client:
    # Credentials are read from environment variables—never hardcode them.
    config = open_api_models.Config(
        access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    )
    config.endpoint = "gpdb.aliyuncs.com"
    return gpdb20160503Client(config)
