"""The page in another engine (tests/engines): Firefox or WebKit as a host, through the page's own
`tinygpt.run`.

`python3 -m tests.hosts.engine firefox [variant]` speaks the other hosts' line protocol. variant:
the extension's build that the page loads. `bash tests/engines/install.sh` installs the browsers.
"""

import base64
import contextlib
import sys

from tests.engines import browsers
from tests.engines.webdriver import WebDriverError

from . import HostError
from .chromium import EVALUATE, Server, Tab, answer_lines

READY = """async () => {
    while (!globalThis.tinygpt) await new Promise((resume) => setTimeout(resume, 20));
    await tinygpt.ready;
    await tinygpt.graphics;
}"""


class EngineTab(Tab):
    """The page in a window of the engine."""

    def __init__(self, engine, variant=""):
        self.open = contextlib.ExitStack()
        try:
            server = self.open.enter_context(contextlib.closing(Server()))
            self.session = self.open.enter_context(browsers.opened(engine))
            self.session.goto(server.url + ("?variant=" + variant if variant else ""))
            self.session.evaluate(READY)
        except (OSError, WebDriverError, AssertionError) as error:
            self.close()
            raise HostError("the page did not become ready in %s: %s" % (engine, error)) from None
        self._push_tests()

    def _run(self, source):
        return self.session.evaluate("(source) => tinygpt.run(source)", source)

    def evaluate(self, script, argument=None):
        """What a JavaScript function of the page gives for an argument; of a Blob, its bytes."""
        answer = self.session.evaluate(EVALUATE % script, argument)
        return base64.b64decode(answer["blob"].partition(",")[2]) if "blob" in answer else answer["value"]

    def close(self):
        self.open.close()


if __name__ == "__main__":
    answer_lines(lambda: EngineTab(*sys.argv[1:]))
