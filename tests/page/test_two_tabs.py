"""Two tabs of one browser: neither overwrites what the other keeps, and each shows what the other
did.
"""

import pytest

from tests.page.conftest import SECONDS, Tab
from tests.security.figures import record

pytestmark = [pytest.mark.browser]
OPTIONS = "() => [...document.querySelectorAll('#setting-corpus option')].map((one) => one.value)"


@pytest.fixture
def tabs(browser, server):
    """Two tabs of a browser of their own."""
    one = Tab(browser, server + "?autosave=1")
    two = Tab.__new__(Tab)
    two.__dict__.update(one.__dict__, page=one.context.new_page(), complaints=[])
    two.allow(SECONDS)
    two.page.on("pageerror", lambda error: two.complaints.append(str(error)))
    two.page.goto(one.url)
    two.ready()
    yield one, two
    assert one.complaints == [] and two.complaints == []
    one.close()


def add(tab, *files):
    """Chooses files under Data; waits until the last one is the next run's."""
    tab.page.click("#tab-data")
    before = tab.page.input_value("#setting-corpus")
    chosen = [{"name": name, "mimeType": "text/plain", "buffer": text.encode()} for name, text in files]
    tab.page.set_input_files("#data-file", chosen)
    tab.wait("before => document.getElementById('setting-corpus').value !== before", before)


def own(tab):
    return [name for name in tab.page.evaluate(OPTIONS) if name not in ("shakespeare", "stdlib")]


def listed(tab, names):
    tab.wait(
        "names => (%s)().filter((n) => n !== 'shakespeare' && n !== 'stdlib').sort().join() === names" % OPTIONS,
        ",".join(sorted(names)),
    )


def in_python(tab, name):
    return tab.value("import tinygpt.data\ntinygpt.data.find_corpus(%r, say=lambda note: None).text" % name)


def test_texts_of_the_same_name_stay_what_they_are_and_both_tabs_have_them(tabs):
    one, two = tabs
    add(one, ("notes.txt", "of the first tab " * 40))
    listed(two, ["notes"])
    add(two, ("notes.txt", "of the second tab " * 40))
    for tab in (one, two):
        listed(tab, ["notes", "notes 2"])
        assert in_python(tab, "notes") == "of the first tab " * 40
        assert in_python(tab, "notes 2") == "of the second tab " * 40
    one.page.get_by_role("button", name="notes 2").click()
    one.page.locator("#data .data-head button").click()
    listed(two, ["notes"])
    add(two, ("notes 2.txt", "another one " * 40))
    listed(one, ["notes", "notes 2"])
    assert in_python(one, "notes 2") == "another one " * 40


def test_texts_added_at_the_same_moment_all_stay(tabs):
    one, two = tabs
    for tab in tabs:
        tab.page.click("#tab-data")
    for number, tab in enumerate((one, two, one, two)):
        text = ("text %d. " % number) * 100
        tab.page.evaluate(
            """(text) => {
                const data = new DataTransfer();
                data.items.add(new File([text], "same.txt", { type: "text/plain" }));
                const options = { dataTransfer: data, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent("drop", options));
            }""",
            text,
        )
    names = ["same", "same 2", "same 3", "same 4"]
    for tab in tabs:
        listed(tab, names)
        assert sorted(in_python(tab, name) for name in names) == [("text %d. " % i) * 100 for i in range(4)]


# Python's casefold makes the first one "stdlib"; Python calls neither of the next two printable.
# Some systems take names for one that differ in case or in how an accent is written.
NAMES = [
    "Plain",
    "caf\u00e9",
    "cafe\u0301",
    "CON",
    "con",
    "\u017ftdlib",
    "family \U0001f468\u200d\U0001f469",
    "private \ue000 name",
    "...",
    "a/b\\\\c",
    "x" * 200,
]


def test_a_name_of_any_kind_costs_no_other_text(tabs):
    one, two = tabs
    add(one, ("plain.txt", "a plain text " * 40))
    one.page.evaluate(
        """async (names) => {
            const { OwnTexts } = await import("/app/data/own_texts.js");
            const texts = new OwnTexts({ session: Object.assign(new EventTarget(), { state: "booting", request: async () => [] }) });
            for (const name of names) await texts.add(new Blob([`${name} `.repeat(50)]), { name, source: { kind: "paste" } });
        }""",
        NAMES,
    )
    two.wait("() => document.querySelectorAll('#setting-corpus option').length === 14")
    one.wait("() => document.querySelectorAll('#setting-corpus option').length === 14")
    for tab in tabs:
        texts = {name: in_python(tab, name) for name in own(tab)}
        assert texts["plain"] == "a plain text " * 40
        assert sorted(texts.values()) == sorted(["a plain text " * 40, *("%s " % name * 50 for name in NAMES)])


