"""WebGPU in the page, on lavapipe: it trains, stops, changes device in the middle of a run,
survives a loss, and says what it uses.

The adapter is software, so the page takes the CPU by itself; the tests choose the GPU by hand, or
with ?device=webgpu.
"""

import pytest

from tests import hosts
from tests.hosts.chromium import launch
from tests.page.conftest import Tab, slowness
from tests.page.test_console import READS, ZERO, paused_run
from tests.page.test_everywhere import LUMINANCE

pytestmark = [pytest.mark.browser, pytest.mark.gpu, pytest.mark.slow]

# A small run, as a person would have it from the inputs. Software is slow: a tiny model, few
# windows.
TINY = {"preset": "tiny", "steps": 14, "batch_size": 2, "eval_interval": 0, "sample_interval": 0, "lr": 3e-3}
TRAIN = "from tinygpt import loop, train\nloop.set_settings(%r)\nrun = loop.run(train.train)\n"
LOSSES = "[h[1] for h in loop.current.history if h[1] is not None]"
CHECKSUM = """
import hashlib
def checksum(run):
    tensors = [*run.kept["model"].parameters(), *run.kept["optimizer"].arenas]
    return [hashlib.sha256(t.tobytes()).hexdigest()[:8] for t in tensors]
"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    hosts.stop()  # one Playwright at a time in a process
    with sync_playwright() as playwright:
        chromium = launch(playwright, adapter="lavapipe")
        yield chromium
        chromium.close()


def opened(browser, url, **context):
    tab = Tab(browser, url, **context)
    tab.allow(100)
    tab.page.evaluate("() => tinygpt.graphics")
    return tab


@pytest.fixture(scope="module")
def gpu_tab(browser, server):
    tab = opened(browser, server + "?device=webgpu")
    yield tab
    tab.close()


def settle(tab):
    tab.wait("() => document.body.dataset.state === 'ready'")


def start(tab, steps):
    """Begins a training run in the page; the step that the page shows is this run's."""
    tab.page.evaluate("() => { document.getElementById('number-step').textContent = '0' }")
    tab.page.evaluate("source => { window.training = tinygpt.run(source) }", TRAIN % {**TINY, "steps": steps})


def test_a_software_adapter_is_offered_but_not_taken_and_the_page_says_why(browser, server):
    tab = opened(browser, server)
    assert tab.text("#device").startswith("CPU · wasm32") and tab.page.input_value("#setting-device") == "wasm"
    assert "llvmpipe" in tab.text("#device-note") and "software" in tab.text("#device-note")
    assert tab.page.is_visible("#setting-threads") and not tab.page.is_visible("#setting-precision")
    tab.page.select_option("#setting-device", "webgpu")
    tab.wait("() => document.getElementById('device').textContent.startsWith('GPU · llvmpipe')")
    assert tab.value("import tinygpt; tinygpt.get_device().name") == "webgpu"
    assert tab.page.is_visible("#setting-precision") and not tab.page.is_visible("#setting-threads")
    assert tab.page.evaluate("() => [...document.getElementById('setting-precision').options].map((o) => o.value)") == [
        "f32",
        "f16",
    ]
    assert "32-bit" in tab.text("#device-note")
    tab.page.select_option("#setting-device", "wasm")
    tab.wait("() => document.getElementById('device').textContent.startsWith('CPU · wasm32')")
    assert tab.value("tinygpt.get_device().name") == "wasm" and tab.complaints == []
    tab.close()


def test_the_line_tells_a_device_that_the_code_has_taken(gpu_tab):
    assert gpu_tab.text("#device").startswith("GPU · llvmpipe")
    gpu_tab.value("import tinygpt; _ = tinygpt.set_device('wasm')")
    assert gpu_tab.text("#device").startswith("CPU · wasm32") and gpu_tab.page.input_value("#setting-device") == "wasm"
    gpu_tab.value("_ = tinygpt.set_device('webgpu')")
    assert gpu_tab.text("#device").startswith("GPU · llvmpipe")


