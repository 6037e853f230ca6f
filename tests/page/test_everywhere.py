"""The page without isolation, at every width, in light and dark."""

import pytest

from tests.page.conftest import Tab

pytestmark = [pytest.mark.browser]


def test_without_isolation_the_page_says_so_and_works_with_one_thread(browser, server_without_isolation):
    tab = Tab(browser, server_without_isolation)
    assert "1 thread" in tab.text("#device") and "not isolated" in tab.text("#device")
    assert "Training uses one thread" in tab.text("#banner")
    assert tab.value("import tinygpt\n(tinygpt.tensor([1.0, 2.0]) * 3).tolist()") == [3, 6]
    tab.value("kept = 1")
    answer = tab.page.evaluate("""async () => {
        const end = tinygpt.run("while True: pass");
        await new Promise(resolve => setTimeout(resolve, 300));
        tinygpt.interrupt();
        return end;
    }""")
    assert not answer["ok"] and "Stop restarts Python" in answer["error"]
    assert tab.value("'kept' in globals()") is False
    assert tab.complaints == []
    tab.close()


@pytest.mark.parametrize("width, height", [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_is_wider_than_the_window(browser, server, width, height):
    tab = Tab(browser, server, viewport={"width": width, "height": height})
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") == width
    if width >= 900:
        assert tab.page.evaluate("() => document.documentElement.scrollHeight") == height
    tab.close()


LUMINANCE = """() => {
    // Colours as numbers, through a canvas: computed styles may hold color-mix().
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgb = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
        const v = c[i] / 255; return sum + w * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4) }, 0);
    const behind = (node) => { for (; node; node = node.parentElement) {
        const c = rgb(getComputedStyle(node).backgroundColor); if (c[3] > 250) return c } return [255, 255, 255] };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("script, :disabled")) continue;
        const a = luminance(rgb(getComputedStyle(node).color)), b = luminance(behind(node));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.push([node.className || node.tagName, walker.currentNode.data.slice(0, 30), ratio.toFixed(2)].join(" | "));
    }
    return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_aa_contrast(browser, server, scheme):
    tab = Tab(browser, server, color_scheme=scheme)
    tab.enter("1/0")
    tab.run_editor('"""text"""\nfrom math import pi  # comment\n\n@property\nclass A:\n    x = 1\n')
    assert tab.page.evaluate(LUMINANCE) == []
    tab.close()
