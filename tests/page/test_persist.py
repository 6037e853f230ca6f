"""Nothing that is made in the tab is lost: runs are saved while they train, come back after a
refresh as if they had never ended, and leave the page as files that load elsewhere. A save that
fails says so; a file that is not one of ours says what it is.
"""

import base64
import io
import pickle
import struct
import zipfile

import pytest

from tests.page.conftest import ROOT, SECONDS, Tab, allow, slowness, wait_for
from tests.page.test_playground import PAIRS
from tinygpt import checkpoint

pytestmark = [pytest.mark.browser]


@pytest.fixture
def tab(browser, server):
    """A browser profile of its own: nothing is saved there yet. Saves come every second."""
    tab = Tab(browser, server + "?autosave=1")
    yield tab
    assert tab.complaints == []
    tab.close()


def begin(tab, steps, preset="tiny", **inputs):
    tab.page.select_option("#setting-preset", preset)
    for name, value in {"steps": steps, **inputs}.items():
        tab.page.fill("#setting-" + name, str(value))
    press_run(tab)


def press_run(tab):
    """Begins a run, and waits until what the page says is about it: the saves and steps of the one
    before hold for a moment longer.
    """
    before = tab.page.evaluate("() => tinygpt.autosave().id")
    tab.page.click("#run")
    tab.wait("before => ![null, before].includes(tinygpt.autosave().id)", before)


def finished(tab):
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")


def stop(tab):
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    saved(tab)


def saved(tab):
    """Waits until what has been trained is saved."""
    tab.wait("() => tinygpt.autosave().step === tinygpt.state().step && !tinygpt.autosave().saving")
    return tab.page.evaluate("() => tinygpt.autosave()")


def refresh(tab):
    tab.page.reload()
    tab.ready()


def offered(tab):
    tab.wait(
        "() => document.getElementById('resume-last')?.checkVisibility() && !document.getElementById('resume-last').disabled"
    )
    return tab.text("#resume-last")


def losses(tab):
    return tab.page.evaluate("() => tinygpt.history().map(({step, loss}) => [step, loss])")


def rows(tab, count=None):
    """The saved runs' rows under Runs."""
    tab.page.click("#tab-runs")
    if count is not None:
        tab.wait("n => document.querySelectorAll('#runs .saved li').length === n", count)
    return tab.page.locator("#runs .saved li")


def downloaded(tab, button, kind):
    with tab.page.expect_download() as waiting:
        button.click()
        tab.page.locator(".kinds:popover-open").get_by_role("button", name=kind).click()
    path = waiting.value.path()
    return waiting.value.suggested_filename, path.read_bytes()


def exported(tab, optimizer=True):
    text = tab.page.evaluate("""async (optimizer) => {
        const bytes = new Uint8Array(await (await tinygpt.exportModel({optimizer})).arrayBuffer());
        let text = "";
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return text;
    }""", optimizer)  # fmt: skip
    return text.encode("latin1")


# ---- saved, and back after a refresh -----------------------------------------------------------


def test_a_refresh_loses_nothing_and_the_run_goes_on_with_the_numbers_it_would_have_had(tab):
    begin(tab, 2500, batch_size=2, lr="0.002")
    tab.page.evaluate("() => tinygpt.apply(tinygpt.source().replace('# 256 tokens', '# Bytes: 256 tokens'))")
    finished(tab)
    whole = losses(tab)
    press_run(tab)
    tab.wait("() => tinygpt.autosave().saves >= 1 && tinygpt.state().step > 20")
    tab.wait("() => /saved .*ago/s.test(document.getElementById('facts').innerText)")  # it is drawn at the next beat
    # An edit that is not applied stays one.
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("Control+End")
    tab.page.keyboard.insert_text("\n# not applied\n")
    at = tab.page.evaluate("() => tinygpt.save().then(() => tinygpt.autosave().step)")
    refresh(tab)
    text = offered(tab)
    assert text.startswith("Resume run 2 from step ")
    step = int(text.rpartition(" ")[2].replace(",", ""))
    assert step >= at
    assert not tab.page.evaluate("() => tinygpt.state().running") and losses(tab) == []
    assert "# not applied" in tab.page.evaluate("() => tinygpt.source()"), "a draft (test_drafts.py)"
    tab.page.click("#resume-last")
    tab.wait("n => tinygpt.state().step > n", step)
    assert tab.page.input_value("#setting-preset") == "tiny" and tab.page.input_value("#setting-lr") == "0.002"
    assert "Bytes: 256 tokens" in tab.page.evaluate("() => tinygpt.source()")
    assert "# not applied" in tab.page.evaluate("() => tinygpt.source()") and tab.page.is_enabled("#apply")
    assert not tab.page.is_visible("#resume-offer")
    finished(tab)
    assert tab.page.evaluate("() => tinygpt.state().run") == "run 2"
    assert losses(tab) == whole, "as if it had never ended, to the bit"
    assert saved(tab)["step"] == 2500
    rows(tab, 2)
    tab.wait("() => document.querySelector('#runs .saved li .resume').textContent === 'Load'")


