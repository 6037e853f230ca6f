"""Between the page and Python: a message of any length arrives, a number that is not finite arrives
as such, a bad message fails alone, and every request is answered.
"""

import math

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.by_file]

# HANDLERS["generate"] is replaced by what a test gives: `tinygpt.generate` is the page's way to
# send any arguments and to see any answer.
HANDLE = """
from tinygpt_session import dispatch
if "kept_handler" not in globals():
    tinygpt_page_kept = kept_handler = dispatch.HANDLERS.get("generate")
def handler(args, part):
    %s
dispatch.HANDLERS["generate"] = handler, False
"""
REPLY = '{"text": %s, "tokens": 1, "stopped": False, "seed": 1, "seconds": 1, "first_token_ms": 1, "tokens_per_s": 1}'
TRAIN = """
from tinygpt import GPT, ModelConfig, TrainConfig, loop
from tinygpt.data import Dataset

def train(run):
    run.keep("data", lambda: Dataset("to be or not to be" * 60, context=8))
    model = run.keep("model", lambda: GPT(ModelConfig(layers=1, d_model=12, heads=3, context=8)))
    run.start(model, TrainConfig(steps=3))
    for i in run.steps(3):
        %s

loop.run(train)
None
"""
SEND = """async (options) => {
    const late = new Promise((resolve) => setTimeout(resolve, 20000, "nothing within 20 s"));
    const answer = tinygpt.generate(eval("(" + options + ")")).then(({ text }) => text, (error) => `ERROR ${error.message}`);
    return Promise.race([answer, late]);
}""".replace("eval", "(0, eval)")


def handle(tab, body):
    tab.page.evaluate("() => tinygpt.generate({prompt: '', tokens: 1}).catch(() => null)")  # imports the features
    tab.value(HANDLE % body.replace("\n", "\n    "))


def send(tab, options="{}"):
    """The text of the answer, or "ERROR" and the sentence."""
    return tab.page.evaluate(SEND, options)


@pytest.fixture
def echo(tab):
    """Python answers with the repr of its arguments."""
    handle(tab, "return " + REPLY % "repr(args)")


@pytest.mark.parametrize("length", [1, 32_000, 262_144, 3_000_000])
def test_a_request_of_any_length_arrives(tab, length):
    handle(tab, 'p = args["prompt"]\nreturn ' + REPLY % "str(len(p)) + p[-3:]")
    assert send(tab, "{prompt: 'ü'.repeat(%d) + '漢字.'}" % length) == "%d漢字." % (length + 3)


@pytest.mark.parametrize("length", [1, 32_000, 262_144, 3_000_000])
def test_an_answer_of_any_length_arrives(tab, length):
    handle(tab, "return " + REPLY % ("'ü' * %d + '.'" % length))
    assert send(tab) == "ü" * length + "."


def test_messages_of_a_run_arrive_whatever_their_length(tab):
    tab.value(TRAIN % "run.note('n' * 600_000 + str(i)); run.log(1.0 + i)")
    assert [step["loss"] for step in tab.page.evaluate("() => tinygpt.history()")] == [1.0, 2.0, 3.0]
    assert tab.text("#status")[-3:] == "nn2"


def test_numbers_that_are_not_finite_arrive_as_such(tab, echo):
    got = send(tab, "{a: NaN, b: [Infinity, -Infinity], c: -0, prompt: 'NaN, Infinity'}")
    assert got == "{'a': nan, 'b': [inf, -inf], 'c': -0.0, 'prompt': 'NaN, Infinity'}"
    result = tab.value("[float('nan'), float('inf'), {'low': -float('inf'), 'text': 'NaN'}]")
    assert math.isnan(result[0]) and result[1:] == [math.inf, {"low": -math.inf, "text": "NaN"}]


def test_a_setting_of_generate_that_is_not_a_number_is_refused(own_tab):
    tab = own_tab
    tab.value(TRAIN % "run.log(1.0, lr=float('nan'), grad_norm=float('inf'))")
    for name in ("temperature", "top_p", "tokens"):
        assert "is nan: give a" in send(tab, "{prompt: 'a', %s: NaN}" % name)
    *_, step = tab.page.evaluate("() => tinygpt.history()")
    assert math.isnan(step["lr"]) and step["grad_norm"] == math.inf
    assert not tab.page.is_hidden("#chart")


