"""What a program prints is bounded everywhere: on its way, on the page and in the answer of
tinygpt.run. The page answers meanwhile.
"""

import pytest

from tests.page.conftest import Tab, slowness
from tests.security.figures import record

pytestmark = [pytest.mark.browser, pytest.mark.alone]
SECONDS = 2
FLOODS = {
    "lines": "i = 0\nwhile True:\n    print('line', i); i += 1",
    "one line": "while True: print('x' * 100, end='')",
    "one text": "while True: print('y' * 30_000_000, end='')",
    "a line of signs": "while True: print('\\U0001f600' * 5000, end='')",
    "both streams": "import sys\nwhile True:\n    print('o'); print('e', file=sys.stderr)",
    "empty lines": "while True: print()",
}
# Runs the source for some seconds; the longest time that the page did not come to its timers.
FLOOD = """async ([source, seconds]) => {
    let longest = 0, last = performance.now();
    const timer = setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
    }, 5);
    const running = tinygpt.run(source);
    await new Promise((resume) => setTimeout(resume, seconds * 1000));
    tinygpt.interrupt();
    const answer = await running;
    clearInterval(timer);
    const output = document.getElementById("console-output");
    return { ok: answer.ok, error: answer.error, stdout: answer.stdout.length, omitted: answer.omitted ?? 0,
        end: answer.stdout.slice(-40), longest, shown: output.textContent.length, nodes: output.childElementCount };
}"""
LEFT = "() => document.querySelector('#console-output .left-out')?.textContent ?? ''"


@pytest.fixture(scope="module")
def tab(browser, server):
    tab = Tab(browser, server)
    yield tab
    assert tab.complaints == []
    tab.close()


def check(name, found, room):
    assert not found["ok"] and "KeyboardInterrupt" in found["error"], (name, found)
    assert found["stdout"] <= 4_000_000 and found["shown"] <= 110_000 and found["nodes"] <= 2001, (name, found)
    assert found["longest"] < 500 * room, (name, found)


def test_an_endless_print_is_bounded_and_the_page_answers(tab):
    for name, source in FLOODS.items():
        found = tab.page.evaluate(FLOOD, [source, SECONDS])
        check(name, found, slowness())
        assert "left out" in tab.page.evaluate(LEFT), name
    record("output: endless prints", len(FLOODS), len(FLOODS))


def test_the_answer_has_the_end_and_says_how_much_is_missing(tab):
    answer = tab.run("for i in range(10): print(str(i) * 1_000_000)")
    assert answer["ok"] and 3_000_000 < len(answer["stdout"]) <= 4_000_000
    assert len(answer["stdout"]) + answer["omitted"] == 10_000_010
    assert answer["stdout"].endswith("9" * 1_000_000 + "\n")
    assert "omitted" not in tab.run("print('short')")


def test_the_console_says_how_many_lines_it_left_out(tab):
    tab.page.evaluate("() => document.querySelector('#console-input .cm-content').focus()")
    tab.page.keyboard.press("Control+l")
    assert tab.page.evaluate(LEFT) == ""
    tab.run("for i in range(50_000): print('line', i)")
    tab.wait("() => document.getElementById('console-output').textContent.endsWith('line 49999\\n')")
    shown = tab.page.evaluate("() => document.getElementById('console-output').textContent").splitlines()
    lines, first = int(shown[0].split()[0].replace(",", "")), shown[1]
    assert first == "line %d" % lines and len(shown) == 50_000 - lines + 1
    assert shown[0].endswith("characters): the console keeps the last 100,000 characters.")
    tab.page.keyboard.press("Control+l")
    tab.run("print('z' * 300_000)")
    tab.wait("() => document.getElementById('console-output').textContent.endsWith('z\\n')")
    assert tab.page.evaluate(LEFT).startswith("The beginning of a line is left out (2")


TORN = """
import time
for i in range(24):
    print("line", i, "y" * 5000, end="", flush=True)
    time.sleep(0.05)
    print(" end of line", i)
"""


def test_what_the_console_keeps_begins_with_a_line_where_parts_of_lines_came_one_by_one(tab):
    tab.page.evaluate("() => document.querySelector('#console-input .cm-content').focus()")
    tab.page.keyboard.press("Control+l")
    tab.run(TORN)
    tab.wait("() => document.getElementById('console-output').textContent.endsWith('end of line 23\\n')")
    shown = tab.page.evaluate("() => document.getElementById('console-output').textContent").splitlines()
    assert "left out" in shown[0] and shown[1].startswith("line "), [line[:40] for line in shown]


def test_the_end_of_a_text_begins_with_a_line(tab):
    ends = tab.page.evaluate("""async () => {
        const { endOf } = await import("/app/worker/printed.js");
        const text = "line 1\\nline 2\\nline 3\\n";
        return [[21, 20, 14, 9, 7, 6, 1].map((most) => endOf(text, most)), endOf("z".repeat(900), 300).length];
    }""")
    line_2, line_3 = "line 2\nline 3\n", "line 3\n"
    assert ends == [["line 1\n" + line_2, line_2, line_2, line_3, line_3, "", ""], 300]


def test_a_value_and_an_error_of_any_length_are_cut(tab):
    answer = tab.run("raise ValueError('a' * 50_000_000)")
    assert len(answer["error"]) < 101_000 and "characters are left out" in answer["error"]
    tab.page.fill("#console-input .cm-content", "'b' * 50_000_000")
    tab.page.press("#console-input .cm-content", "Enter")
    tab.wait("() => document.getElementById('console-output').textContent.includes('characters are left out ...')")
    assert tab.page.evaluate("() => document.getElementById('console-output').textContent.length") < 110_000


def test_without_shared_memory_a_batch_is_bounded(tab):
    """What cannot wait for the page leaves out the oldest output, and messages stay."""
    found = tab.page.evaluate("""async () => {
        const { BATCH, BatchWriter, STDOUT, STDERR, TRAINING } = await import("/app/worker/channel.js");
        const posted = [];
        const writer = new BatchWriter((message) => posted.push(...message.records));
        writer.last = performance.now() + 1e6; // no batch ends before flush()
        let written = 0;
        for (let i = 0; i < 5000; i++) {
            const line = `line ${i} ${"x".repeat(2000)}\\n`;
            writer.write(i % 7 ? STDOUT : STDERR, line);
            written += line.length;
            if (i % 100 === 0) writer.write(TRAINING, `{"step": ${i}}`);
        }
        writer.flush();
        const output = posted.filter(([kind]) => kind === STDOUT || kind === STDERR);
        const size = output.reduce((sum, [, text]) => sum + text.length, 0);
        const messages = posted.filter(([kind]) => kind === TRAINING).length;
        return { size, written, most: BATCH, notice: posted[0], messages, end: posted.at(-1)[1].slice(0, 9) };
    }""")
    assert found["size"] <= found["most"] and found["messages"] == 50 and found["end"].startswith("line 49")
    left = int(found["notice"][1].split()[0].replace(",", ""))
    assert found["notice"][0] == 4 and left + found["size"] == found["written"]
