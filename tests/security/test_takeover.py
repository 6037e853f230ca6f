"""What code of the user reaches in the page, and what it does not (SECURITY.md): the storage of the
site, other realms, the service worker's cache of a static build.
"""

import json
import re

import pytest

import serve
from tests.page.conftest import Tab, browser, server  # noqa: F401  fixtures
from tests.page.test_static import STATE, kept, made, opened, plain_host, started
from tests.security.figures import record
from tools.setup import build

pytestmark = [pytest.mark.browser]

GONE = (
    "caches", "indexedDB", "BroadcastChannel", "Worker", "SharedWorker", "importScripts", "webkitRequestFileSystem",
    "webkitRequestFileSystemSync", "webkitResolveLocalFileSystemURL", "localStorage", "sessionStorage", "cookieStore",
    "Notification", "CacheStorage", "IDBFactory", "StorageManager", "LockManager", "FileSystemDirectoryHandle",
)  # fmt: skip
GONE_OF_NAVIGATOR = ("storage", "storageBuckets", "locks", "serviceWorker", "webkitTemporaryStorage")

# Each of these must raise. {name}: a name of GONE.
WAYS = {
    "js": "js.{name}.name",
    "self": "js.self.{name}.name",
    "globalThis": "js.globalThis.self.globalThis.{name}.name",
    "import": "from js import {name}",
    "get": "assert js.Reflect.get(js.globalThis, '{name}') is not None",
    "prototype": "assert js.Reflect.get(js.WorkerGlobalScope.prototype, '{name}', js.globalThis) is not None",
    "constructor": "assert js.Reflect.get(js.self.constructor.prototype, '{name}', js.globalThis) is not None",
    "getter": "js.Object.getOwnPropertyDescriptor(js.WorkerGlobalScope.prototype, '{name}').get",
    "own": "js.Object.getOwnPropertyDescriptor(js.globalThis, '{name}').configurable",
    "window": "js.window.{name}.name",
    "Function": "assert js.Function.new('return {name}')() is not None",
    "eval": "assert js.eval('{name}') is not None",
    "run_js": "from pyodide.code import run_js\nassert run_js('globalThis.{name}') is not None",
    "module": "assert pyodide_js._module.{name} is not None",
}
WAYS_OF_NAVIGATOR = {
    "navigator": "js.navigator.{name}.constructor",
    "prototype": "assert js.Reflect.get(js.WorkerNavigator.prototype, '{name}', js.navigator) is not None",
    "getter": "js.Object.getOwnPropertyDescriptor(js.WorkerNavigator.prototype, '{name}').get",
    "own": "js.Object.getOwnPropertyDescriptor(js.navigator, '{name}').configurable",
}
MORE = {
    "IndexedDB through Pyodide's file systems": """
fs = pyodide_js.FS
fs.mkdirTree('/kept')
fs.mount(fs.filesystems.IDBFS, js.Object.new(), '/kept')
import asyncio
done = asyncio.get_running_loop().create_future()
from pyodide.ffi import create_once_callable
fs.syncfs(True, create_once_callable(lambda error: done.set_result(error)))
assert await done is None
""",
    "a module worker by a blob": """
from pyodide.ffi import to_js
address = js.URL.createObjectURL(js.Blob.new(to_js(['1']), js.Object.new()))
js.Reflect.construct(js.Reflect.get(js.globalThis, 'Worker'), to_js([address]))
""",
    "the pool's workers": "import tinygpt_extension\ntinygpt_extension.module.PThread.unusedWorkers",
    "the page's window": "js.parent.document",
    "a file of the computer": "js.fetch.name\nanswer = await js.fetch('file:///etc/hostname')\nassert answer.ok",
    "another path of the server": "answer = await js.fetch('/../../etc/hostname')\nassert answer.ok",
}