def test_the_offer_can_be_dismissed_and_the_run_stays_under_runs(tab):
    begin(tab, 30)
    finished(tab)
    saved(tab)
    refresh(tab)
    assert offered(tab) == "Load run 1, finished at step 30"
    tab.page.click("#resume-offer button.quiet")
    assert not tab.page.is_visible("#resume-offer")
    rows(tab, 1).get_by_role("button", name="Load run 1", exact=True).click()
    tab.wait("() => /restored at step 30/.test(document.getElementById('status').textContent)")
    assert len(losses(tab)) == 30 and not tab.page.evaluate("() => tinygpt.state().running")
    answer = tab.page.evaluate("() => tinygpt.generate({prompt: 'A', tokens: 5, seed: 1})")
    assert answer["tokens"] == 5
    tab.page.fill("#setting-steps", "40")
    tab.page.click("#pause")
    finished(tab)
    assert len(losses(tab)) == 40
    assert saved(tab)["step"] == 40
    rows(tab, 1)  # the same run, not another one


def test_a_run_is_saved_when_the_tab_is_hidden_and_while_paused_and_not_when_autosave_is_off(browser, server):
    tab = Tab(browser, server + "?autosave=600")
    begin(tab, 100_000)
    tab.wait("() => tinygpt.state().step > 5")
    assert tab.page.evaluate("() => tinygpt.autosave().saves") == 0
    hide = """() => {
        Object.defineProperty(document, "hidden", {get: () => true, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    tab.page.evaluate(hide)
    tab.wait("() => tinygpt.autosave().saves === 1")
    tab.page.evaluate("() => delete document.hidden")
    rows(tab)
    tab.page.select_option("#autosave", "0")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    tab.page.evaluate(hide)
    assert tab.page.evaluate("() => tinygpt.autosave().saves") == 1
    tab.page.evaluate("() => delete document.hidden")
    tab.wait("() => document.getElementById('saved').textContent === 'autosave is off'")
    tab.page.select_option("#autosave", "600")
    tab.page.evaluate(hide)
    tab.wait("() => tinygpt.autosave().saves === 2")
    assert tab.page.evaluate("() => tinygpt.autosave().step === tinygpt.state().step"), "also while it waits"
    assert tab.complaints == []
    tab.close()


def test_a_damaged_save_gives_way_to_the_one_before(tab):
    begin(tab, 100_000)
    tab.wait("() => tinygpt.autosave().saves >= 3")
    stop(tab)
    about = tab.page.evaluate("""async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
        const read = async (name) => new Uint8Array(await (await (await folder.getFileHandle(name)).getFile()).arrayBuffer());
        const sequence = (bytes) => Number(new DataView(bytes.buffer).getBigUint64(32, true));
        const id = tinygpt.autosave().id, slots = [];
        for (const letter of "ab") slots.push({name: `${id}.${letter}`, bytes: await read(`${id}.${letter}`)});
        slots.sort((one, other) => sequence(other.bytes) - sequence(one.bytes));
        const [{name, bytes}] = slots;
        bytes[bytes.length - 1000] ^= 1; // in a tensor
        const stream = await (await folder.getFileHandle(name)).createWritable();
        await stream.write(bytes);
        await stream.close();
        return {newest: sequence(slots[0].bytes), older: sequence(slots[1].bytes), step: tinygpt.autosave().step};
    }""")
    assert about["newest"] == about["older"] + 1
    refresh(tab)
    offered(tab)
    tab.page.click("#resume-last")
    tab.wait("() => tinygpt.state().running")
    assert tab.page.evaluate("() => tinygpt.history()[0].step") == 0
    tab.wait("() => tinygpt.autosave().saves >= 1")
    stop(tab)
    refresh(tab)
    offered(tab)  # and what was saved since is whole
    tab.page.click("#resume-last")
    tab.wait("() => tinygpt.state().running")
    assert "damaged" not in tab.text("#status")


# ---- the list ----------------------------------------------------------------------------------


def test_runs_are_listed_renamed_deleted_and_brought_back(tab):
    for steps in (12, 14):
        begin(tab, steps)
        finished(tab)
        saved(tab)
    listed = rows(tab, 2)
    assert "step 14 of 14" in listed.nth(0).inner_text() and "step 12 of 12" in listed.nth(1).inner_text()
    assert "MB" in tab.text("#storage") or "kB" in tab.text("#storage")
    name = listed.nth(1).locator(".run-name")
    name.fill("my best one")
    name.press("Enter")
    tab.wait("() => document.querySelector('#runs .saved li:nth-child(2) .delete').ariaLabel === 'Delete my best one'")
    refresh(tab)
    listed = rows(tab, 2)
    assert listed.nth(1).locator(".run-name").input_value() == "my best one"
    listed.nth(1).get_by_role("button", name="Delete my best one").click()
    tab.wait("() => document.querySelector('#runs .saved li.gone')")
    listed.nth(1).get_by_role("button", name="Undo: keep my best one").click()
    tab.wait("() => !document.querySelector('#runs .saved li.gone')")
    refresh(tab)
    rows(tab, 2).nth(1).get_by_role("button", name="Delete my best one").click()
    tab.wait("() => document.querySelector('#runs .saved li.gone')")
    tab.wait("""async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs");
        for await (const [name, file] of folder.entries())
            if (name.endsWith(".gone")) return (await file.getFile()).size > 0;
    }""")
    refresh(tab)  # the page that comes next erases it when the time for Undo is over
    rows(tab, 1)
    names = tab.page.evaluate("""async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("runs"), names = [];
        for await (const name of folder.keys()) names.push(name.replace(/.*[.]/, ""));
        return names.sort();
    }""")
    assert set(names) <= {"a", "b"}, "nothing of the deleted one is left"


def test_a_look_that_is_on_its_way_brings_back_nothing_that_was_changed(tab):
    begin(tab, 12)
    finished(tab)
    saved(tab)
    tab.page.evaluate("() => tinygpt.reset()")  # nobody writes the run any more
    # each look takes its time between what it reads and what it says, as on a slow machine
    said = tab.page.evaluate("""async () => {
        const { SavedRuns } = await import("/app/store/saved_runs.js");
        const saved = new SavedRuns(), { id } = (await saved.look())[0], said = [], { held } = saved;
        saved.held = async () => {
            const found = await held.call(saved);
            await new Promise((done) => setTimeout(done, 300));
            return found;
        };
        for (const change of ["remove", "undo", "remove", "undo", "rename"]) {
            const look = saved.look();
            await new Promise((done) => setTimeout(done, 100)); // the look has read the folder
            await saved[change](saved.entry(id), "its name");
            await look;
            said.push(saved.entry(id).gone);
        }
        return [...said, saved.entry(id).name, (await saved.look())[0].name];
    }""")
    assert said == [True, False, True, False, False, "its name", "its name"]


def test_two_tabs_do_not_write_the_same_run(tab):
    begin(tab, 100_000)
    tab.wait("() => tinygpt.autosave().saves >= 1")
    first = tab.page.evaluate("() => tinygpt.autosave().id")
    other = tab.context.new_page()
    allow(other, SECONDS)
    other.goto(tab.url)
    other.evaluate("() => tinygpt.ready")
    other.click("#tab-runs")
    wait_for(other, "() => /open in another tab/.test(document.getElementById('runs').textContent)")
    assert not other.is_visible("#resume-offer"), "it runs elsewhere: nothing to bring back"
    other.get_by_role("button", name="Delete run 1").click()
    wait_for(other, "() => /Delete it there/.test(document.querySelector('#runs .kept-said').textContent)")
    other.get_by_role("button", name="Resume run 1", exact=True).click()
    wait_for(
        other,
        "() => /Also open in another tab[.] This tab continues as a copy[.]/.test(document.querySelector('.kept-said').textContent)",
    )
    wait_for(other, "() => tinygpt.autosave().saves >= 1")
    assert other.evaluate("() => tinygpt.autosave().id") != first
    assert other.evaluate("() => tinygpt.state().run") == "run 1 (copy)"
    other.close()
    tab.page.bring_to_front()
    before = tab.page.evaluate("() => tinygpt.autosave().saves")
    tab.wait("n => tinygpt.autosave().saves > n", before)


# ---- a save that fails -------------------------------------------------------------------------


def test_a_full_disk_is_told_in_a_sentence_the_run_lives_and_the_download_is_there(tab):
    begin(tab, 30)
    finished(tab)
    saved(tab)
    cdp = tab.context.new_cdp_session(tab.page)
    origin = tab.page.evaluate("() => location.origin")
    begin(tab, 100_000, "small")
    tab.wait("() => tinygpt.autosave().saves >= 1")
    used = tab.page.evaluate("async () => (await navigator.storage.estimate()).usage")
    cdp.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": used + 50_000})
    tab.wait("() => document.getElementById('save-problem').checkVisibility()")
    said = tab.text("#save-problem")
    assert (
        "Training continues, but the run is not saved. There is no space for " in said
        and "this site uses" in said
        and "MB" in said
    ), said
    assert said.count(". ") <= 2
    tab.wait("() => document.getElementById('facts').innerText.includes('not saved')")
    step = tab.page.evaluate("() => tinygpt.state().step")
    tab.wait("n => tinygpt.state().step > n + 2", step)
    with tab.page.expect_download() as waiting:
        tab.page.locator("#save-problem").get_by_role("button", name="Download this run").click()
    file = checkpoint.loads(waiting.value.path().read_bytes())
    assert (
        file.step >= step and file.optimizer is not None and waiting.value.suggested_filename.startswith("run-2-step-")
    )
    assert tab.page.locator("#save-problem").get_by_role("button", name="Delete run 1, the oldest").is_visible()
    cdp.send("Storage.overrideQuotaForOrigin", {"origin": origin})
    tab.wait("() => !document.getElementById('save-problem').checkVisibility()")
    tab.wait("() => /^saved/.test(document.getElementById('saved').textContent)")
    # What was saved before the disk was full was never touched: both slots are whole again.
    stop(tab)
    refresh(tab)
    assert offered(tab).startswith("Resume run 2 from step ")


BREAKING = """
let left = %d;
const plainWrite = FileSystemWritableFileStream.prototype.write;
FileSystemWritableFileStream.prototype.write = function (...args) {
    if (left-- > 0) return Promise.reject(new DOMException("Failed to write data to data pipe.", %r));
    return plainWrite.apply(this, args);
};
"""


@pytest.mark.parametrize(
    "breaks, name, said",
    [
        (2, "AbortError", "written"),
        (9, "AbortError", "Failed to write data to data pipe."),
        (1, "QuotaExceededError", "There is no space for 0 kB in the browser's storage: this site uses"),
    ],
)
def test_a_write_whose_pipe_breaks_is_tried_again(browser, server, breaks, name, said):
    """Chromium's pipe to the storage breaks now and then, before the reason is known."""
    tab = Tab(browser, server + "public/icon.svg", ready=False)
    source = (ROOT / "app" / "store" / "store_worker.js").read_text()
    isolated = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin"}
    tab.context.route(
        "**/store_worker.js",
        lambda route: route.fulfill(
            body=source + BREAKING % (breaks, name), content_type="text/javascript", headers=isolated
        ),
    )
    tab.page.goto(server + "app/store/files.js")
    message = tab.page.evaluate(
        """async () => {
            const files = await import("/app/store/files.js");
            const parts = [new TextEncoder().encode("a text")];
            return files.request("write", { folder: "runs", name: "a", parts }).then(() => "written", ({ message }) => message);
        }"""
    )
    assert message.startswith(said)
    tab.close()


