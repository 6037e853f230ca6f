"""What the shipped Shakespeare model is worth: its held-out loss by PyTorch, by the native device
and by the page, its size, its speed.

    python3 -m tests.demo.check --json [--adapter lavapipe] [--card]

The page is opened as a visitor does: *See a trained model write* is clicked, and the time to the
first letter on the page counts from the click. The page's loss on WebGPU is measured where an
adapter is named (tests/hosts/adapters.py). --page: the page alone, as JSON. --card: the numbers go
into public/models/shakespeare.md.
"""

import argparse
import json
import statistics

from tests.demo import card
from tests.demo.train import READY, open_page
from tests.hosts import ROOT

MODELS = ROOT / "public" / "models"
LOSS = """
import tinygpt
from tinygpt import loop
from tinygpt.data import Dataset, find_corpus
from tinygpt.training.evaluation import held_out_loss
_model = loop.current.kept["model"]
_text = find_corpus(%r, say=lambda note: None)
[tinygpt.get_device().name, held_out_loss(_model, Dataset(_text, None, _model.config.context))]
"""
# Seconds from the click to the first letter after the prompt, and what the panel then tells.
CLICK = """async () => {
    const panel = document.getElementById("generate"), begun = performance.now();
    const shown = new Promise((resolve) => {
        const look = () => panel.querySelectorAll("[data-token]").length && resolve((performance.now() - begun) / 1000);
        new MutationObserver(look).observe(panel, {subtree: true, childList: true});
    });
    document.getElementById("load-model").click();
    const first = await Promise.race([shown, new Promise((resolve) => setTimeout(() => resolve(null), 60000))]);
    return [first, document.getElementById("status").textContent];
}"""
TEXTS = 7  # whose median speed counts
SPEED = "async () => (await tinygpt.generate({prompt: 'ROMEO:', tokens: 400, temperature: 0.8, seed: 5})).tokens_per_s"


def native_model(file):
    """The model of a file on the native device."""
    import tinygpt
    from tinygpt import checkpoint

    tinygpt.set_device("native")
    saved = checkpoint.load(file)
    model = tinygpt.GPT(saved.model_config)
    saved.load_into(model)
    return model


def text_of(file, seed, tokens, temperature, prompt="\n"):
    """Text of a shipped file after the prompt, from the native device; a prompt of a line end alone
    is not part of it.
    """
    from tinygpt.generate import stream_text
    from tinygpt.tokenizer import ByteTokenizer

    text = "".join(stream_text(native_model(file), ByteTokenizer(), prompt, tokens, temperature=temperature, seed=seed))
    return prompt.removeprefix("\n") + text


def native_loss(file, corpus="shakespeare"):
    from tinygpt.data import Dataset, find_corpus
    from tinygpt.training.evaluation import held_out_loss

    model = native_model(file)
    return held_out_loss(model, Dataset(find_corpus(corpus, say=lambda note: None), None, model.config.context))


def on_the_page(variant=None):
    """{"device", "val_loss", "threads", "first_token_s", "tokens_per_s", "speeds"} of the page
    after *See a trained model write*.
    """
    page = open_page(variant)
    try:
        page.evaluate(READY)
        if variant:
            page.evaluate("""async () => {
                const select = document.getElementById("setting-device");
                select.value = "webgpu";
                select.dispatchEvent(new Event("change", {bubbles: true}));
            }""")
        first, said = page.evaluate(CLICK)
        if first is None:
            raise RuntimeError("no text came: %s" % said)
        speeds = [page.evaluate(SPEED) for _ in range(TEXTS)]
        device, loss = page._python(LOSS % "shakespeare")
        threads = page._python("import tinygpt\ntinygpt.get_device().threads")
        return {
            "device": device, "val_loss": loss, "threads": threads, "first_token_s": first,
            "tokens_per_s": statistics.median(speeds), "speeds": speeds,
        }  # fmt: skip
    finally:
        page.close()


def measure(adapter=None):
    """All of it, as the command prints it."""
    from reference import evaluate

    entry = next(model for model in json.loads((MODELS / "models.json").read_text()) if model["name"] == "shakespeare")
    file = MODELS / entry["file"]
    page = on_the_page()
    losses = {
        "reference": evaluate.measure(file, say=lambda note: None),
        "native": native_loss(file),
        "page on " + page["device"]: page["val_loss"],
    }
    if adapter:
        gpu = on_the_page(adapter)
        losses["page on " + gpu["device"]] = gpu["val_loss"]
    told = {key: page[key] for key in ("threads", "first_token_s", "tokens_per_s", "speeds")}
    return {"bytes": file.stat().st_size, "val_loss": losses, **told}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--adapter")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--card", action="store_true", help="write the numbers into the model card")
    options = parser.parse_args()
    if options.page:
        print(json.dumps(on_the_page(options.adapter)))
        return
    found = measure(options.adapter)
    if options.card:
        path = MODELS / "shakespeare.md"
        path.write_text(card.renewed(path.read_text(), found))
    if options.json:
        print(json.dumps(found))
        return
    for name, loss in found["val_loss"].items():
        print("%-16s %.5f nats a character" % (name, loss))
    print(
        "%d bytes; first token after %.2f s, %.0f tokens/s on the page"
        % (found["bytes"], found["first_token_s"], found["tokens_per_s"])
    )


if __name__ == "__main__":
    main()