ALLOWED = {
    "compute": "import tinygpt\nfloat((tinygpt.ones(3) * 2).sum())",
    "read a file of the site": "(await js.fetch(js.URL.new('../main.js', js.location.href).href)).ok",
    "read it at once": "x = js.XMLHttpRequest.new()\nx.open('GET', js.location.href, False)\nx.send()\nx.status == 200",
    "timers and messages": "import asyncio\nawait asyncio.sleep(0.01)\njs.MessageChannel.new() is not None",
    "micropip": "import micropip\nmicropip.__version__",
    "64-bit addresses, with threads of their own": """
import tinygpt
tinygpt.set_device("wasm64")
a = tinygpt.ones(256, 256)
total = float((a @ a).sum())
import tinygpt_extension64
threads = tinygpt_extension64.extension.threads
tinygpt.set_device("wasm")
assert total == 256 ** 3 and threads == 2, (total, threads)
True
""",
}

# In the worker's realm, by the debugger, which no content security policy holds back: every object
# that can be reached from globalThis in six steps, and the names of its classes and functions.
REACHED = """() => {
    const named = RegExp("^(?:get )?(?:Cache|CacheStorage|caches|IDBFactory|IDBDatabase|indexedDB|Storage.*|storage.*"
        + "|Lock|LockManager|locks|BroadcastChannel|Worker|SharedWorker|ShadowRealm|importScripts|serviceWorker"
        + "|ServiceWorkerContainer|FileSystem(?!Flags).*|webkit.*FileSystem.*|Notification)$");
    const found = [], seen = new Set(), next = [[globalThis, "globalThis", 0]];
    const nameOf = (object) => {
        if (typeof object === "function") return object.name;
        return Object.prototype.toString.call(object).slice(8, -1);
    };
    while (next.length) {
        const [object, path, depth] = next.shift();
        if (object === null || !/^(?:object|function)$/.test(typeof object) || seen.has(object)) continue;
        seen.add(object);
        let name = "";
        try { name = nameOf(object); } catch {}
        if (named.test(name)) found.push(`${path}: ${name}`);
        if (depth === 6 || ArrayBuffer.isView(object)) continue;
        for (const key of Reflect.ownKeys(object)) {
            const {value, get} = Reflect.getOwnPropertyDescriptor(object, key);
            const add = (one) => next.push([one, `${path}.${String(key)}`, depth + 1]);
            add(get);
            add(value);
            for (const self of get ? [object, globalThis, navigator] : [])
                try {
                    const given = Reflect.apply(get, self, []);
                    given?.catch?.(() => {});
                    add(given);
                } catch {}
        }
        next.push([Reflect.getPrototypeOf(object), path + ".__proto__", depth + 1]);
    }
    return {found, seen: seen.size};
}"""

# What patched built-ins catch while the extension with 64-bit addresses starts its threads.
CATCH = """async () => {
    const caught = {instances: [], makers: new Set()};
    const push = Array.prototype.push, Address = globalThis.URL;
    const look = () => { if (Object.hasOwn(globalThis, "Worker")) caught.makers.add(globalThis.Worker); };
    const isWorker = (value) => value instanceof EventTarget && value.postMessage;
    Array.prototype.push = function (...values) {
        for (const value of values) if (isWorker(value)) caught.instances[caught.instances.length] = value;
        look();
        return push.apply(this, values);
    };
    globalThis.URL = class extends Address { constructor(...args) { look(); super(...args); } };
    const bridge = (name) => import(new Address(`../bridges/${name}`, location.href).href);
    const [wasm, again, gpu] = [await bridge("wasm.js"), await bridge("wasm.js?again"), await bridge("webgpu.js")];
    let made;
    try { made = await wasm.loadExtension({variant: "relaxed64-mt", threads: 2}); }
    finally { Array.prototype.push = push; globalThis.URL = Address; }
    const refused = await again.loadExtension({variant: "relaxed64-mt", threads: 2}).then(() => "loaded", String);
    const answers = [];
    for (const maker of caught.makers) {
        const own = new maker("data:text/javascript,postMessage(typeof caches)", {name: "mine"});
        answers.push(await new Promise((resolve) => {
            own.onmessage = ({data}) => resolve(data);
            own.onerror = () => resolve("error");
            setTimeout(resolve, 1000, "silent");
        }));
        own.terminate();
    }
    const [first] = caught.instances, threads = made.maxThreads;
    made.close();
    return {
        threads, answers, refused, makers: caught.makers.size, caught: caught.instances.length,
        classes: [first, first && Object.getPrototypeOf(first)].map((one) => one?.constructor?.name),
        exports: [...Object.keys(wasm), ...Object.keys(gpu)], left: "Worker" in globalThis,
    };
}"""


