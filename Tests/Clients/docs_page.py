"""A real browser on the pages for people, of a running host.

    docs_page.py tried BASE ADMIN KEY ADMIN_KEY    with assets: operations are listed, and "Try it out" calls
    docs_page.py plain BASE ADMIN                  without assets: the list is there, and nothing else is asked for

BASE and ADMIN are the URLs of the listeners; KEY may call hello_greet. Needs Chromium (Debian: chromium).

Exit code 0: everything holds. What does not is printed.
"""

import json
import shutil
import sys
import urllib.request
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

expect.set_options(timeout=30_000)


def check(holds, *words):
    if not holds:
        raise AssertionError(" ".join(str(word) for word in words))


def operations(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        paths = json.loads(answer.read())["paths"]
    return [(method.upper(), path, one["operationId"]) for path, item in paths.items() for method, one in item.items()]


class Watched:
    """A page, with everything that went wrong on it and every address that it asked for."""

    def __init__(self, browser, url, scripts=True):
        self.url = url
        self.errors, self.requests = [], []
        self.context = browser.new_context(java_script_enabled=scripts)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        # An address that is its own data asks nobody.
        self.page.on(
            "request", lambda request: request.url.startswith("data:") or self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.errors.append(f"{request.url}: {request.failure}"))
        answer = self.page.goto(url)
        check(answer.status == 200, url, answer.status)

    def close(self):
        # What the policy forbids is an error on the console.
        check(not self.errors, self.url, self.errors)
        for request in self.requests:
            parts = urlsplit(request)
            check(parts.scheme == "blob" or parts.netloc == urlsplit(self.url).netloc, self.url, request)
        self.context.close()


def listed(page, known):
    """The list that needs no script names every operation."""
    rows = page.locator("#list dt")
    check(rows.count() == len(known), rows.count(), len(known))
    shown = {tuple(text.split()[:2]) for text in rows.all_inner_texts()}
    check(shown == {(method, path) for method, path, _ in known}, shown)


def tried(browser, url, document, key, tag, operation, parameters, expected):
    """Swagger UI has every operation; one is called with the key, and its answer shown."""
    watched = Watched(browser, url)
    page, known = watched.page, operations(document)
    expect(page.locator(".opblock")).to_have_count(len(known))
    expect(page.locator("#list")).to_be_hidden()
    page.locator("#key input").fill(key)
    page.locator("#key input").press("Tab")
    block = page.locator(f"#operations-{tag}-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    for name, value in parameters.items():
        block.locator(f'tr[data-param-name="{name}"] input').fill(value)
    block.get_by_role("button", name="Execute").click()
    shown = block.locator(".live-responses-table .response")
    expect(shown.locator(".response-col_status")).to_contain_text("200")
    expect(shown.locator(".response-col_description")).to_contain_text(expected)
    watched.close()


def plain(browser, url, document):
    """One request, no script."""
    known = operations(document)
    for scripts in (True, False):
        watched = Watched(browser, url, scripts)
        listed(watched.page, known)
        check(watched.requests == [url], watched.requests)
        watched.close()


def main(how, base, admin, *keys):
    pages = [(f"{base}/docs", f"{base}/openapi.json"), (f"{admin}/admin/v1/docs", f"{admin}/admin/v1/openapi.json")]
    check(shutil.which("chromium"), "there is no chromium (Debian: chromium)")
    with sync_playwright() as playwright:
        # As root, as tests run in containers, there is no sandbox.
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"])
        if how == "plain":
            for url, document in pages:
                plain(browser, url, document)
        else:
            tried(browser, *pages[0], keys[0], "hello", "hello_greet", {"name": "Ada"}, "Hello, Ada!")
            tried(browser, *pages[1], keys[1], "automations", "automations_list", {}, '"hello"')
            # Without scripts the assets are of no use, and the list is there.
            for url, document in pages:
                watched = Watched(browser, url, scripts=False)
                listed(watched.page, operations(document))
                watched.close()
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("everything holds")
