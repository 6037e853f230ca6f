"""CONTRIBUTING.md's worked examples are true: each is followed literally in a copy of the checkout,
down to its own green test.

An example is a `## Example:` section of numbered steps. The sentence before a fenced block says
what to do with it: `Create` a file, insert it `before` or `after` a line of a file, add it `At the
end` of a file, or `Run` it.
"""

import os
import re
import shutil
import subprocess
import textwrap
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("public/vendor", "public/wheels", "public/corpora")  # placed here by set-up, as it would be there
Step = namedtuple("Step", "action path anchor text")
ACTIONS = (
    ("create", r"Create `(?P<path>[^`]+)`:$"),
    ("before", r"In `(?P<path>[^`]+)`, before the line `(?P<anchor>[^`]+)`, insert:$"),
    ("after", r"In `(?P<path>[^`]+)`, after the line `(?P<anchor>[^`]+)`, insert:$"),
    ("append", r"At the end of `(?P<path>[^`]+)`, add:$"),
    ("run", r"Run:$"),
)


def examples(text):
    """{title: [Step]} of a document."""
    found = {}
    for section in re.split(r"^## Example: ", text, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        body = re.split(r"^## ", body, flags=re.M)[0]
        found[title.strip()] = [step_of(before, block) for before, block in blocks(body)]
    return found


def blocks(body):
    """[(the paragraph before it, the text)] of the fenced blocks."""
    found, at = [], 0
    for fence in re.finditer(r"^( *)```\w*\n(.*?)^\1```$", body, flags=re.M | re.S):
        before = re.split(r"\n\s*\n|^ *\d+\. ", body[at : fence.start()].rstrip(), flags=re.M)[-1]
        indent = len(fence[1])
        lines = [line[indent:] if line[:indent].isspace() else line for line in fence[2].split("\n")]
        found.append((" ".join(before.split()), "\n".join(lines)))
        at = fence.end()
    return found


def step_of(sentence, text):
    for action, pattern in ACTIONS:
        if match := re.search(pattern, sentence):
            named = match.groupdict()
            return Step(action, named.get("path"), named.get("anchor"), text)
    raise ValueError("no step says what to do with a block: %r" % sentence)


def follow(step, checkout):
    """Does what the step says. Returns what a `Run` step printed."""
    if step.action == "run":
        done = subprocess.run(["bash", "-euc", step.text], cwd=checkout, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, "%s\n%s" % (step.text, (done.stdout + done.stderr)[-4000:])
        return done.stdout
    path = checkout / step.path
    if step.action == "create":
        assert not path.exists(), "%s exists already" % step.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text)
        return ""
    lines = path.read_text().split("\n")
    if step.action == "append":
        at = len(lines) - 1
    else:
        places = [i for i, line in enumerate(lines) if line.strip() == step.anchor]
        assert len(places) == 1, "%s has the line %r %d times" % (step.path, step.anchor, len(places))
        at = places[0] + (step.action == "after")
    path.write_text("\n".join([*lines[:at], *step.text.rstrip("\n").split("\n"), *lines[at:]]))
    return ""


@pytest.fixture
def checkout(tmp_path):
    """A copy of the tracked files, with the packages and texts of this one."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.rstrip("\0").split("\0"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    for name in GENERATED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, dirs_exist_ok=True)
    if (ROOT / "node_modules").is_dir():
        os.symlink(ROOT / "node_modules", tmp_path / "node_modules")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


EXAMPLES = examples((ROOT / "CONTRIBUTING.md").read_text())
MARKS = {
    "add a kernel": [pytest.mark.gpu],
    "add a panel": [pytest.mark.browser],
    "add a request": [pytest.mark.browser],
}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("title", [pytest.param(title, marks=MARKS[title]) for title in MARKS])
def test_the_example_ends_in_a_green_test(title, checkout):
    printed = ""
    for step in EXAMPLES[title]:
        printed = follow(step, checkout)
    assert re.search(r"^\d+ passed", printed, re.M) or re.search(r"\[100%\]", printed), printed
    assert not re.search(r"failed|skipped|error", printed), printed


@pytest.mark.fast
def test_every_example_is_followed():
    assert set(EXAMPLES) == set(MARKS)
    for title, steps in EXAMPLES.items():
        assert steps[-1].action == "run" and "pytest" in steps[-1].text, "%s ends in no test" % title


@pytest.mark.fast
def test_a_document_is_read_as_a_person_would():
    text = textwrap.dedent("""
        ## Example: add a thing
        1. First the file. Create `a/b.py`:

           ```python
           def f():
               return 1

           x = 2
           ```
        2. In `a/c.py`, after the line `import os`, insert:
           ```python
           import b
           ```

        3. Then look. Run:
           ```sh
           true
           ```

        ## After
        ```sh
        false
        ```
    """)
    assert examples(text)["add a thing"] == [
        Step("create", "a/b.py", None, "def f():\n    return 1\n\nx = 2\n"),
        Step("after", "a/c.py", "import os", "import b\n"),
        Step("run", None, None, "true\n"),
    ]


@pytest.mark.fast
def test_an_insertion_needs_its_line_once(tmp_path):
    (tmp_path / "a.py").write_text("import os\nimport sys\n\nx = 1\n")
    follow(Step("after", "a.py", "import os", "import re\n"), tmp_path)
    follow(Step("before", "a.py", "x = 1", "w = 0\n"), tmp_path)
    follow(Step("append", "a.py", None, "y = 2\n"), tmp_path)
    assert (tmp_path / "a.py").read_text() == "import os\nimport re\nimport sys\n\nw = 0\nx = 1\ny = 2\n"
    with pytest.raises(AssertionError, match="has the line 'z = 3' 0 times"):
        follow(Step("after", "a.py", "z = 3", ""), tmp_path)