def test_without_a_place_to_save_the_page_says_why_and_downloads_work(browser, server):
    context = Tab(browser, server, ready=False)
    context.context.add_init_script("delete StorageManager.prototype.getDirectory")
    context.page.goto(server)
    tab = context
    tab.ready()
    begin(tab, 20)
    finished(tab)
    tab.page.click("#tab-runs")
    tab.wait("() => /cannot store files for pages/.test(document.getElementById('runs').textContent)")
    name, data = downloaded(
        tab, tab.page.locator("#runs").get_by_role("button", name="Download this run"), "To continue training"
    )
    assert name == "run-1-step-20.tinygpt" and checkpoint.loads(data).step == 20
    assert tab.page.is_visible("#save-problem") and tab.complaints == []
    tab.close()


# ---- out of the page, and in -------------------------------------------------------------------


def test_the_exported_weights_load_in_pytorch_and_give_the_pages_validation_loss(tab, tmp_path):
    import safetensors.torch
    import torch

    from reference.batches import Batches
    from reference.model import GPT
    from tinygpt.corpora import find_corpus
    from tinygpt.tokenizer import ByteTokenizer

    begin(tab, 60, lr="0.003")
    finished(tab)
    saved(tab)
    source = (
        "from tinygpt import loop\n_run = loop.current\n_before = _run.kept['data'].get_state()\n"
        "(_run.evaluate(_run.kept['model'], _run.kept['data'], _run.train_config), _before, _run.train_config.batch_size, "
        "_run.train_config.eval_batches)"
    )
    page_loss, state, batch_size, batches = tab.value(source)
    row = rows(tab, 1).first
    name, data = downloaded(tab, row.get_by_role("button", name="Download run 1"), "For PyTorch")
    assert name == "run-1-step-60.safetensors"
    _, same = downloaded(tab, tab.page.get_by_role("button", name="Download this run"), "For PyTorch")
    assert data == same
    file = checkpoint.loads(exported(tab))
    model = GPT(file.model_config)
    model.load_state_dict(safetensors.torch.load(data), strict=True)
    model.eval()
    tokens = ByteTokenizer().encode(find_corpus("shakespeare").text)
    windows = Batches(tokens, file.model_config.context, 42, "cpu", 0, 1)
    windows.set_state(state)
    with torch.no_grad():
        total = sum(model(*windows.batch(batch_size, "validation"))[1].item() for _ in range(batches))
    assert abs(total / batches - page_loss) < 1e-4, (total / batches, page_loss)
    name, small = downloaded(tab, row.get_by_role("button", name="Download run 1"), "To generate text")
    assert checkpoint.loads(small).optimizer is None and checkpoint.loads(small).step == 60
    name, whole = downloaded(tab, row.get_by_role("button", name="Download run 1"), "To continue training")
    assert checkpoint.loads(whole).optimizer["kind"] == "AdamW" and whole[-1000:] == exported(tab)[-1000:]