def test_a_damaged_text_costs_no_other_text(tabs):
    one, two = tabs
    add(one, ("good.txt", "a good text " * 40))
    two.page.evaluate("""async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("texts");
        for (const [name, text] of [["bad.json", "{"], ["bad.txt", "words "], [".110000..txt", "no character"], ["%.txt", "odd"]]) {
            const stream = await (await folder.getFileHandle(name, { create: true })).createWritable();
            await stream.write(text.repeat(20));
            await stream.close();
        }
        await folder.getDirectoryHandle("folder.txt", { create: true });
    }""")
    two.page.reload()
    two.ready()
    listed(two, ["good", "bad", "%"])
    assert in_python(two, "good") == "a good text " * 40 and in_python(two, "bad") == "words " * 20


def test_a_run_that_one_tab_deletes_stays_as_long_as_it_offers_undo(tabs):
    one, two = tabs
    one.page.select_option("#setting-preset", "tiny")
    one.page.fill("#setting-steps", "3")
    one.page.click("#run")
    one.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    one.wait("() => tinygpt.autosave().step === 3 && !tinygpt.autosave().saving")
    one.page.click("#tab-runs")
    one.page.get_by_role("button", name="Delete run 1").click()
    one.wait("() => document.querySelector('#runs .saved li.gone')")
    two.page.click("#tab-runs")
    two.wait("() => document.querySelector('#runs .saved li.gone')")
    two.page.get_by_role("button", name="Undo: keep run 1").click()
    two.wait("() => /Undo it there/.test(document.querySelector('#runs .kept-said').textContent)")
    one.page.get_by_role("button", name="Undo: keep run 1").click()
    for tab in tabs:
        tab.wait("() => document.querySelector('#runs .saved li:not(.gone)')")
    two.page.get_by_role("button", name="Load run 1", exact=True).click()
    two.wait("() => /restored at step 3/.test(document.querySelector('#runs .kept-said').textContent)")


# ---- deleting and Undo, in the store itself ----

# In a page of their own, `make(n)` gives n SavedRuns, as n tabs have them, with 600 ms for Undo,
# and `keep(id)` a run's file. A closed tab's locks go, which `close(runs)` does here.
STORE = """async () => {
    const { SavedRuns, FOLDER } = await import("/app/store/saved_runs.js");
    const files = await import("/app/store/files.js");
    const make = (n, undo = 600) => Array.from({ length: n }, () => new SavedRuns({ undo }));
    const keep = (id) => files.write(FOLDER, id + ".a", new Blob(["the state of a run"]));
    const there = async (id) => (await files.list(FOLDER)).map(({ name }) => name).filter((name) => name.startsWith(id + ".")).sort();
    const wait = (ms) => new Promise((resume) => setTimeout(resume, ms));
    const close = (runs) => {
        for (const timer of runs.timers.values()) clearTimeout(timer);
        clearTimeout(runs.again);
        runs.timers.clear();
        for (const release of runs.mine.values()) release();
        runs.look = async () => [];
    };
    const said = (promise) => promise.then(() => "done", (error) => error.message);
    BODY
}"""


@pytest.fixture(scope="module")
def store(browser, server):
    """in_store(body): what the body of a function in JavaScript gives, with the names of STORE."""
    tab = Tab(browser, server + "app/learn.html", ready=False)
    yield lambda body: tab.page.evaluate(STORE.replace("BODY", body))
    tab.close()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_a_deleted_run_stays_until_its_time_is_over(store, closed):
    found = store(
        """
        const [one, two] = make(2, 2000), id = "closed";
        await keep(id);
        await one.look();
        await one.remove(one.entry(id));
        if (%s) close(one);
        await two.look();
        const early = [two.entry(id)?.gone, await there(id)];
        await wait(3000);
        await two.look();
        return { early, late: [two.entry(id) ?? null, await there(id)] };"""
        % ("true" if closed else "false")
    )
    assert found == {"early": [True, ["closed.a", "closed.gone"]], "late": [None, []]}


def test_another_tab_may_undo_when_the_deleting_one_was_closed_or_reloaded(store):
    found = store(
        """
        const [one, two] = make(2, 5000), id = "reloaded";
        await keep(id);
        await one.look();
        await one.remove(one.entry(id));
        await two.look();
        const held = await said(two.undo(two.entry(id)));
        close(one);
        await wait(200);
        const free = await said(two.undo(two.entry(id)));
        await wait(1000);
        await two.look();
        return { held, free, gone: two.entry(id).gone, there: await there(id) };"""
    )
    assert found["held"].endswith("was deleted in another tab. Undo it there.")
    assert (found["free"], found["gone"], found["there"]) == ("done", False, ["reloaded.a"])


