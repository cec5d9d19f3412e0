# -*- coding: utf-8 -*-
import os
from urllib.request import urlopen
from PIL import Image
from alibabacloud_gpdb20160503.client import Client as gpdb20160503Client
from alibabacloud_tea_OpenAPI import models as open_api_models
from alibabacloud_gpdb20160503 import models as gpdb_20160503_models
from alibabacloud_tea_util import models as util_models
client = create_client() # create_client() defined in the "Initialize the client" section
request = gpdb_20160503_models.QueryContentRequest(
    region_id="<your-instance-region-id>",
    dbinstance_id="<your-instance-id>",
    namespace="<your-namespace-name>",
    namespace_password="<your-namespace-password>",
    collection="<your-collection-name>",
    content="Dog", # the text query
    top_k=3,
)
runtime = util_models.RuntimeOptions()
try:
    response = client.query_content_with_options(request, runtime)
    if response.status_code != 200:
        raise Exception(f"QueryContent failed: {response.body}")
    for match in response.body.matches.match_list:
        url = match.file_url
        caption = match.metadata.get("caption")
        print(f"URL: {url}, Caption: {caption}")
        Image.open(urlopen(url)).show()
except Exception as error:
    print(error)
