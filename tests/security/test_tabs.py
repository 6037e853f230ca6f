"""Code that runs in one tab harms no other tab: the other one trains on, keeps its texts, and
answers. What lies damaged in the storage that they share costs nothing else.
"""

import pytest

from tests.page.test_two_tabs import add, in_python, listed, tabs  # noqa: F401
from tests.security.figures import record

pytestmark = [pytest.mark.browser]
SECONDS = 5
# What the code of one tab may try against the other through what they share. Each is allowed to
# fail.
ATTACKS = {
    "locks that are never given back": """
import js
from pyodide.ffi import create_proxy
for name in ("texts", "runs", "store", "tinygpt", "tinygpt texts", "tinygpt runs"):
    js.navigator.locks.request(name, create_proxy(lambda lock: js.Promise.new(create_proxy(lambda *a: None))))
""",
    "locks that are stolen": """
import js
held = await js.navigator.locks.query()
for lock in held.held:
    js.navigator.locks.request(lock.name, js.JSON.parse('{"steal": true}'), lambda lock: None)
""",
    "news that is none": """
import js
for name in ("texts", "runs", "tinygpt", "tinygpt texts", "tinygpt runs"):
    channel = js.BroadcastChannel.new(name)
    for value in (None, 1, "x", js.JSON.parse('{"__proto__": {"hostile": 1}}')):
        for _ in range(200):
            channel.postMessage(value)
""",
    "files that are deleted": """
import js
root = await js.navigator.storage.getDirectory()
for name in ("texts", "runs"):
    await root.removeEntry(name, js.JSON.parse('{"recursive": true}'))
""",
    "databases that are deleted": """
import js
for name in ("texts", "runs", "tinygpt"):
    js.indexedDB.deleteDatabase(name)
""",
    "caches that are emptied": """
import js
for name in await js.caches.keys():
    await js.caches.delete(name)
""",
    "workers that the page does not know": """
import js
for _ in range(9):
    js.Worker.new("data:text/javascript,for(;;);")
""",
    "memory to its end": "kept = []\nwhile True: kept.append(bytearray(1 << 27))",
    "an endless print": "import time\nend = time.time() + 2\nwhile time.time() < end: print('x' * 100)",
    "the end of one's own Python": "import os\nos._exit(1)",
}
BEGIN = """(source) => {
    globalThis.outcome = null;
    tinygpt.run(source).then((outcome) => { globalThis.outcome = outcome; });
}"""


def test_code_of_one_tab_does_not_reach_the_other(tabs):  # noqa: F811
    one, two = tabs
    add(two, ("kept.txt", "a text that stays " * 40))
    listed(one, ["kept"])
    two.page.select_option("#setting-preset", "tiny")
    two.page.fill("#setting-steps", "10000000")
    two.page.click("#run")
    two.wait("() => tinygpt.state().step > 2")
    for name, source in ATTACKS.items():
        one.wait("() => document.body.dataset.state === 'ready'")
        one.page.evaluate(BEGIN, source)
        one.wait("() => globalThis.outcome !== null", seconds=2 * SECONDS)
        at = two.page.evaluate("() => tinygpt.state().step")
        two.wait("at => tinygpt.state().step > at + 2", at, seconds=SECONDS)
        assert two.page.evaluate("() => tinygpt.state().running && !('hostile' in {})"), name
    two.page.click("#stop")
    two.wait("() => !tinygpt.state().running")
    add(two, ("later.txt", "a text of later " * 40))
    one.wait("() => document.body.dataset.state === 'ready'")
    listed(one, ["kept", "later"])
    for tab in tabs:
        assert in_python(tab, "kept") == "a text that stays " * 40
        tab.complaints.clear()  # a fatal error of Pyodide is one
    record("tabs: code", len(ATTACKS), len(ATTACKS))


DAMAGE = """async (files) => {
    const root = await navigator.storage.getDirectory();
    for (const [folder, name, text, times] of files) {
        const place = await root.getDirectoryHandle(folder, { create: true });
        const stream = await (await place.getFileHandle(name, { create: true })).createWritable();
        await stream.write(text.repeat(times));
        await stream.close();
    }
}"""


def test_damaged_files_of_the_storage_cost_no_other_file(tabs):  # noqa: F811
    one, two = tabs
    add(one, ("good.txt", "a good text " * 40))
    files = []
    for folder, ending in (("texts", ".json"), ("runs", ".json"), ("texts", ".txt"), ("runs", ".tinygpt")):
        for number, (text, times) in enumerate(
            [
                ("", 1),
                ("[", 100_000),
                ('{"a":', 50_000),
                ("null", 1),
                ('{"__proto__": {"hostile": 1}}', 1),
                ("9", 100_000),
            ]
        ):
            files.append([folder, "hostile %d%s" % (number, ending), text, times])
    one.page.evaluate(DAMAGE, files)
    two.page.reload()
    two.ready()
    two.page.click("#tab-runs")
    two.wait("() => document.querySelector('#setting-corpus option[value=good]')", seconds=SECONDS)
    assert in_python(two, "good") == "a good text " * 40
    assert two.value("6 * 7") == 42 and two.page.evaluate("() => 'hostile' in {}") is False
    record("tabs: files", len(files), len(files))