@pytest.fixture(scope="module")
def page(browser, server):  # noqa: F811
    tab = Tab(browser, server + "?threads=2")
    yield tab
    tab.close()


def attempts():
    """{what is tried: source}: each must raise."""
    sources = {}
    for names, ways in ((GONE, WAYS), (GONE_OF_NAVIGATOR, WAYS_OF_NAVIGATOR)):
        for name in names:
            sources.update({"%s by %s" % (name, way): text.format(name=name) for way, text in ways.items()})
    return {**sources, **MORE}


def in_python_worker(tab, source):
    (worker,) = (worker for worker in tab.page.workers if worker.url.endswith("/app/worker/worker.js"))
    return worker.evaluate(source)


def test_the_bar_of_a_link_says_what_the_threat_model_says():
    from tests.page.conftest import ROOT

    words = re.search(r'CODE_CAN =\s*"([^"]+)"', (ROOT / "app/share/share_panel.js").read_text())[1]
    assert words in " ".join((ROOT / "SECURITY.md").read_text().split())


def test_code_reaches_no_storage_of_the_site_and_no_other_realm(page):
    sources = attempts()
    reached = page.value(
        "import js, json, pyodide_js\nfrom pyodide.code import eval_code_async\nreached = []\n"
        "for name, source in json.loads(%r).items():\n"
        "    try:\n        await eval_code_async(source, {'js': js, 'pyodide_js': pyodide_js})\n"
        "    except BaseException:\n        continue\n    reached.append(name)\nreached" % json.dumps(sources)
    )
    record("takeover", len(sources), len(sources) - len(reached))
    assert reached == []


def test_what_code_may_do_works(page):
    page.value("import js, pyodide_js")
    for name, source in ALLOWED.items():
        answer = page.run(source)
        assert answer["ok"] and answer["result"], "%s: %s" % (name, answer["error"])


def test_no_object_of_the_workers_realm_leads_there(page):
    answer = in_python_worker(page, REACHED)
    assert answer["found"] == [] and answer["seen"] > 3000


def test_patched_built_ins_catch_no_way_to_another_realm(page):
    answer = in_python_worker(page, CATCH)
    assert answer["threads"] >= 2 and answer["caught"] >= 1, "the built-ins were called"
    assert answer["makers"] == 1 and answer["answers"] == ["silent"], "a thread of the pool, whatever it is called with"
    assert not {"Worker", "CacheStorage"} & set(answer["classes"])
    assert not {"Native", "Worker", "stores", "caches"} & set(answer["exports"])
    assert "Worker" in answer["refused"] and not answer["left"]
    record("takeover", 4, 4)  # the maker, an instance, an export, another copy of the module


# ---- the service worker's cache of a static build ----

