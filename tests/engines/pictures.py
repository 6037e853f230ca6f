"""Pictures of the page in each engine, three widths wide, light and dark, after a short run:
`python3 -m tests.engines.pictures FOLDER [engines]`. To look at; nothing compares them.
"""

import sys
from pathlib import Path

from tests.engines.browsers import NAMES
from tests.engines.test_walk import page_in
from tests.hosts.chromium import Server

SIZES = ((390, 1800), (820, 1500), (1280, 900))


def take(name, url, folder):
    with page_in(name, url) as page:
        for width, height in SIZES:
            page.framed(width, height)
            page.trained(300)
            page.click("#tab-inside")
            page.looked_inside()
            page.evaluate("() => scrollTo(0, 0)")
            for theme in ("light", "dark"):
                while page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") != theme:
                    page.click("#theme")
                page.browser.screenshot(folder / ("%s_%d_%s.png" % (name, width, theme)))


def main(folder, *names):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    server = Server()
    try:
        for name in names or NAMES:
            take(name, server.url, folder)
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