def take(tab, name, data):
    """Gives the page a file through Import, and returns what it says."""
    tab.page.click("#tab-runs")
    tab.page.set_input_files("#import-file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})
    tab.wait("name => document.querySelector('#runs .kept-said').textContent.startsWith(name)", name)
    return tab.text("#runs .kept-said")


def test_a_file_is_taken_in_shows_its_curve_and_goes_on_as_the_run_would_have(tab):
    begin(tab, 50, preset="tiny", batch_size=2)
    finished(tab)
    whole = losses(tab)
    tab.page.fill("#setting-steps", "30")
    press_run(tab)
    finished(tab)
    data = exported(tab)
    first = saved(tab)["id"]
    refresh(tab)
    said = take(tab, "mine.tinygpt", data)
    assert (
        said.startswith("mine.tinygpt loaded: 70.5k parameters, step 30, with optimizer state")
        and "after raising Steps" in said
    )
    assert losses(tab) == whole[:30] and tab.page.input_value("#setting-preset") == "tiny"
    assert (
        tab.page.input_value("#setting-batch_size") == "2" and tab.page.evaluate("() => tinygpt.state().run") == "mine"
    )
    tab.page.fill("#setting-steps", "50")
    tab.page.click("#pause")
    finished(tab)
    assert losses(tab) == whole
    assert saved(tab)["id"] != first, "it is a run of its own"
    rows(tab, 3)


def test_a_file_can_be_dropped_anywhere(tab):
    begin(tab, 5)
    finished(tab)
    tab.page.evaluate("""async () => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([await tinygpt.exportModel()], "dropped.tinygpt"));
        document.getElementById("chart").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }""")
    tab.wait("() => document.getElementById('status').textContent.startsWith('dropped.tinygpt loaded')")


def strangers(good):
    """(name, bytes, what the sentence must say)"""
    import safetensors.numpy
    from numpy import zeros

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model/data.pkl", pickle.dumps({"w": [1.0]}))
    middle = len(good) - 5000
    return [
        ("empty.tinygpt", b"", "is empty (0 bytes)"),
        ("model.pt", archive.getvalue(), "no pickle is ever opened"),
        ("weights.pkl", pickle.dumps({"weights": [1.0] * 99}), "a Python pickle, which is never opened"),
        (
            "bert.safetensors",
            safetensors.numpy.save({"x": zeros(3)}),
            "a safetensors file, but not a TinyGPT checkpoint",
        ),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "a PNG image"),
        ("page.html", b"<!DOCTYPE html><html>404", "a web page; the download went wrong"),
        ("llama.gguf", b"GGUF" + b"\0" * 99, "a GGUF file"),
        ("cut.tinygpt", good[:middle], "cut off or damaged"),
        ("cutearly.tinygpt", good[:500], "cut off"),
        (
            "flipped.tinygpt",
            good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
            "do not match their checksum",
        ),
        ("longer.tinygpt", good + b"x", "1 bytes follow the last tensor"),
        (
            "huge.tinygpt",
            struct.pack("<Q", 2**63) + good[8:],
            "huge.tinygpt could not be imported: this is not a .tinygpt file.",
        ),
        ("newer.tinygpt", good.replace(b'"format_version":"1"', b'"format_version":"2"'), "update TinyGPT"),
    ]