EVIL = "document.title = 'taken over'; await new Promise(() => {});"
# As code that ran once wrote it: other bytes under the true headers, the true bytes under other
# headers, an entry from another address, and one that only some requests match.
REWRITE = """async (evil) => {
    const [name] = (await caches.keys()).filter((name) => name.startsWith("tinygpt http"));
    const cache = await caches.open(name), at = (path) => new URL(path, document.baseURI).href;
    const put = async (path, {body, headers = {}}) => {
        const kept = await cache.match(at(path)), all = {...Object.fromEntries(kept.headers), ...headers};
        await cache.put(at(path), new Response(body ?? await kept.arrayBuffer(), {headers: all}));
    };
    await put("app/main.js", {body: evil});
    await put("", {headers: {Refresh: "0; url=https://example.org/"}});
    await put("app/ui/dom.js", {headers: {"content-security-policy": "script-src *"}});
    await put("app/worker/worker.js", {body: evil, headers: {Vary: "X-Nobody-Sends-It"}});
    await cache.put(at("app/ui/page.css"), await cache.match(at("app/ui/format.js")));
    await put("public/vendor/pyodide/pyodide.asm.mjs", {body: evil});
    await put("public/wheels/wheels.json", {body: "[]"});
    await cache.put(at("app/added.js"), new Response(evil, {headers: {"Content-Type": "text/javascript"}}));
}"""
REWRITTEN = {
    "index.html", "app/main.js", "app/ui/dom.js", "app/worker/worker.js", "app/ui/page.css",
    "public/vendor/pyodide/pyodide.asm.mjs", "public/wheels/wheels.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):  # noqa: F811
    """(the folder of a static build, its host, a tab whose service worker has kept every file)"""
    folder = tmp_path_factory.mktemp("host") / "site"
    build.write(folder, serve.MADE, serve.TYPES, serve.ISOLATION)
    with plain_host(folder.parent) as (url, host):
        tab = opened(browser, url + "site/")
        kept(tab)
        yield folder, host, tab
        tab.close()


def test_code_cannot_rewrite_it_from_python(site):
    _, _, tab = site
    answer = tab.run("import js\nfor name in await js.caches.keys():\n    await js.caches.delete(name)")
    assert not answer["ok"] and "caches" in answer["error"]
    assert in_python_worker(tab, REACHED)["found"] == []
    assert tab.page.evaluate(STATE)["kept"] == tab.page.evaluate(STATE)["files"]


def test_a_rewritten_cache_is_answered_by_the_true_files_and_repaired(site):
    folder, host, tab = site
    assert tab.page.is_hidden("#banner")
    tab.page.evaluate(REWRITE, EVIL)
    tab.page.reload()
    started(tab)
    assert tab.page.title() != "taken over" and tab.value("1 + 1") == 2
    tab.wait("() => !document.getElementById('banner').hidden")
    said, state = tab.text("#banner"), tab.page.evaluate(STATE)
    assert "were changed by something other than this page" in said and "None of the changed ones was used" in said
    assert {path or "index.html" for path in state["replaced"]} == REWRITTEN and state["problem"] is None
    record("takeover", len(REWRITTEN) + 1, len(REWRITTEN) + 1)
    added = tab.page.evaluate("async () => (await fetch('app/added.js')).status")
    assert added == 404, "a file that is none of the build's never comes from the cache"

    # The next version takes nothing from the old cache unchecked, nor what waits in its own.
    old = tab.page.evaluate(
        """async (evil) => {
        const [name] = (await caches.keys()).filter((name) => name.startsWith("tinygpt http"));
        const cache = await caches.open(name), at = new URL("app/main.js", document.baseURI).href;
        const headers = (await cache.match(at)).headers;
        await cache.put(at, new Response(evil, {headers}));
        return Object.fromEntries(headers);
    }""",
        EVIL,
    )
    train = (serve.PACKAGE / "train.py").read_bytes() + b"\n# the newer one\n"
    build.write(folder, made(**{"/py/train.py": train}), serve.TYPES, serve.ISOLATION)
    version = json.loads((folder / "build.json").read_text())["version"]
    tab.page.evaluate(
        """async ([version, evil, headers]) => {
        const scope = new URL(".", document.baseURI).href, cache = await caches.open(`tinygpt ${scope} ${version}`);
        await cache.put(scope + "app/main.js", new Response(evil, {headers}));
    }""",
        [version, EVIL, old],
    )
    tab.page.evaluate("async () => (await navigator.serviceWorker.getRegistration()).update()")
    tab.page.wait_for_selector("#new-version")
    with tab.page.expect_navigation():
        tab.page.click("#new-version")
    started(tab)
    assert kept(tab)["version"] == version
    assert "the newer one" in tab.page.evaluate("() => tinygpt.source()")

    # Without a network there is no file in its place, and no false one either. With one, the page's
    # check of its own files might repair some first.
    host.kill()
    host.wait()
    tab.page.evaluate(REWRITE, EVIL)
    answers = tab.page.evaluate(
        "(paths) => Promise.all(paths.map((path) => fetch(path).then((found) => found.text(), () => 'none')))",
        ["app/main.js", "app/worker/worker.js"],
    )
    assert answers == ["none", "none"]
