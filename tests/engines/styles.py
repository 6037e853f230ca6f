"""The declarations of the page's style sheets, and what WebKit 2.50 knows of them: the oldest
engine that the page is looked at in.

`webkit_properties.txt` has every property of WebKit 2.50 without a prefix: the names in the style
of an element. A property that is not in it changes nothing there, and a shorthand takes its parts
with it.
"""

import re
from pathlib import Path

from tests.hosts import ROOT

# Property: what happens without it.
WITHOUT = {
    "field-sizing": "a field has the height of its rows, whatever is in it",
    "scrollbar-color": "bars have the engine's colours; the rule is for Firefox alone",
}


def declarations():
    """Sorted [(property, value)] of all style sheets in app/."""
    found = set()
    for path in (ROOT / "app").rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        for rule in re.findall(r"\{([^{}]*)\}", text):
            for declaration in re.split(r";(?![^(]*\))", rule):
                name, colon, value = declaration.partition(":")
                if colon and not name.strip().startswith("--"):
                    found.add((name.strip(), value.replace("!important", "").strip()))
    return sorted(found)


def known():
    """The properties of WebKit 2.50."""
    return set(Path(__file__).with_name("webkit_properties.txt").read_text().split())
