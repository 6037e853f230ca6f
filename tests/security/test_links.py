"""A hostile link is one sentence or the text that it is: in the reader, and in the page."""

import pytest

from tests.page.conftest import ROOM, Tab
from tests.security import links
from tests.security.figures import record

# Those whose harm would show in a page only: markup at every place that is shown, memory, and one
# of each other kind.
IN_THE_PAGE = [
    "cut at 31",
    "letter '%00'",
    "noise 19",
    "packed as gzip",
    "a bomb of 200000000 bytes",
    "a million letters",
    "100000 lists",
    "a file of 100000 lists",
    "a number of a million digits",
    '__proto__: {"hostile": 1}',
    "a part of markup %.20r" % links.SCRIPT,
    "a file of markup %.20r" % links.MARKUP[1],
    "a setting of markup %.20r" % links.MARKUP[2],
    "a title of markup %.20r" % links.SCRIPT,
    "a title of markup %.20r" % links.MARKUP[1],
    "a text of markup %.20r" % links.MARKUP[4],
    "a preset of markup %.20r" % links.MARKUP[1],
    "code of markup %.20r" % links.MARKUP[3],
    "a title with %r" % links.BIDI[3],
    "code with %r" % links.BIDI[3],
    "a file %.30r" % links.PATHS[0],
    "steps is {'valueOf': 1}",
]
ACTIVE = "() => document.querySelectorAll('script, iframe, object, embed, base, [onload], [onerror], [srcdoc]').length"


def test_every_hostile_link_is_refused_or_shown_by_the_reader():
    assert len(links.LINKS) >= 300 and len({fragment for _, fragment, _ in links.LINKS}) > 0.95 * len(links.LINKS)
    problems = [
        (name, problem)
        for (name, _, end), answer in zip(links.LINKS, links.read(links.LINKS))
        if (problem := links.wrong(end, answer, seconds=ROOM))
    ]
    record("links: reader", len(links.LINKS), len(links.LINKS) - len(problems), "python3 -m tests.security.links")
    assert problems == []


@pytest.mark.browser
def test_nothing_of_a_hostile_link_becomes_part_of_the_page(browser, server):
    chosen = {name: (fragment, end) for name, fragment, end in links.LINKS if name in IN_THE_PAGE}
    assert sorted(chosen) == sorted(IN_THE_PAGE)
    tab = Tab(browser, server)
    dialogs = []
    tab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    active = tab.page.evaluate(ACTIVE)
    for name, (fragment, end) in chosen.items():
        tab.page.evaluate("() => { document.getElementById('link-bar').hidden = true; location.hash = '' }")
        tab.page.evaluate("(fragment) => { location.hash = fragment }", fragment)
        tab.wait("() => !document.getElementById('link-bar').hidden", seconds=5)
        refused = tab.text("#link-bar p").startswith("The link could not be opened: ")
        assert refused == (end == "refused"), name
        assert tab.page.evaluate("() => 'hostile' in window || 'hostile' in {}") is False, name
        assert tab.page.evaluate(ACTIVE) == active, name
    record("links: page", len(chosen), len(chosen))
    assert dialogs == [] and tab.complaints == []
    assert [address for address in tab.requests if not address.startswith((server, "blob:" + server))] == []
    assert tab.value("1 + 1") == 2
    tab.close()
