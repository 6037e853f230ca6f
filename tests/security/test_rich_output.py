"""Hostile HTML, SVG and PNG that code displays: nothing of it runs, loads, covers the page or holds
it. Each is displayed in the real page, whose content security would report what is tried.
"""

import base64
import json
import struct
import zlib

import pytest

from tests.page.conftest import Tab

pytestmark = [pytest.mark.browser]
EVIL = "https://evil.example/"
HTML = {
    "script": "<script>window.hit = 1</script>seen",
    "onerror": "<img src=x onerror='hit=1'>seen",
    "image": "<img src='%sa.png'><img srcset='%sb.png 1x'>seen" % (EVIL, EVIL),
    "picture": "<picture><source srcset='%sa.png'><img src='%sb.png'></picture>seen" % (EVIL, EVIL),
    "image of SVG": "<img src='data:image/svg+xml,<svg onload=hit=1 xmlns=http://www.w3.org/2000/svg/>'>seen",
    "svg": "<svg onload='hit=1'><script>hit=1</script><image href='%s'/></svg>seen" % EVIL,
    "foreignObject": "<svg><foreignObject><iframe src='javascript:hit=1'></iframe></foreignObject></svg>seen",
    "javascript link": "<a href='javascript:hit=1'>seen</a><a href=' java\tscript:hit=1'>seen</a>",
    "data link": "<a href='data:text/html,<script>hit=1</script>'>seen</a><a href='blob:x'>seen</a><a href='/x'>3</a>",
    "link": "<a href='%s' target=_self ping='%s' onclick='hit=1' id=status>seen</a>" % (EVIL, EVIL),
    "style url": "<p style='background:url(%sb);background-color:red;color:\\75rl(%sc)'>seen</p>" % (EVIL, EVIL),
    "cover": "<div style='position:fixed;inset:0;z-index:9999;background-color:red;margin:-999px'>seen</div>",
    "variable": "<p style='color:var(--x, url(%s));width:calc(1px * 99999999)'>seen</p>" % EVIL,
    "style element": "<style>body{display:none} @import '%s';</style>seen" % EVIL,
    "stylesheet": "<link rel=stylesheet href='%s'><link rel=preload as=image href='%s'>seen" % (EVIL, EVIL),
    "refresh": "<meta http-equiv=refresh content='0;url=%s'>seen" % EVIL,
    "base": "<base href='%s'>seen" % EVIL,
    "frames": "<iframe src='%s' srcdoc='<script>hit=1</script>'></iframe>seen<frameset><frame src=x>" % EVIL,
    "form": "<form action='%s' id=f><input name=q autofocus onfocus='hit=1'><button formaction=x>seen</button>" % EVIL,
    "plug-ins": "<object data='%s'></object><embed src='%s'><applet code=x></applet>seen" % (EVIL, EVIL),
    "media": "<video src='%s' poster='%s' onerror='hit=1'></video><audio autoplay></audio>seen" % (EVIL, EVIL),
    "events": "<details open ontoggle='hit=1'><summary>seen</summary></details><marquee onstart='hit=1'>2</marquee>",
    "table": "<table background='%s'><td background='%s' onmouseover='hit=1' colspan=9999999>seen" % (EVIL, EVIL),
    "mutation": "seen<math><mtext><table><mglyph><style><!--</style><img title='--><img src onerror=hit=1>'></table>",
    "noscript": "<noscript><p title='</noscript><img src=x onerror=hit=1>'></noscript>seen",
    "template": "<template><img src=x onerror='hit=1'></template><slot onslotchange='hit=1'>seen</slot>",
    "clobbering": "<a id=console-output class=primary name=tinygpt>seen</a><img name=body><p popover id=run>seen</p>",
    "custom": "<x-tag onclick='hit=1' is=y>seen</x-tag><portal src='%s'></portal>" % EVIL,
    "size": "<p style='width:1000000px;height:1000000px'>seen</p>",
    "depth": "<div>" * 20_000 + "deep" + "seen",
    "count": "seen" + "<b>x</b>" * 60_000,
}
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="20"'