def test_the_page_trains_on_the_gpu_and_the_loss_falls(gpu_tab):
    gpu_tab.value("import tinygpt; _ = tinygpt.set_device('webgpu')")
    losses = gpu_tab.value(
        TRAIN % {**TINY, "eval_interval": 6, "sample_interval": 9, "sample_tokens": 12, "eval_batches": 2} + LOSSES
    )
    assert len(losses) == 14 and losses[-1] < losses[0] - 0.5
    gpu_tab.wait("() => document.getElementById('number-eta').textContent === 'done'")
    assert gpu_tab.text("#number-step") == "14" and "webgpu, f32" in gpu_tab.text("#facts")
    assert len(gpu_tab.text("#sample-text")) > 20 and float(gpu_tab.text("#number-val")) < 6
    assert gpu_tab.complaints == []


def test_the_editors_loop_runs_on_the_gpu_and_the_status_line_counts_the_programs_being_compiled(browser, server):
    tab = opened(browser, server + "?device=webgpu")
    tab.page.evaluate("""() => {
        const line = document.getElementById("status");
        window.seen = new Set();
        new MutationObserver(() => seen.add(line.textContent)).observe(line, {childList: true, characterData: true, subtree: true});
    }""")
    for name, value in (("preset", "tiny"), ("steps", "4"), ("batch_size", "1")):
        part = "#setting-" + name
        tab.page.select_option(part, value) if name == "preset" else tab.page.fill(part, value)
    tab.page.press("#setting-batch_size", "Tab")
    source = tab.value("import inspect\nfrom tinygpt import train\ninspect.getsource(train)")
    tab.write(source.replace("config.eval_interval", "0").replace("config.sample_interval", "0"))
    tab.page.click("#run")
    tab.wait("() => /^(Finished|Line|Stopped)/.test(document.getElementById('status').textContent)")
    assert tab.text("#status").startswith("Finished"), tab.text("#console-output")
    assert any(line.startswith("Compiling the GPU's programs: ") for line in tab.page.evaluate("() => [...seen]"))
    tab.close()


# Products of large matrices: seconds of a software GPU's work, queued in milliseconds.
LONG_WAIT = """
import tinygpt
x = tinygpt.randn(300, 300)
((x @ x) * 0.03).sum().item()
for _ in range(40):
    x = (x @ x) * 0.03
waited = True
print("it waits")
x.sum().item()
"""


@pytest.mark.alone
def test_a_stop_ends_python_that_waits_for_the_gpu(gpu_tab):
    gpu_tab.value("import tinygpt; _ = tinygpt.set_device('webgpu'); waited = False")
    took, answer = gpu_tab.page.evaluate(
        """async source => {
            const end = tinygpt.run(source).then(answer => [performance.now(), answer]);
            const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
            while (!document.getElementById("console-output").textContent.includes("it waits")) await pause(20);
            await pause(200);
            const begun = performance.now();
            tinygpt.interrupt();
            const [ended, answer] = await end;
            return [ended - begun, answer];
        }""",
        LONG_WAIT,
    )
    assert not answer["ok"] and answer["error"].endswith("KeyboardInterrupt"), answer
    assert took < 1500 * slowness(), took
    assert gpu_tab.value("waited"), "it was in the wait"
    assert gpu_tab.value("(tinygpt.ones(3) * 2.0).tolist()") == [2.0, 2.0, 2.0], "the GPU and the interpreter live on"


def test_a_stop_takes_hold_within_a_step_of_training(gpu_tab):
    gpu_tab.value("import tinygpt; _ = tinygpt.set_device('webgpu')")
    start(gpu_tab, steps=10_000)
    gpu_tab.wait("() => Number(document.getElementById('number-step').textContent) >= 4")
    gpu_tab.page.click("#stop")
    settle(gpu_tab)
    answer = gpu_tab.page.evaluate("() => training")
    assert answer["error"].endswith("KeyboardInterrupt")
    step, counts = gpu_tab.value("[loop.current.step, sorted(set(loop.current.kept['optimizer'].steps.values()))]")
    assert counts in ([step], [step + 1])


