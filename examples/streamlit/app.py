"""A search page in Streamlit: type what the picture shows, see the pictures and their captions.

It searches the photos that `examples/python/image_search.py load` has uploaded. The browser loads each picture from its FileURL.
"""

import os

import streamlit as st
from alibabacloud_gpdb20160503 import models
from alibabacloud_gpdb20160503.client import Client
from alibabacloud_tea_openapi import models as open_api_models
from alibabacloud_tea_util import models as util_models

COLUMNS = 3


@st.cache_resource
def create_client() -> Client:
    return Client(
        open_api_models.Config(
            access_key_id=os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "lookalike"),
            access_key_secret=os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "lookalike"),
            region_id="cn-hangzhou",
            endpoint=os.environ.get("LOOKALIKE_ENDPOINT", "127.0.0.1:8443"),
            protocol="http",
        )
    )


def search_by_text(content: str, top_k: int) -> list:
    request = models.QueryContentRequest(
        region_id="cn-hangzhou",
        dbinstance_id="gp-example",
        namespace="examples",
        namespace_password="Namespace_1",
        collection="photos",
        content=content,
        top_k=top_k,
    )
    reply = create_client().query_content_with_options(request, util_models.RuntimeOptions())
    return reply.body.matches.match_list


st.set_page_config(page_title="Image search", layout="wide")
st.header("Image search")
text_query = st.text_input("What does the picture show?", placeholder="dog")
top_k = st.slider("Pictures", min_value=3, max_value=12, value=6, step=COLUMNS)

if text_query:
    try:
        matches = search_by_text(text_query, top_k)
    except Exception as error:
        st.error(getattr(error, "message", str(error)))
        st.stop()
    for start in range(0, len(matches), COLUMNS):
        row = matches[start : start + COLUMNS]
        for column, match in zip(st.columns(COLUMNS), row):
            with column:
                st.image(match.file_url, caption=match.metadata.get("caption") or match.file_name)
                st.caption(f"score {match.score:.3f}")