def test_foreign_and_broken_files_explain_themselves_and_change_nothing(tab):
    begin(tab, 12)
    finished(tab)
    good = exported(tab)
    for name, data, sentence in strangers(good):
        said = take(tab, name, data)
        assert sentence in said and "Traceback" not in said and "\n" not in said, (name, said)
        assert tab.page.get_attribute("#status", "class") == "bad"
    assert exported(tab) == good, "the model is as it was"
    assert take(tab, "good.tinygpt", good).startswith("good.tinygpt loaded")


def test_mutated_files_are_refused_in_the_tab_too_quickly_and_it_lives(tab):
    from tests.storage.test_checkpoint_mutations import GOOD, mutants

    begin(tab, 3)
    finished(tab)
    sample = list(mutants(320, seed=99))
    worst, refused, same = 0.0, 0, 0
    for start in range(0, len(sample), 80):
        answers = tab.page.evaluate("""async (texts) => {
            const answers = [];
            for (const text of texts) {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                const begun = performance.now();
                const said = await tinygpt.importModel(new Blob([bytes])).then(() => "taken", (error) => error.message);
                answers.push([said, performance.now() - begun]);
            }
            return answers;
        }""", [base64.b64encode(data).decode() for data in sample[start : start + 80]])  # fmt: skip
        for data, (said, took) in zip(sample[start:], answers):
            worst = max(worst, took)
            if said == "taken":
                same += 1
                ours, theirs = checkpoint.loads(data), checkpoint.loads(GOOD)
                assert {n: v.tobytes() for n, v in ours.model.items()} == {
                    n: v.tobytes() for n, v in theirs.model.items()
                }
            else:
                refused += 1
                assert 20 < len(said) < 600 and "\n" not in said and "Error" not in said, said
    assert refused > 280 and refused + same == len(sample) and worst < 5000 * slowness(), (refused, same, worst)
    assert tab.value("1 + 1") == 2
    tab.page.evaluate("() => tinygpt.reset()")  # a run would ask before it drops what was imported
    begin(tab, 5)
    finished(tab)


