"""What autosave costs: steps per second with it and without, in one run of the page, in turns.

    python3 -m tests.bench.autosave --minutes 30 [--preset small] [--every 30] [--stretch 120] [--json]

The page trains one run in Chromium. Stretches of `--stretch` seconds with autosave every `--every` seconds and stretches without it take
turns, so that slow minutes of the machine fall on both. A stretch's steps per second count wall-clock time, the saves included; the loss is
1 - median with / median without, in percent. A save falls into every stretch that has it: --stretch is at least --every. After each
stretch the memory is read too: of the page's JavaScript after a collection, and of the renderer's process (the page and its workers).
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import sys
import time

from tests.browser.conftest import Tab, serve
from tests.hosts.chromium import launch

# The step and the time of the worker's last report, not of the page's last drawing.
NOW = "() => { const {step} = tinygpt.state(); return [step, performance.now()]; }"


def measure(page, seconds):
    """(steps per second, saves) over `seconds`, from one new step to another."""
    before = page.evaluate("() => tinygpt.autosave().saves")
    step, at = page.evaluate(NOW)
    page.wait_for_timeout(seconds * 1000)
    after, end = page.evaluate(NOW)
    return (after - step) / (end - at) * 1000, page.evaluate("() => tinygpt.autosave().saves") - before


def memory(chromium, page):
    """(bytes of the page's JavaScript heap after a garbage collection, resident bytes of the renderer processes)."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    heap = next(m["value"] for m in session.send("Performance.getMetrics")["metrics"] if m["name"] == "JSHeapUsedSize")
    session.detach()
    processes = chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pages = [pathlib.Path("/proc/%d/statm" % process["id"]) for process in processes if process["type"] == "renderer"]
    return heap, sum(int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for path in pages if path.exists())


def run(minutes, preset, every, stretch, say=print):
    """{with, without: [steps per second], saves, loss_percent, cost_s, memory: [[heap bytes, resident bytes] after each stretch]}."""
    from playwright.sync_api import sync_playwright

    stretches = max(2, round(minutes * 60 / stretch / 2) * 2)
    rates, saves, rng, held = {True: [], False: []}, 0, random.Random(1), []
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
        page.click("#tab-runs")
        page.wait_for_timeout(10_000)  # the engine's last tier, and the caches
        for pair in range(stretches // 2):
            for on in rng.sample((True, False), 2):
                page.select_option("#autosave", "%g" % (every if on else 0))
                page.evaluate("() => tinygpt.autosave().saving && tinygpt.save()")
                rate, saved = measure(page, stretch)
                rates[on].append(rate)
                saves += saved
                held.append(memory(chromium, page))
                told = pair + 1, "on" if on else "off", rate, saved, held[-1][0] / 1e6, held[-1][1] / 1e6
                say("%2d  autosave %-3s  %8.2f steps/s  %d saves  heap %.1f MB, process %.0f MB" % told)
        about = page.evaluate("() => tinygpt.autosave()")
        tab.close()
        chromium.close()
    server.close()
    on, off = statistics.median(rates[True]), statistics.median(rates[False])
    return {
        "preset": preset, "every_s": every, "stretch_s": stretch, "with": rates[True], "without": rates[False], "saves": saves,
        "loss_percent": 100 * (1 - on / off), "cost_s": about["cost_s"], "python_ms": about["python_ms"],
        "store_ms": about["store_ms"], "bytes": about["bytes"], "problem": about["problem"], "memory": held,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.autosave", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--every", type=float, default=30, help="seconds between two saves")
    parser.add_argument("--stretch", type=float, default=120, help="seconds of one stretch")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.stretch < options.every:
        parser.error("--stretch must be at least --every")
    begun = time.time()
    result = run(options.minutes, options.preset, options.every, options.stretch, say=lambda text: print(text, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(result))
    else:
        print("%(preset)s: with autosave every %(every_s)g s the median is %(loss_percent).2f %% slower; %(saves)d saves" % result, end="")
        print(", %(bytes)d bytes each, %(python_ms).0f ms in Python and %(store_ms).0f ms in the store" % result)
        print("%.1f minutes" % ((time.time() - begun) / 60))
    if result["problem"]:
        sys.exit(result["problem"])


if __name__ == "__main__":
    main()
