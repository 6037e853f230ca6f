"""The words on the page are plain English: no phrase of the list below is in its sources.

Comments are left out: a sentence on the page is a string, or text in HTML or JSON.
"""

import io
import json
import pathlib
import re
import tokenize

import pytest

pytestmark = [pytest.mark.fast]

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Phrases that say it in a roundabout way; the comment names the plain form.
PHRASES = [
    "as it was",  # loaded (step 1,900)
    "is back at",  # restored at
    "is back",
    "are back",
    "the code before",  # the previous code
    "taken back",  # rolled back
    "starts new",  # starts fresh
    "that both have is kept",  # overlapping values kept
    "go on",  # continue, resume
    "goes on",
    "going on",
    "went on",
    "; variables are kept",  # Stopped. Press Resume to continue.
    "is there again",
    "Nothing is saved",  # No saved runs yet.
    "Ask it not to",  # Keep them permanently
    "This page's curves",  # Curves in this session
    "kept here until",  # Runs stay on the chart until you close the page.
    "`Needs ",  # Memory: ... available
    "adapter that it allows",  # no usable GPU
    '"there"',  # available
    "${missing} missing",
    ">A sample every",  # Write a sample every
    "has written nothing",  # No samples yet.
    "blind",  # random guessing
    "by heart",  # memorising
    "sure of wrong",  # confidently wrong
    "mend",  # fix, pass
    "mends",
    "mended",
    "more colour",  # Darker means
    "surer",  # more confident
    "(says)",  # (output)
    "what the model says",
    "Point at",  # Hover over
    "token looks",  # Average attention:
    "looks at",
    "cannot work with this text",  # Too short: this preset needs at least
    "not taken",  # could not be imported
    "something else (it starts",
    "To train on: with",  # To continue training
    "To write with",  # To generate text
    '"Passes"',  # Epochs
    "always here",  # Built in
    "Between rows",  # Row separator
    '"At most"',  # Download limit
    "Other parts",  # Other subsets
    '"Leave"',  # Skip
    "dotted word",  # underlined word
    "and only that",
    "bear larger",  # tolerate
    "for ever",  # forever
    "so many",  # how many
    'button("Write"',  # Generate
    "can be had",  # is available
    "under way",  # in progress
    "one's own",  # your own
    "is in your downloads",  # downloaded
    "is loaded, as",  # loaded (step 1,900)
    "not all is",  # Continuing from step 100. The file has no ...
    "the optimizer was %s and is",  # Optimizer changed from AdamW to SGD
    "moments start",  # its state starts from zero
    "keeps it until",  # Keep them permanently
    "(there is none)",  # Too short: this preset needs at least
    "to be had",  # available
    "asked for",  # requested
    "at present",
    "hears the page",  # cannot reach Python
    "keeps no files",  # cannot store files
    "variables are gone",  # lost
    "in some minutes",  # in a few minutes
    "commonest",  # most common
    "likeliest token",  # most likely
    "the likeliest",
    "k likeliest",
    "come out",
    "comes out",
    "never come",  # never occur
    "no such limit",  # no limit
    "To download",  # Download size
    "has not come",  # has not loaded
    "nothing of it",
    "took over",  # took effect
    "takes over",
    "did not come back",  # could not be reopened
    "took its place",  # replaced it
    "did not suffice",  # ran out of memory
    "always there",  # built-in
    "being counted",  # not ready yet
    "when there is one",
    "here is software",  # a software renderer
    "that is one inside",
    "as it comes",  # the default
    "which it begins like",
    "was drawn at",  # sampled with probability
    "what it holds",  # its content
]


def words(phrase):
    """A pattern of the phrase that does not begin or end inside a longer word ("recommend")."""
    return (r"\b" if phrase[0].isalpha() else "") + re.escape(phrase) + (r"\b" if phrase[-1].isalpha() else "")


PATTERN = re.compile("|".join(words(phrase) for phrase in PHRASES), re.IGNORECASE)


def python_strings(path):
    """(line, text) of the strings of a Python file that are not docstrings."""
    at_start = True
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT):
            at_start = True
            continue
        if token.type == tokenize.STRING or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            if not (at_start and token.string.startswith('"""')):
                yield token.start[0], token.string
        at_start = False


def script_lines(path):
    """(line, text) of a script or page without its comments."""
    text = re.sub(r"<!--.*?-->|/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), 1):
        yield number, re.sub(r"(^|\s)//\s.*", "", line)


def sentences():
    for path in [*(ROOT / "app").rglob("*.js"), *(ROOT / "app").rglob("*.html")]:
        yield from ((path, *found) for found in script_lines(path))
    for path in [*(ROOT / "py").rglob("*.py"), ROOT / "serve.py"]:
        yield from ((path, *found) for found in python_strings(path))
    for name in ("public/datasets.json", "public/manifest.webmanifest", "public/models/models.json"):
        if (ROOT / name).exists():
            found = json.loads((ROOT / name).read_text())
            for entry in found if isinstance(found, list) else [found]:
                yield from (
                    (ROOT / name, 0, text) for key, text in entry.items() if key in ("title", "about", "description")
                )


def test_the_page_says_it_in_plain_words():
    found = [
        "%s:%d: %s" % (path.relative_to(ROOT), line, match[0])
        for path, line, text in sentences()
        if (match := PATTERN.search(text))
    ]
    assert found == []


def test_the_search_finds_a_phrase_in_a_sentence_and_not_in_a_comment_or_a_word(tmp_path):
    script = tmp_path / "one.js"
    script.write_text('say("the run goes on"); // it goes on\n// blind\nrecommend("amend");\n')
    assert [PATTERN.search(text) is not None for _, text in script_lines(script)] == [True, False, False]
    module = tmp_path / "one.py"
    module.write_text('"""It goes on."""\n\n\ndef f():\n    """So many."""\n    return "taken back"  # goes on\n')
    assert [text for _, text in python_strings(module)] == ['"taken back"']
