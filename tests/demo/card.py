"""The model card of the shipped Shakespeare model: tests/demo/card.md with what was measured in
it."""

import pathlib
import re
import textwrap

from tinygpt.config import TrainConfig

TEMPLATE = pathlib.Path(__file__).with_name("card.md")


def table(head, rows):
    lines = ["| %s |" % " | ".join(map(str, row)) for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]])


def told(config):
    return ", ".join("%s %s" % (key, value) for key, value in config.items())


ON_GPU = re.compile(r"(the page on WebGPU [^.]*\.\d+)\. .*?; ([\d.]+ s and \d+ tokens a second on the GPU)", re.DOTALL)


def paragraph(measured, on_gpu=("the page on WebGPU not measured in this run", "not measured on a GPU in this run")):
    """What tests.demo.check measured, in the card's words. on_gpu: what is said of a GPU where none
    was measured.
    """
    losses, gpu, speeds = measured["val_loss"], measured.get("gpu"), measured["speeds"]
    if gpu:
        told = "{first_token_s:.2f} s and {tokens_per_s:.0f} tokens a second on the GPU".format(**gpu)
        on_gpu = "the page on WebGPU %.4f" % gpu["val_loss"], told
    words = "The loss of the shipped file, measured by `python3 -m tests.demo.check`: PyTorch (`reference/`) %.4f, "
    words += "native %.4f, the page on the CPU %.4f, %s. First token %.2f s after the click, then %.0f tokens a second "
    words += "(the median of %d texts, %.0f to %.0f), on the CPU in Chromium with %d threads; %s."
    numbers = losses["reference"], losses["native"], losses["page on wasm"], on_gpu[0], measured["first_token_s"]
    words %= (*numbers, measured["tokens_per_s"], len(speeds), min(speeds), max(speeds), measured["threads"], on_gpu[1])
    return textwrap.fill(words, 100, break_long_words=False, break_on_hyphens=False)


def renewed(text, measured):
    """The card's text with what was measured anew; what it says of a GPU stays where none was
    measured.
    """
    begin = text.index("The loss of the shipped file, measured by")
    end = text.index("\n\n", begin)
    known = ON_GPU.search(text[begin:end].replace("\n", " "))
    return text[:begin] + (paragraph(measured, known.groups()) if known else paragraph(measured)) + text[end:]


def card(about, entries, measured, unquantized, samples, explored, levels, temperature):
    """The card's text. about: run.json of the training; measured: tests.demo.check's; unquantized:
    the loss of the float32 weights.
    """
    recipe, best = about["recipe"], about["best"]
    main = entries["shakespeare"]
    curve = table(
        ["step", "training loss (last batch)", "held-out loss", "seconds of training"],
        [
            (step, "%.3f" % loss, "%.4f" % held_out, "%.0f" % seconds)
            for step, loss, held_out, seconds in about["curve"]
        ],
    )
    tried = table(
        ["configuration", "M parameters", "differs from the baby GPT's shape in", "plan", "best held-out loss",
         "at step"],
        sorted(
            [
                (r["name"], "%.1f" % (r["parameters"] / 1e6),
                 told({k: r["model"][k] for k in ("positions", "norm", "mlp", "dropout")}),
                 told({k: r["train"][k] for k in ("steps", "batch_size", "lr", "min_lr", "weight_decay")}),
                 *best_point(r))
                for r in explored if r["name"].startswith("demo")
            ],
            key=lambda row: row[4],
        ),
    )  # fmt: skip
    gallery = table(
        ["model", "file", "MB", "parameters", "step", "held-out loss, from the file"],
        [(e["title"], e["file"], "%.1f" % (e["bytes"] / 1e6), "{:,}".format(e["parameters"]), e["step"], e["val_loss"])
         for e in entries.values()],
    )  # fmt: skip
    return TEMPLATE.read_text().format(
        parameters="{:,}".format(main["parameters"]), loss=main["val_loss"], step=main["step"],
        bytes="{:,}".format(main["bytes"]),
        device=about["device"], seconds="%.0f" % about["seconds"], model=told(recipe["model"]),
        plan=told(recipe["plan"]),
        precision=recipe["precision"], seed=TrainConfig().seed, best=best[0], best_loss="%.4f" % best[1],
        unquantized="%.4f" % unquantized,
        cost="%.4f" % (main["val_loss"] - unquantized), levels=levels[0], stage_levels=levels[1],
        measured=paragraph(measured), curve=curve, tried=tried, gallery=gallery, temperature=temperature,
        samples="\n\n".join("**{}**\n```\n{}\n```".format(i + 1, text.strip("\n").replace("```", "'''"))
                            for i, text in enumerate(samples)),
        code=about["code"].split("def train(run):")[1].split("@tinygpt.compile")[0].rstrip(),
    )  # fmt: skip


def best_point(result):
    step, _, loss, _ = min(result["curve"], key=lambda point: point[2])
    return "%.4f" % loss, step
