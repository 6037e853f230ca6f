"""What autosave costs, and whether memory grows: one long run in the page, saved as it goes.

    python3 -m tests.bench.autosave --minutes 30 [--preset small] [--every 30] [--json]

The page trains one run in Chromium with autosave every `--every` seconds, and a clock in the page
notes the step twice a second. A save's cost is the time that its surroundings lost: the WINDOW
seconds around it made fewer steps than those before and after them would have. So slow minutes of
the machine, which come and go by more than a save takes, fall on both sides. The same is computed
half-way between two saves, where nothing happens: what comes out there is the measurement's own
error. The loss is the mean cost over the interval, in percent.

Every two minutes the memory is read: of the page's JavaScript after a collection, and of the
renderer's process (the page and its workers); at the end that of the extension, with what of it is
in use.
"""

import argparse
import bisect
import json
import os
import pathlib
import statistics
import sys

from tests.hosts.chromium import launch
from tests.page.conftest import Tab, serve

WINDOW, AROUND = 5.0, 8.0  # seconds around a save; seconds on each side to compare with
READING = 120  # seconds between two readings of the memory
# [[seconds, step, saves], ...], noted twice a second.
CLOCK = """() => {
    window.noted = [];
    const note = () => noted.push([performance.now() / 1000, tinygpt.state().step, tinygpt.autosave().saves]);
    setInterval(note, 500);
}"""
WORKER = """
import gc, tinygpt
gc.collect()
[tinygpt.get_device().memory_bytes(), tinygpt.get_device().in_use()]
"""


def memory(chromium, page):
    """{"heap": bytes of the page's JavaScript after a garbage collection, "process": resident bytes
    of the renderer processes}.
    """
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    heap = next(m["value"] for m in session.send("Performance.getMetrics")["metrics"] if m["name"] == "JSHeapUsedSize")
    session.detach()
    processes = chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pages = [pathlib.Path("/proc/%d/statm" % process["id"]) for process in processes if process["type"] == "renderer"]
    resident = sum(int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for path in pages if path.exists())
    return {"heap": heap, "process": resident}


def step_at(noted, second):
    """The step at that second, between two notes."""
    i = min(max(1, bisect.bisect(noted, [second])), len(noted) - 1)
    (t0, s0, _), (t1, s1, _) = noted[i - 1 : i + 1]
    return s0 + (s1 - s0) * (second - t0) / (t1 - t0)


def lost(noted, second):
    """Seconds that the window around `second` lost against its surroundings."""
    made = lambda a, b: step_at(noted, second + b) - step_at(noted, second + a)  # noqa: E731
    half = WINDOW / 2
    rate = (made(-half - AROUND, -half) + made(half, half + AROUND)) / (2 * AROUND)
    return WINDOW - made(-half, half) / rate


def costs(noted, every):
    """(seconds lost at each save, seconds lost half-way to the next one), where the surroundings
    hold no other save.
    """
    at = [t for (_, _, before), (t, _, saves) in zip(noted, noted[1:]) if saves > before]
    room = WINDOW / 2 + AROUND
    inside = [t for t in at if noted[0][0] + room <= t <= noted[-1][0] - room - every / 2]
    return [lost(noted, t) for t in inside], [lost(noted, t + every / 2) for t in inside]


def run(minutes, preset, every, say=print):
    from playwright.sync_api import sync_playwright

    held = []
    server = serve()
    url = next(server)
    with sync_playwright() as playwright:
        chromium = launch(playwright, flags=("--disable-gpu",))
        tab = Tab(chromium, url + "?autosave=%g" % every)
        page = tab.page
        page.select_option("#setting-preset", preset)
        for name, value in (("steps", 100_000_000), ("sample_interval", 0)):
            page.fill("#setting-" + name, str(value))
        page.click("#run")
        page.wait_for_function("() => tinygpt.state().step > 20 && tinygpt.autosave() !== null")
        page.wait_for_timeout(10_000)  # the engine's last tier, and the caches
        page.evaluate(CLOCK)
        for _ in range(max(1, round(minutes * 60 / READING))):
            page.wait_for_timeout(READING * 1000)
            held.append(memory(chromium, page))
            noted = page.evaluate("() => noted")
            speed = (noted[-1][1] - noted[0][1]) / (noted[-1][0] - noted[0][0])
            told = (
                noted[-1][0] - noted[0][0],
                noted[-1][1],
                speed,
                noted[-1][2],
                held[-1]["heap"] / 1e6,
                held[-1]["process"] / 1e6,
            )
            say("%5.0f s  step %6d  %6.2f steps/s  %3d saves  heap %.1f MB, process %.0f MB" % told)
        page.click("#stop")
        page.wait_for_function("() => !tinygpt.state().running && !tinygpt.autosave().saving")
        worker = tab.value(WORKER)
        about = page.evaluate("() => tinygpt.autosave()")
        tab.close()
        chromium.close()
    server.close()
    saves, between = costs(noted, every)
    if len(saves) < 2:
        sys.exit("%d saves are too few to measure: more --minutes, or a smaller --every" % len(saves))

    def percent(values):
        """The mean and its standard error, in percent of the time between two saves."""
        return 100 * statistics.mean(values) / every, 100 * statistics.stdev(values) / len(values) ** 0.5 / every

    return {
        "preset": preset, "every_s": every, "saves": noted[-1][2] - noted[0][2], "measured": len(saves),
        "steps_per_s": speed,
        "loss_percent": percent(saves), "error_percent": percent(between), "cost_s": about["cost_s"],
        "python_ms": about["python_ms"],
        "store_ms": about["store_ms"], "bytes": about["bytes"], "problem": about["problem"], "memory": held,
        "worker_memory_bytes": worker[0], "worker_in_use_bytes": worker[1], "steps": noted[-1][1],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.autosave", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--every", type=float, default=30, help="seconds between two saves")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.every < 2 * (WINDOW + AROUND):
        parser.error(
            "--every must be at least %g s: a save's surroundings hold no other save" % (2 * (WINDOW + AROUND))
        )
    result = run(
        options.minutes, options.preset, options.every, say=lambda text: print(text, file=sys.stderr, flush=True)
    )
    if options.json:
        print(json.dumps(result))
    else:
        print("%(preset)s: %(saves)d saves of %(bytes)d bytes in %(steps)d steps, %(steps_per_s).1f steps/s" % result)
        print(
            "a save every %g s costs %.2f %% of the steps (standard error %.2f)"
            % (options.every, *result["loss_percent"])
        )
        print("half-way between two saves the same count gives %.2f %% (standard error %.2f)" % result["error_percent"])
        print(
            "the page's own account: %(python_ms).0f ms in Python and %(store_ms).0f ms in the store for a save"
            % result
        )
    if result["problem"]:
        sys.exit(result["problem"])


if __name__ == "__main__":
    main()
