"""The search pages in Streamlit: somebody types a query and sees pictures, the dogs first."""

import re

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness import pictures
from harness.server import ROOT, wait_until
from streamlit_page import StreamlitPage

GUIDE_SAMPLE = ROOT / "tests/sdk/python/guide/streamlit_app.py"
PICTURES_ON_THE_PAGE = """
return [...document.querySelectorAll('[data-testid="stImage"] img, [data-testid="stImageContainer"] img')]
    .map(image => ({source: image.src, width: image.complete ? image.naturalWidth : 0}));
"""


def guide_sample(server) -> str:
    """The guide's page as it stands, with values for its placeholders and the endpoint lines changed."""
    source = GUIDE_SAMPLE.read_text(encoding="utf-8")
    values = {
        "{your-instance-region-id}": "cn-hangzhou",
        "{your-instance-id}": "gp-example",
        "{your-namespace-name}": "examples",
        "{your-namespace-password}": "Namespace_1",
        "{your-collection-name}": "photos",
        'config.endpoint = "gpdb.aliyuncs.com"': f'config.endpoint = "{server.address}"; config.protocol = "http"',
    }
    for placeholder, value in values.items():
        assert placeholder in source
        source = source.replace(placeholder, value)
    return source


@pytest.fixture(params=["example", "guide"])
def page(request, server, user, photos, tmp_path):
    script = ROOT / "examples/streamlit/app.py"
    if request.param == "guide":
        script = tmp_path / "app.py"
        script.write_text(guide_sample(server), encoding="utf-8")
    with StreamlitPage(script, user, tmp_path) as running:
        yield running


def type_query(browser, text: str):
    field = wait_until(
        lambda: browser.find_elements(By.CSS_SELECTOR, '[data-testid="stTextInput"] input, [data-testid="stChatInput"] textarea'),
        "the field for the query",
    )[0]
    field.send_keys(text, Keys.ENTER)


def loaded_pictures(browser, at_least: int) -> list[str]:
    """The sources of the pictures on the page, once all of them have really loaded."""

    def loaded():
        shown = browser.execute_script(PICTURES_ON_THE_PAGE)
        return shown if len(shown) >= at_least and all(picture["width"] > 0 for picture in shown) else None

    return [picture["source"] for picture in wait_until(loaded, f"{at_least} pictures to load")]


def test_a_query_shows_the_dogs_first(page, browser, server):
    dogs = pictures.photos_of("dog")
    browser.get(page.url)
    type_query(browser, "dog")
    sources = loaded_pictures(browser, len(dogs))
    assert all(server.address in source for source in sources), "straight from Lookalike"
    text = browser.find_element(By.TAG_NAME, "body").text
    captions = pictures.captions()
    places = sorted((text.find(caption), name) for name, caption in captions.items() if caption in text)
    assert {name for _, name in places[: len(dogs)]} == dogs, text
    assert not re.search(r"Traceback|Exception", text)

