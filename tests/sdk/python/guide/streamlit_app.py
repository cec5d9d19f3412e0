# -*- coding: utf-8 -*-
import os
import streamlit as st
from alibabacloud_gpdb20160503.client import Client as gpdb20160503Client
from alibabacloud_tea_OpenAPI import models as open_api_models
from alibabacloud_gpdb20160503 import models as gpdb_20160503_models
from alibabacloud_tea_util import models as util_models
def create_client() -> gpdb20160503Client:
    config = open_api_models.Config(
        access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    )
    config.endpoint = "gpdb.aliyuncs.com"
    return gpdb20160503Client(config)
def search_by_text(content: str) -> list:
    # client is an instance of gpdb20160503Client initialized with credentials from environment variables
    client = create_client()
    request = gpdb_20160503_models.QueryContentRequest(
        region_id="{your-instance-region-id}",
        dbinstance_id="{your-instance-id}",
        namespace="{your-namespace-name}",
        namespace_password="{your-namespace-password}",
        collection="{your-collection-name}",
        content=content,
        top_k=3,
    )
    runtime = util_models.RuntimeOptions()
    try:
        response = client.query_content_with_options(request, runtime)
        if response.status_code != 200:
            raise Exception(f"QueryContent failed: {response.body}")
        return [(m.file_url, m.metadata.get("caption")) for m in response.body.matches.match_list]
    except Exception as error:
        print(error)
        return []
# Streamlit UI
st.header('Demo for searching for images by text')
text_query = st.chat_input("Enter a keyword")
st.text(f"Keyword: {text_query}" if text_query else "Keyword: ")
if text_query:
    for url, caption in search_by_text(text_query):
        st.image(url)
        st.text(f"Description: {caption}")
