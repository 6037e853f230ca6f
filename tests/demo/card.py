"""The model card of the shipped Shakespeare model: tests/demo/card.md with what was measured in it."""

import pathlib

from tinygpt.config import TrainConfig

TEMPLATE = pathlib.Path(__file__).with_name("card.md")


def table(head, rows):
    lines = ["| %s |" % " | ".join(map(str, row)) for row in (head, *rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(head), *lines[1:]])


def told(config):
    return ", ".join("%s %s" % (key, value) for key, value in config.items())


def card(about, entries, measured, unquantized, samples, explored, levels, temperature):
    """The card's text. about: run.json of the training; measured: tests.demo.check's; unquantized: the loss of the float32 weights."""
    recipe, best = about["recipe"], about["best"]
    main = entries["shakespeare"]
    mine = lambda name: "%.4f" % measured["val_loss"][name] if measured["val_loss"].get(name) is not None else "not measured in this run"  # noqa: E731
    curve = table(
        ["step", "training loss (last batch)", "held-out loss", "seconds of training"],
        [(step, "%.3f" % loss, "%.4f" % held_out, "%.0f" % seconds) for step, loss, held_out, seconds in about["curve"]],
    )
    tried = table(
        ["configuration", "M parameters", "differs from the baby GPT's shape in", "plan", "best held-out loss", "at step"],
        sorted(
            [
                (r["name"], "%.1f" % (r["parameters"] / 1e6), told({k: r["model"][k] for k in ("positions", "norm", "mlp", "dropout")}),
                 told({k: r["train"][k] for k in ("steps", "batch_size", "lr", "min_lr", "weight_decay")}), *best_point(r))
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
        parameters="{:,}".format(main["parameters"]), loss=main["val_loss"], step=main["step"], bytes="{:,}".format(main["bytes"]),
        device=about["device"], seconds="%.0f" % about["seconds"], model=told(recipe["model"]), plan=told(recipe["plan"]),
        precision=recipe["precision"], seed=TrainConfig().seed, best=best[0], best_loss="%.4f" % best[1],
        unquantized="%.4f" % unquantized,
        cost="%.4f" % (main["val_loss"] - unquantized), levels=levels[0], stage_levels=levels[1],
        on_gpu="{first_token_s:.2f} s and {tokens_per_s:.0f} tokens a second on the GPU".format(**measured["gpu"])
        if measured.get("gpu") else "not measured on a GPU in this run",
        curve=curve, tried=tried, gallery=gallery,
        reference=mine("reference"), native=mine("native"), cpu=mine("page on wasm"), gpu=mine("page on webgpu"),
        first="%.2f" % measured["first_token_s"] if measured.get("first_token_s") else "-",
        speed="%.0f" % measured["tokens_per_s"] if measured.get("tokens_per_s") else "-", temperature=temperature,
        samples="\n\n".join("**{}**\n```\n{}\n```".format(i + 1, text.strip("\n").replace("```", "'''")) for i, text in enumerate(samples)),
        code=about["code"].split("def train(run):")[1].split("@tinygpt.compile")[0].rstrip(),
    )  # fmt: skip


def best_point(result):
    step, _, loss, _ = min(result["curve"], key=lambda point: point[2])
    return "%.4f" % loss, step