def test_the_device_changes_in_the_middle_of_a_run_with_the_same_bits(gpu_tab):
    tab = gpu_tab
    tab.value("import tinygpt; _ = tinygpt.set_device('wasm')")
    tab.value(CHECKSUM + """
from tinygpt import loop
sums, to = [], loop.Run.to
def watched(run, choice):
    run.drain()
    before = checksum(run)
    device = to(run, choice)
    moved = {p.device.name for p in run.kept["model"].parameters()} == {device.name}
    sums.append([choice, device.name, before == checksum(run), moved])
    return device
loop.Run.to = watched
""")  # fmt: skip
    start(tab, steps=1_000_000)
    at_least = "(n) => Number(document.getElementById('number-step').textContent.replaceAll(',', '')) >= n"
    tab.wait(at_least, arg=3)
    for device, line in (("webgpu", "GPU · llvmpipe"), ("wasm", "CPU · wasm32")):
        tab.page.select_option("#setting-device", device)
        tab.wait("(line) => document.getElementById('device').textContent.startsWith(line)", arg=line)
        step = int(tab.text("#number-step").replace(",", ""))
        tab.wait(at_least, arg=step + 3)
        assert device in tab.text("#facts")
    tab.page.click("#stop")
    settle(tab)
    sums = tab.value("loop.Run.to = to\nsums")
    assert sums == [["webgpu:f32", "webgpu", True, True], ["wasm", "wasm", True, True]]
    losses = tab.value(LOSSES)
    assert sum(losses[-20:]) / 20 < losses[0] - 0.5 and len(losses) >= step + 3
    assert "Training continues on the GPU (llvmpipe" in tab.text("#console-output") and tab.complaints == []


def test_a_gpu_that_is_lost_in_a_run_comes_back_and_the_run_goes_on(browser, server):
    tab = opened(browser, server + "?device=webgpu")
    source = TRAIN % TINY
    alone = tab.value(source + LOSSES)
    lose = """
import tinygpt
steps = loop.Run.steps
def losing(run, total):
    for i in steps(run, total):
        if i == 6 and not lost:
            lost.append(i)
            tinygpt.get_device().gpu.destroy()
        yield i
lost, loop.Run.steps = [], losing
"""
    after = tab.value(lose + source + LOSSES)
    assert after == alone, "from the copy at the start, the same steps again"
    note = tab.text("#console-output")
    assert "The GPU was lost" in note and "training continues from step 0 on the GPU" in note
    assert tab.text("#status").startswith("The GPU was lost")
    tab.wait("() => document.getElementById('number-step').textContent === '14'")
    tab.close()


def test_entries_of_the_console_read_a_paused_run_on_the_gpu_and_change_no_bit(browser, server):
    tab = opened(browser, server + "?device=webgpu")
    tab.page.click("#more")
    tab.page.fill("#setting-batch_size", "2")
    plain = paused_run(tab, [])
    assert tab.value("import tinygpt; tinygpt.loop.current.kept['model'].tok_emb.weight.device.name") == "webgpu"
    assert paused_run(tab, [entry for entry in READS if "profile" not in entry]) == plain
    zeroed = paused_run(tab, [ZERO])
    assert zeroed[:3] == plain[:3] and zeroed[3] != plain[3] and tab.complaints == []
    tab.close()


def test_the_profile_is_a_table_by_kernel(gpu_tab):
    gpu_tab.value("import tinygpt; _ = tinygpt.set_device('webgpu')")
    rows, table = gpu_tab.value(
        "a = tinygpt.randn(64, 64)\nstep = tinygpt.compile(lambda: (a @ a).relu().sum())\ntable = tinygpt.profile(step, repeats=1)\n"
        "[{r.kernel: [r.launches, r.flops, r.seconds] for r in table.rows}, repr(table)]"
    )
    assert rows["matmul"][:2] == [1, 2 * 64**3] and all(seconds >= 0 for _, _, seconds in rows.values())
    assert table.split("\n")[0].split()[:3] == ["kernel", "launches", "ms"] and "webgpu (llvmpipe" in table


