"""Trains a shipped model with the product: opens the real page, edits train.py, sets the inputs,
presses Run and Resume, downloads.

    python3 -m tests.demo.train shakespeare --configuration demo-plain-2000-d3 --out DIR
    python3 -m tests.demo.train shakespeare --explored explore.json --out DIR
    python3 -m tests.demo.train stdlib --out DIR
    --explored: the configuration whose measured run was best
    --smoke: only the first part, 50 steps of a small model through the whole path; it always runs
        first

The page opens in Chromium under Playwright, or in what TINYGPT_BROWSER opens
(tests/hosts/driven.py). Every export is written to DIR the moment it is there, so that a later
failure loses nothing: step-N.tinygpt, best.tinygpt, run.json (the curve, the times, the device).
`python3 -m tests.demo.ship` makes the shipped files and the card of DIR.
"""

import argparse
import base64
import json
import os
import pathlib
import time

from tests.demo import recipes
from tests.hosts import ROOT, HostError

READY = "async () => { await tinygpt.ready; return await tinygpt.graphics }"
SET = """([name, value]) => {
    const input = document.getElementById("setting-" + name);
    const offers = (option) => option.value === value && !option.disabled;
    if (!input || (input.options && ![...input.options].some(offers))) return false;
    input.value = value;
    for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, {bubbles: true}));
    return input.value === value;
}"""
STRETCH = "async (press) => ({...(await tinygpt[press]()), state: tinygpt.state()})"
DEVICE = "() => document.getElementById('device').textContent"


def open_page(variant=None):
    if os.environ.get("TINYGPT_BROWSER"):
        from tests.hosts.driven import DrivenTab

        return DrivenTab()
    from tests.hosts.chromium import Page

    return Page(variant)


class Training:
    """One recipe in one page, and the folder that its files go to."""

    def __init__(self, page, recipe, out):
        self.page, self.recipe, self.out = page, recipe, out
        out.mkdir(parents=True, exist_ok=True)
        self.curve, self.best = [], None

    def set(self, name, value):
        if not self.page.evaluate(SET, [name, str(value)]):
            raise HostError("the page's input %r does not take %r" % (name, value))

    def stretch(self, press, steps):
        """Trains up to `steps` by Run ("start") or Resume. Returns the held-out loss there."""
        self.set("steps", steps)
        begun = time.time()
        outcome = self.page.evaluate(STRETCH, press)
        state = outcome["state"]
        if not outcome["ok"] or state["step"] != steps:
            raise HostError("training ended at step %s, not %d: %s" % (state["step"], steps, outcome["error"]))
        self.seconds += time.time() - begun
        self.curve.append([steps, state["loss"], state["val_loss"], self.seconds])
        print("%s: step %d  loss %.4f  held out %.4f  %.0f s" % (self.recipe.name, *self.curve[-1]), flush=True)
        return state["val_loss"]

    def export(self, name):
        data = self.page.evaluate("() => tinygpt.exportModel({optimizer: false})")
        partial = self.out / (name + ".part")
        partial.write_bytes(data)
        partial.rename(self.out / name)

    def train(self):
        recipe = self.recipe
        self.set("corpus", recipe.corpus)
        if recipe.precision != "f32":
            try:
                self.set("precision", recipe.precision)
            except HostError:  # a CPU, or a GPU without it
                print("%s: this device has no precision %s; f32 then" % (recipe.name, recipe.precision), flush=True)
        source = recipes.code(recipe, (ROOT / "py" / "tinygpt" / "train.py").read_text())
        self.page.evaluate("(source) => tinygpt.apply(source)", source)
        self.seconds, waited = 0.0, 0
        for number, steps in enumerate(recipe.stretches):
            loss = self.stretch("resume" if number else "start", steps)
            if steps in recipe.snapshots:
                self.export("step-%d.tinygpt" % steps)
            if self.best is None or loss < self.best[1]:
                self.best, waited = (steps, loss), 0
                if steps >= recipe.stretches[-1] // 2:
                    self.export("best.tinygpt")
            else:
                waited += 1
            self.note(source)
            if waited >= recipe.patience:
                break
        if not (self.out / "best.tinygpt").exists():
            self.export("best.tinygpt")

    def note(self, source):
        about = {
            "recipe": self.recipe.__dict__,
            "curve": self.curve,
            "best": self.best,
            "seconds": self.seconds,
            "device": self.page.evaluate(DEVICE),
            "history": self.page.evaluate("() => tinygpt.history().map(({step, loss}) => [step, loss])"),
            "code": source,
        }
        (self.out / "run.json").write_text(json.dumps(about))


def smoke(page, recipe, out):
    """The whole path in little: train, export, import again, write."""
    training = Training(page, recipe.shortened(), out)
    training.train()
    data = (out / "best.tinygpt").read_bytes()
    page.evaluate("() => tinygpt.reset()")
    about = page.evaluate(
        """async (url) => tinygpt.importModel(await (await fetch(url)).blob())""",
        "data:application/octet-stream;base64," + base64.b64encode(data).decode(),
    )
    text = page.evaluate("async () => (await tinygpt.generate({prompt: 'ROMEO:', tokens: 50, seed: 1})).text")
    if about["step"] != 50 or len(text) < 20:
        raise HostError("the smoke run came back as %r and wrote %r" % (about, text))
    page.evaluate("() => tinygpt.reset()")
    print("smoke: trained, exported (%d bytes), imported again, wrote %r" % (len(data), text[:40]), flush=True)


def best_of(paths):
    """The name of the demo configuration with the lowest held-out loss in files that
    tests.demo.explore wrote.
    """
    results = [r for path in paths for r in json.loads(path.read_text()) if r["name"].startswith("demo")]
    return min(results, key=lambda r: min(point[2] for point in r["curve"]))["name"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=("shakespeare", "stdlib"))
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--configuration")
    parser.add_argument("--explored", type=pathlib.Path, nargs="+")
    parser.add_argument("--variant", help="the adapter that Playwright's Chromium gets (tests/hosts/adapters.py)")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.model == "stdlib":
        recipe = recipes.STDLIB
    else:
        recipe = recipes.shakespeare(options.configuration or best_of(options.explored))
    page = open_page(options.variant)
    try:
        page.evaluate(READY)
        smoke(page, recipe, options.out / "smoke")
        if not options.smoke:
            Training(page, recipe, options.out).train()
    finally:
        page.close()


if __name__ == "__main__":
    main()