def test_undo_never_shows_what_is_gone(store):
    found = store(
        """
        const [one, two] = make(2, 5000), answers = [];
        for (const how of ["evicted", "erased elsewhere", "being erased"]) {
            const id = how.replace(" ", "-");
            await keep(id);
            await one.look();
            const entry = one.entry(id);
            await one.remove(entry);
            if (how === "evicted") for (const name of await there(id)) await files.remove(FOLDER, name);
            if (how === "erased elsewhere") await two.erase(entry);
            const ending = how === "being erased" ? one.end(entry) : null;
            const answer = await said(one.undo(entry));
            await ending;
            await two.look();
            answers.push([answer, one.entry(id) ?? null, two.entry(id) ?? null, await there(id), one.mine.has(id)]);
        }
        return answers;"""
    )
    for answer in found:
        assert answer == ["unreadable run cannot be kept: its files are erased.", None, None, [], False]


def test_two_tabs_that_delete_the_same_run(store):
    found = store(
        """
        const [one, two] = make(2, 5000), id = "both";
        await keep(id);
        await Promise.all([one.look(), two.look()]);
        const answers = await Promise.all([said(one.remove(one.entry(id))), said(two.remove(two.entry(id)))]);
        await wait(200);
        const during = await there(id);
        const kept = answers[0] === "done" ? one : two;
        const undone = await said(kept.undo(kept.entry(id)));
        await wait(1000);
        await two.look();
        return { answers: answers.sort(), during, undone, there: await there(id), gone: two.entry(id).gone };"""
    )
    assert found["answers"] == ["done", "unreadable run is open in another tab. Delete it there."]
    assert found["during"] == ["both.a", "both.gone"]
    assert (found["undone"], found["there"], found["gone"]) == ("done", ["both.a"], False)


def test_a_look_that_began_before_undo_erases_nothing(store):
    found = store(
        """
        const [one, two] = make(2, 1500), id = "race";
        await keep(id);
        await one.look();
        await one.remove(one.entry(id));
        await two.look();
        const seen = two.entry(id); // deleted, as far as the second tab knows
        await one.undo(one.entry(id));
        await wait(1600);
        const erased = await two.eraseUnheld(seen);
        // A first save that was still empty when it was listed.
        await files.write(FOLDER, "first.a", new Blob([]));
        const listed = { id: "first", about: null, bytes: 0, names: ["first.a"] };
        await files.write(FOLDER, "first.a", new Blob(["its first state"]));
        return [erased, await there(id), await two.eraseUnheld(listed), await there("first")];"""
    )
    assert found == [False, ["race.a"], False, ["first.a"]]


def test_deleting_and_undo_at_random_lose_no_run_that_was_kept(store):
    """Three tabs delete, undo, look and close as a fixed sequence of numbers says."""
    found = store(
        """
        let state = 12345, tabs = make(3);
        const number = (n) => (state = (state * 1103515245 + 12345) % 2147483648, Math.floor(state / 65536) % n);
        const ids = ["r0", "r1", "r2", "r3"], kept = new Set(ids), problems = [];
        for (const id of ids) await keep(id);
        for (const tab of tabs) await tab.look();
        for (let i = 0; i < 60; i++) {
            const tab = tabs[number(3)], id = ids[number(4)], entry = tab.entry(id), act = number(5);
            if (act === 0 && entry && !entry.gone && (await said(tab.remove(entry))) === "done") kept.delete(id);
            if (act === 1 && entry?.gone && (await said(tab.undo(entry))) === "done") kept.add(id);
            if (act === 2) await tab.look();
            if (act === 3) await wait(number(120));
            if (act === 4 && number(3) === 0) {
                close(tab);
                tabs[tabs.indexOf(tab)] = make(1)[0];
                await tabs.at(-1).look();
            }
            for (const one of kept) if (!(await there(one)).includes(one + ".a")) problems.push([i, one]);
        }
        await wait(1500);
        for (const tab of tabs) await tab.look();
        for (const id of ids) if ((await there(id)).includes(id + ".a") !== kept.has(id)) problems.push(["end", id]);
        for (const tab of tabs) for (const { id, gone } of tab.entries) if (ids.includes(id) && gone) problems.push(["shown", id]);
        return [problems, kept.size];"""
    )
    assert found[0] == [], found
    record("two tabs: delete and undo", 60, 60)