def test_the_gpu_is_reported_on_request_alone_and_the_report_can_be_cancelled(browser, server):
    tab = opened(browser, server, permissions=["clipboard-read", "clipboard-write"])
    before = tab.value("import tinygpt\n(tinygpt.get_device().name, tinygpt.default_generator.get_state())")
    tab.page.click("#abilities-button")
    assert "Nothing is sent" in tab.text("#gpu-report-line") and not tab.page.is_visible("#gpu-report-text")
    tab.page.click("#gpu-report")
    tab.page.click("#gpu-report-cancel")
    tab.wait("() => document.getElementById('gpu-report-line').textContent === 'Cancelled.'")
    assert tab.page.is_enabled("#gpu-report") and not tab.page.is_visible("#gpu-report-cancel")
    tab.page.click("#gpu-report")
    tab.wait("() => document.getElementById('gpu-report-text').value")
    report = tab.page.input_value("#gpu-report-text")
    for words in ("Class: software", "subgroups", "maxBufferSize", "tile 1x512x144x48 NT", "Browser: Mozilla"):
        assert words in report, report
    assert report.count("parity: agrees") == 2 and "DIFFERS" not in report, report
    tab.wait("() => document.getElementById('gpu-report-line').textContent.startsWith('Copied')")
    assert tab.page.evaluate("() => navigator.clipboard.readText()") == report
    after = "(tinygpt.get_device().name, tinygpt.default_generator.get_state())"
    assert tab.value(after) == before and tab.complaints == []
    tab.close()


PREFERRED = """async (facts) => (await import("/app/worker/devices.js")).preferred(facts)"""
REAL = {
    "missing": None,
    "name": "a GPU",
    "fallback": False,
    "canWait": True,
    "capabilities": ["f32", "subgroups", "f16", "f16_matrix"],
}


@pytest.mark.parametrize(
    "facts, choice, words",
    [
        (REAL, "webgpu:f32", ""),
        ({**REAL, "missing": "this browser has no WebGPU"}, "wasm", "this browser has no WebGPU."),
        ({**REAL, "canWait": False}, "wasm", "JSPI"),
        ({**REAL, "fallback": True}, "wasm", "software"),
        (None, "wasm", "is opening"),
    ],
)
def test_what_the_page_prefers_and_the_reason(gpu_tab, facts, choice, words):
    got = gpu_tab.page.evaluate(PREFERRED, facts)
    assert got["choice"] == choice and words in got["reason"] and bool(got["reason"]) == bool(words)


def test_only_the_precisions_that_the_adapter_offers_are_shown_and_each_says_what_it_changes(browser, server):
    tab = opened(browser, server)
    shown = tab.page.evaluate(
        """async (facts) => {
            const { DeviceChoice } = await import("/app/run/device_choice.js");
            const out = [], chosen = [];
            for (const capabilities of [["f32"], ["f32", "subgroups", "f16"], ["f32", "f16", "f16_matrix"]]) {
                const choice = new DeviceChoice({ choose: (wanted) => chosen.push(wanted) });
                choice.offer({ ...facts, capabilities });
                choice.show({ device: "webgpu", precision: capabilities.at(-1) });
                const options = [...choice.precision.options], note = document.getElementById("device-note").textContent;
                out.push([options.map((o) => o.value), options.every((o) => o.title.length > 20), note]);
            }
            return out;
        }""",
        REAL,
    )
    assert [names for names, *_ in shown] == [["f32"], ["f32", "f16"], ["f32", "f16", "f16_matrix"]]
    assert all(titled for _, titled, _ in shown)
    assert "16-bit" in shown[1][2] and "matrix units" in shown[2][2]
    tab.close()


@pytest.mark.parametrize("name", ["f16_matrix", "matrix"])  # the second: its former name
def test_a_precision_that_the_gpu_lacks_is_refused_with_a_sentence(browser, server, name):
    tab = opened(browser, server + "?device=webgpu&precision=" + name)
    assert tab.text("#device").startswith("CPU · wasm32") and tab.page.input_value("#setting-device") == "wasm"
    note = tab.text("#device-note")
    assert note.startswith("Training stays on the CPU: ") and "'f16_matrix'" in note
    tab.close()


@pytest.mark.parametrize("width, height", [(1440, 900), (1024, 768), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_device_row_fits_at_every_width_in_light_and_dark(browser, server, width, height, scheme):
    tab = opened(browser, server + "?device=webgpu", viewport={"width": width, "height": height}, color_scheme=scheme)
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") == width
    if width >= 900:
        assert tab.page.evaluate("() => document.documentElement.scrollHeight") == height
    wide = "() => [...document.querySelectorAll('#devices *, #settings *, header *')].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.tagName !== 'SELECT' && e.clientWidth).map((e) => e.id || e.tagName)"  # noqa: E501
    assert tab.page.evaluate(wide) == []
    assert tab.page.evaluate(LUMINANCE) == []
    tab.close()
