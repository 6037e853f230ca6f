"""What the page costs: bytes at the start, the page's own thread while Python prints or trains,
memory over many runs.
"""

import pytest

from tests.page.conftest import slowness

pytestmark = [pytest.mark.browser, pytest.mark.alone]
MEGABYTE = 1e6


def test_a_first_visit_transfers_less_than_twelve_megabytes(browser, server):
    context = browser.new_context()
    sizes = {}
    context.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}))
    page = context.new_page()
    page.goto(server)
    page.evaluate("() => tinygpt.ready")
    page.wait_for_timeout(500)
    total = sum(sizes.values())
    assert len(sizes) > 10 and total < 12 * MEGABYTE, sorted(sizes.items(), key=lambda item: -item[1])[:5]
    context.close()


def test_a_thousand_prints_a_second_leave_the_page_responsive(own_tab):
    longest = own_tab.page.evaluate("""async () => {
        const tasks = [0];
        new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({type: "longtask"});
        const source = "import time\\nend = time.monotonic() + 10\\nn = 0\\nwhile time.monotonic() < end:\\n"
            + "    for _ in range(10):\\n        n += 1\\n        print('line', n, 'of what a person prints in a loop')\\n"
            + "    time.sleep(0.01)\\nn";
        const {result} = await tinygpt.run(source);
        return [Math.max(...tasks), result];
    }""")
    assert longest[1] > 5000 and longest[0] < 200 * slowness(), longest
    assert "line %d of" % longest[1] in own_tab.text("#console-output")


def test_the_page_thread_is_idle_while_the_model_trains(own_tab):
    client = own_tab.context.new_cdp_session(own_tab.page)
    client.send(
        "Performance.enable", {"timeDomain": "threadTicks"}
    )  # the thread's own time, whatever else the machine does

    def busy():
        return {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}["TaskDuration"]

    own_tab.page.fill("#setting-steps", "100000")
    own_tab.page.click("#run")
    own_tab.wait("() => tinygpt.state().step > 10")
    shares = []
    for _ in range(3):
        before = busy()
        own_tab.page.wait_for_timeout(4000)
        shares.append((busy() - before) / 4.0)
    own_tab.page.click("#stop")
    own_tab.wait("() => !tinygpt.state().running")
    assert min(shares) < 0.05, shares


def test_many_runs_and_edits_leave_no_memory_behind(own_tab):
    own_tab.page.select_option("#setting-preset", "tiny")
    own_tab.page.fill("#setting-steps", "30")
    used = []
    for i in range(12):
        own_tab.page.click("#run")
        own_tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
        if i in (3, 11):
            own_tab.page.evaluate("() => tinygpt.reset()")
            used.append(
                own_tab.value(
                    "import gc, tinygpt\n_ = gc.collect()\n[tinygpt.get_device().in_use(), len(gc.get_objects())]"
                )
            )
    assert used[1][0] <= used[0][0] + 4096 and used[1][1] <= used[0][1] * 1.05 + 500, used
