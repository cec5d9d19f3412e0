"""The start page: what somebody sees who opens the address in a browser."""

from selenium.webdriver.common.by import By


def test_the_start_page_says_what_this_is_and_how_to_use_it(browser, server):
    browser.get(server.url("/"))
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "Lookalike" in browser.title
    assert "Lookalike" in text
    assert server.address in text, "the address to put into the SDK's configuration"
    assert "endpoint" in text and "_open_platform_endpoint" in text
    assert "builtin-imagenet-words" in text and "stand-in" in text, "which encoder answers is never hidden"


def test_the_start_page_needs_nothing_from_elsewhere(browser, server):
    browser.get(server.url("/"))
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name);")
    assert all(server.address in name for name in loaded)
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE" and "favicon" not in entry["message"]]
    assert severe == []