@pytest.mark.parametrize(
    "body, sentence",
    [
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("import asyncio\nraise asyncio.CancelledError('so')", "CancelledError: so"),
        ("raise BaseException('own')", "BaseException: own"),
        (
            "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
            "Odd: <its text could not be made",
        ),
        ("a = ValueError('loops')\na.__cause__ = a\nraise a", "loops"),
        ("raise KeyboardInterrupt", "it was stopped"),
        ("return " + REPLY % "object()", "TypeError: Object of type object is not JSON serializable"),
        ("return " + REPLY % "{1, 2}", "TypeError: Object of type set is not JSON serializable"),
        ("def down(): return down()\nreturn down()", "maximum recursion depth exceeded"),
        ("loops = []\nloops.append(loops)\nreturn loops", "Circular reference detected"),
        ("part(object())", "TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_every_request_is_answered_whatever_its_function_does(tab, body, sentence):
    handle(tab, body)
    got = send(tab)
    assert got.startswith("ERROR ") and sentence in got
    assert tab.value("1 + 1") == 2


def test_what_cannot_be_sent_or_read_fails_alone(tab, echo):
    deep = "(() => { let deep = []; for (let i = 0; i < 5000; i++) deep = [deep]; return {deep}; })()"
    assert send(tab, "{a: 1n}").startswith("ERROR The request generate cannot be sent: ")
    assert send(tab, "(() => { const loop = {}; loop.loop = loop; return loop; })()").startswith("ERROR The request")
    assert send(tab, deep).startswith(("ERROR RecursionError", "ERROR The request", "{'deep'"))
    assert send(tab, "{b: 2}") == "{'b': 2, 'prompt': ''}" or send(tab, "{b: 2}") == "{'b': 2}"


DEEP = "__import__('functools').reduce(lambda inner, _: [inner], range(5000), 1)"
# What JavaScript's values become in Python: each alone, and the next request is answered.
ODD = {
    "{a: '\\ud800', b: 'x\\u0000y'}": "{'a': '\\ud800', 'b': 'x\\x00y'}",
    "{get a() { throw new Error('of a getter'); }}": "ERROR of a getter",
    "{a: {toJSON() { throw new Error('of toJSON'); }}}": "ERROR The request generate cannot be sent: of toJSON",
    "{a: new Proxy({}, {ownKeys() { throw new Error('of a proxy'); }})}": "ERROR The request generate cannot be sent: ",
    "{a: window}": "ERROR The request generate cannot be sent: ",
    "{a: () => 1, b: Symbol('x'), c: undefined, d: [, 1]}": "{'d': [None, 1]}",
    "{a: 1e308, b: 5e-324, c: 2 ** 53 + 2, d: -0}": "{'a': 1e+308, 'b': 5e-324, 'c': 9007199254740994, 'd': -0.0}",
    'JSON.parse(\'{"__proto__": {"x": 1}}\')': "{'__proto__': {'x': 1}}",
    "{a: '{\"NaN\": NaN}', NaN: 'Infinity'}": "{'a': '{\"NaN\": NaN}', 'NaN': 'Infinity'}",
}


def test_odd_values_arrive_as_json_has_them_or_fail_alone(tab, echo):
    for options, answer in ODD.items():
        assert send(tab, options).startswith(answer), options
        assert send(tab, "{prompt: 'next'}") == "{'prompt': 'next'}"


def test_a_value_that_nests_too_deep_is_described_and_python_lives(tab):
    tab.value("kept = 7")
    assert "nests more than 200 levels" in str(tab.value(DEEP))
    assert tab.value("kept") == 7


def test_a_bad_message_of_a_run_leaves_the_others(tab):
    tab.value(TRAIN % "run.send(type='applied', step={}); run.send(type='eval'); run.log(1.0 + i)")
    assert [step["loss"] for step in tab.page.evaluate("() => tinygpt.history()")] == [1.0, 2.0, 3.0]


def test_what_waits_when_python_ends_is_answered_and_another_python_starts(own_tab):
    tab = own_tab
    outcome = tab.page.evaluate("""async () => {
        const run = tinygpt.run("print('before')\\nimport os, time\\ntime.sleep(1)\\nos._exit(3)");
        await new Promise((resume) => setTimeout(resume, 300));
        const request = tinygpt.exportModel().then(() => "given", (error) => error.message);
        return { ...(await run), request: await request };
    }""")
    assert not outcome["ok"] and outcome["error"].startswith("Python ended unexpectedly")
    assert outcome["stdout"] == "before\n" and "Python was restarted" in outcome["request"]
    tab.wait("() => document.body.dataset.state === 'ready'")
    assert tab.value("1 + 1") == 2
    tab.complaints.clear()  # Pyodide writes a fatal error to the console


def test_the_page_where_python_could_not_start_answers_at_once(browser, server):
    from tests.page.conftest import Tab

    tab = Tab(browser, "about:blank", ready=False)
    tab.page.route("**/py/tinygpt.zip", lambda route: route.fulfill(status=500, body="no"))
    tab.page.goto(server)
    tab.wait("() => document.body.dataset.state === 'failed'")
    outcome = tab.run("1 + 1")
    assert not outcome["ok"] and "could not be fetched" in outcome["error"]
    request = tab.page.evaluate("() => tinygpt.exportModel().catch((error) => error.message)")
    assert "could not be fetched" in request
    tab.close()