def tenfold(kind, levels=8):
    """An SVG that refers to its parts ten times on each of its levels."""
    refer = {
        "use": lambda i: '<use href="#a%d"/>' % i * 10,
        "old use": lambda i: '<use xlink:href="#%%61%d"/>' % i * 10,
        "fill": lambda i: '<rect width="9" height="9" fill="url(#a%d)"/>' % i * 10,
    }[kind]
    part = '<pattern id="a%d" width="1" height="1">%s</pattern>' if kind == "fill" else '<g id="a%d">%s</g>'
    parts = "".join(part % (i, refer(i - 1)) for i in range(1, levels))
    return (
        HEAD + '><defs><g id="a0"><rect width="1" height="1"/></g>' + parts + "</defs>" + refer(levels - 1) + "</svg>"
    )


def png(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(min(height, 100) * (width + 1)))
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    ).decode()


# shown as a picture, inside which nothing runs or loads
INERT = {
    "script": HEAD + "><script>top.hit=1</script><rect onload='top.hit=1'/></svg>",
    "event": HEAD + " onload='top.hit=1'><animate onbegin='top.hit=1' attributeName='x' dur='1s'/></svg>",
    "foreignObject": HEAD
    + "><foreignObject width='9' height='9'><iframe xmlns='http://www.w3.org/1999/xhtml' src='%s'/>" % EVIL
    + "</foreignObject></svg>",
    "remote": HEAD + "><image href='%s'/><use href='%s#a'/><a href='javascript:top.hit=1'/></svg>" % (EVIL, EVIL),
    "stylesheet": "<?xml-stylesheet href='%s'?>" % EVIL + HEAD + "/>",
}
# (kind, content): refused with a sentence
REFUSED = {
    "uses": ("svg", tenfold("use")),
    "uses by another name": ("svg", tenfold("old use")),
    "patterns": ("svg", tenfold("fill")),
    "a circle": ("svg", HEAD + '><g id="a"><use href="#a"/></g></svg>'),
    "an animated reference": (
        "svg",
        tenfold("use").replace('<use href="#a7"/>', '<use><set attributeName="href" to="#a7"/></use>'),
    ),
    "entities": ("svg", '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + HEAD + "><text>&b;</text></svg>"),
    "depth": ("svg", HEAD + ">" + "<g>" * 2000 + "</g>" * 2000 + "</svg>"),
    "import": ("svg", HEAD + "><style>@import '%s';</style></svg>" % EVIL),
    "fill by style": ("svg", tenfold("fill").replace(">", "><style>rect{fill:ur\\6c(#a7)}</style>", 1)),
    "a picture of SVG": ("svg", HEAD + "><image href='data:image/svg+xml,%3Csvg/%3E'/></svg>"),
    "a large PNG within": ("svg", HEAD + "><image href='data:image/png;base64,%s'/></svg>" % png(60_000, 60_000)),
    "HTML as SVG": ("svg", "<html xmlns='http://www.w3.org/1999/xhtml'><script>hit=1</script></html>"),
    "no XML": ("svg", "<svg><p>"),
    "a large PNG": ("png", png(60_000, 60_000)),
    "no PNG": ("png", base64.b64encode(b"GIF89a" + bytes(40)).decode()),
    "an address": ("png", "iVBORw0KGgo=' onerror='hit=1"),
    "scripts alone": ("html", "<script>document.title</script><style>p{}</style>"),
}
# what a program can write past `display`
MESSAGES = ["null", "[]", '{"kind": "html"}', '{"kind": "js", "content": "hit=1", "text": "", "step": null}']
MESSAGES += ['{"kind": "__proto__", "content": "x"}', '{"kind": "png", "content": {"length": 1}, "step": "x"}']
# what Chromium reports of a text that is parsed into an inert document; nothing else is blocked, so
# nothing else was tried
PARSED = ("Executing inline event handler", "Setting the document's base URI")
ALLOWED = "style title dir scope colspan rowspan span start open href target rel src width height alt"


@pytest.fixture(scope="module")
def tab(browser, server):
    tab = Tab(browser, server)
    yield tab
    tab.close()


def displayed(tab, kind, contents):
    """Displays each, and waits until the page has shown the last."""
    source = """
        import json
        class Shown:
            def __init__(self, content): self.content = content
            def __repr__(self): return 'its repr'
            def _repr_%s_(self): return self.content
        for content in json.loads(%r): display(Shown(content))
        print('displayed', %d)
    """ % (kind, json.dumps(contents), len(contents))
    tab.page.click("#console-input .cm-content")
    tab.page.keyboard.press("Control+l")
    tab.value("\n".join(line[8:] for line in source.splitlines()))
    tab.wait("() => document.getElementById('console-output').textContent.includes('displayed')")


def nothing_happened(tab):
    assert tab.page.evaluate("() => window.hit ?? null") is None
    assert not [url for url in tab.requests if "evil" in url]
    assert not [text for text in tab.complaints if not any(words in text for words in PARSED)]
    assert tab.page.url.startswith(tab.url) and len(tab.context.pages) == 1
    assert tab.page.evaluate("() => document.elementFromPoint(60, 20).closest('header') !== null"), "it covers the page"
    assert tab.value("6 * 7") == 42


def test_hostile_html_is_text_without_effect(tab):
    displayed(tab, "html", list(HTML.values()))
    boxes = tab.page.locator("#console-output > .rich")
    assert boxes.count() == len(HTML)
    for name, text in zip(HTML, boxes.all_text_contents()):
        assert "seen" in text or name == "depth", name
        assert "hit=1" not in text, name
    found = tab.page.evaluate(
        """() => [...document.querySelectorAll('#console-output > .rich *')].map((node) =>
            [node.localName, ...[...node.attributes].map(({name, value}) => `${name}=${value}`)])"""
    )
    elements = {name for name, *_ in found}
    assert elements <= set("a b br caption details div p summary table tbody td tr".split()), elements
    attributes = {attribute for _, *of in found for attribute in of}
    assert {a.split("=")[0] for a in attributes} <= set(ALLOWED.split()), attributes
    styles = {a for a in attributes if a.startswith("style")}
    assert styles == {"style=background-color: red;", "style=height: 1e+06px; width: 1e+06px;"}
    (link,) = [of for name, *of in found if name == "a" and any(a.startswith("href") for a in of)]
    assert sorted(link) == ["href=" + EVIL, "rel=noopener noreferrer", "target=_blank"]
    nothing_happened(tab)


def test_hostile_svg_is_a_picture_in_which_nothing_runs(tab):
    displayed(tab, "svg", list(INERT.values()))
    assert tab.page.locator("#console-output .rich-picture img").count() == len(INERT)
    tab.wait("() => [...document.querySelectorAll('.rich-picture img')].every((img) => img.complete)")
    nothing_happened(tab)


def test_what_would_hold_the_page_is_refused_with_a_sentence(tab):
    for name, (kind, content) in REFUSED.items():
        displayed(tab, kind, [content])
        text = tab.page.locator("#console-output > .rich.error").all_text_contents()
        assert len(text) == 1 and text[0].startswith("its repr\n") and text[0].rstrip().endswith("."), name
    assert tab.page.locator("#console-output img").count() == 0
    nothing_happened(tab)


def test_a_record_of_another_shape_is_ignored(tab):
    displayed(tab, "html", ["seen"])
    tab.value("import tinygpt_host\nfor text in %r: tinygpt_host.write(7, text)" % MESSAGES)
    assert tab.page.locator("#console-output > .rich").count() == 1
    assert tab.page.locator(".sample-display").count() == 0
    nothing_happened(tab)
