"""The tab dies twenty times in the middle of a save (TINYGPT_KILLS: how often), and each time the
next one goes on from a state that is whole and no older than one interval. The profile is on disk,
as a person's is.
"""

import os
import random
import signal
from pathlib import Path

import pytest

from tests import hosts
from tests.hosts import adapters
from tests.hosts.chromium import FLAGS
from tests.page.conftest import SECONDS, allow, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KILLS = int(os.environ.get("TINYGPT_KILLS", "20"))


@pytest.fixture
def profile(tmp_path):
    from playwright.sync_api import sync_playwright

    hosts.stop()
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=adapters.chromium(), args=[*FLAGS, "--disable-gpu"]
        )
        context.folder = tmp_path / "profile"
        yield context
        context.close()


def opened(context, url):
    page = context.new_page()
    allow(page, SECONDS)
    page.goto(url)
    page.evaluate("() => tinygpt.ready")
    return page


def threads(process):
    """The names of a process's threads."""
    names = []
    for path in process.glob("task/*/comm"):
        try:
            names.append(path.read_text())
        except OSError:
            continue  # it has ended meanwhile
    return names


def renderers(profile):
    """The process ids of the pages of the browser with this profile: what has workers. Chromium
    keeps a renderer in reserve, which has none; a new page that is given a reserve that was just
    killed never comes.
    """
    parents, pages, roots = {}, set(), set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().decode(errors="replace")
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        if "--type=renderer" in command:
            if any("DedicatedWorker" in name for name in threads(path)):
                pages.add(int(path.name))
        elif "--type=" not in command and "--user-data-dir=%s" % profile in command:
            roots.add(int(path.name))

    def ours(pid):
        while pid in parents and pid not in roots:
            pid = parents[pid]
        return pid in roots

    return [pid for pid in pages if ours(pid)]


def killed(page, profile):
    """Ends the page's process from outside, with its workers: nothing of it runs again."""
    with page.expect_event("crash"):
        for pid in renderers(profile):
            os.kill(pid, signal.SIGKILL)
    page.close()


def test_kills_in_the_middle_of_a_save_lose_at_most_an_interval(profile, server):
    rng = random.Random(5)
    url = server + "?autosave=2"
    page = opened(profile, url)
    page.select_option("#setting-preset", "tiny")
    for name, value in (("steps", 1_000_000), ("batch_size", 4), ("sample_interval", 0)):
        page.fill("#setting-" + name, str(value))
    page.click("#run")
    wait_for(page, "() => tinygpt.autosave().saves >= 1")
    torn, lost = 0, []
    for kill in range(KILLS):
        # At a random moment of the next save: it has begun, and is not over when the process ends.
        delay = rng.choice((0, 0, rng.uniform(0, 30)))
        wait_for(page, "() => tinygpt.autosave().saving", polling=2)
        page.wait_for_timeout(delay) if delay else None
        known = page.evaluate("() => ({...tinygpt.autosave(), at: tinygpt.state().step})")
        killed(page, profile.folder)
        torn += known["saving"]
        page = opened(profile, url)
        page.wait_for_selector("#resume-last:enabled")
        step = int(page.inner_text("#resume-last").rpartition(" ")[2].replace(",", ""))
        assert step >= known["step"], (kill, step, known)
        if known["age_s"] is not None:
            lost.append(known["age_s"] / known["interval_s"] if step == known["step"] else 0.0)
        page.click("#resume-last")
        wait_for(page, "step => tinygpt.state().step > step", arg=step)
        assert "damaged" not in page.inner_text("#status") or torn
        first = page.evaluate("() => tinygpt.history().map(({step}) => step)")
        assert first == list(range(len(first))) or len(first) >= 2000, "the curve is back, without a gap"
        wait_for(page, "() => tinygpt.autosave().saves >= 1")
    assert torn >= KILLS // 2, "kills that found a save under way: %d" % torn
    assert max(lost) <= 1.0, sorted(lost)[-5:]