def test_the_panel_says_what_it_costs_and_stretches_the_interval(tab):
    begin(tab, 100_000, "small")
    tab.wait("() => tinygpt.autosave().saves >= 1")
    about = tab.page.evaluate("() => tinygpt.autosave()")
    assert about["interval_s"] >= max(1, about["cost_s"] / 0.02) - 1e-9
    if about["cost_s"] > 0.02:
        tab.wait(
            "() => /; every .+, because a save takes [0-9.]+ s/.test(document.getElementById('saved').textContent)"
        )
    assert about["bytes"] > 4_400_000


def test_the_panel_the_offer_and_the_notice_keep_nobody_out_and_fit_every_width(tab):
    begin(tab, 12)
    finished(tab)
    saved(tab)
    refresh(tab)
    offered(tab)
    tab.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text() + "\n;0")
    rows(tab, 1)
    tab.page.evaluate("""() => {
        const row = document.getElementById("save-problem");
        row.hidden = false;
        row.firstChild.textContent = "Training continues, but the run is not saved. There is no space for 4.4 MB in the browser's storage.";
    }""")
    for theme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=theme)
        for width, height in ((1440, 900), (1024, 768), (390, 844)):
            tab.page.set_viewport_size({"width": width, "height": height})
            assert tab.page.evaluate(PAIRS) == [], (theme, width)
            assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= width
            for part in (
                "#resume-last",
                "#save-problem button",
                "#runs .saved .resume",
                "#runs .saved .delete",
                "#autosave",
            ):
                box = tab.page.locator(part).first.bounding_box()
                assert box and box["x"] >= 0 and box["x"] + box["width"] <= width, (part, width)
            box = tab.page.locator("#save-problem").bounding_box()
            assert width < 900 or box["y"] + box["height"] <= height, "seen without scrolling"
    tab.page.locator("#runs .saved .downloads").press("Enter")
    assert tab.page.locator(".kinds:popover-open button:visible").count() == 3
    tab.page.keyboard.press("Escape")
    assert tab.page.locator(".kinds:popover-open").count() == 0


def test_an_input_changed_in_a_run_is_in_its_save_its_file_and_its_link(tab):
    begin(tab, 100_000)
    tab.wait("() => tinygpt.state().step > 5")
    for name, value in (("lr", "0.002"), ("batch_size", "4")):  # the batch waits for the next run
        tab.page.fill("#setting-" + name, value)
        tab.page.press("#setting-" + name, "Tab")
    tab.wait("() => tinygpt.state().lr === 0.002")
    link = tab.page.evaluate("() => tinygpt.share()")
    tab.page.evaluate("() => tinygpt.save()")
    stop(tab)
    assert checkpoint.loads(exported(tab)).train_config.lr == 0.002
    refresh(tab)
    offered(tab)
    tab.page.click("#resume-last")
    tab.wait("() => tinygpt.state().running && tinygpt.history().length && tinygpt.state().lr === 0.002")
    tab.wait("() => document.getElementById('setting-batch_size').value === '4'")  # what was typed comes back
    assert tab.page.input_value("#setting-lr") == "0.002"
    tab.wait("() => document.getElementById('number-batch').textContent === '512/step'")
    tab.wait("() => document.querySelector('.pin')")
    assert tab.page.get_attribute(".pin", "aria-label").endswith(": learning rate 3e-4 → 0.002")
    stop(tab)
    tab.page.goto("about:blank")
    tab.page.goto(link)
    tab.ready()
    assert tab.page.input_value("#setting-lr") == "0.002"


def test_an_input_overrules_the_files_settings_also_with_the_default(tab):
    begin(tab, 10, lr="0.002")
    finished(tab)
    data = exported(tab)
    refresh(tab)
    take(tab, "mine.tinygpt", data)
    assert tab.page.input_value("#setting-lr") == "0.002"
    rates = []
    for lr, steps in ((None, 12), ("0.0003", 14)):
        if lr:
            tab.page.fill("#setting-lr", lr)
        tab.page.fill("#setting-steps", str(steps))
        tab.page.click("#pause")
        finished(tab)
        rates.append(tab.page.evaluate("() => tinygpt.history().at(-1).lr"))
    assert rates == [0.002, 0.0003]
