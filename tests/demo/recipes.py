"""How the shipped models are trained: the shape, the plan, what is kept. tests/demo/train.py
presses the buttons.

`code(recipe, shipped)` is train.py with the recipe written into it, as a user would edit it: the
plan's schedule spans the whole training while the page's Steps say how far to go this time, and the
loss on the whole held-out text is measured at the end of each stretch.
"""

from dataclasses import dataclass, replace

from tests.demo.explore import CONFIGURATIONS, LONG, TEN_MILLION

SNAPSHOTS = (100, 500, 2000)


@dataclass(frozen=True)
class Recipe:
    """model, plan: what differs from ModelConfig and TrainConfig. stretches: steps at which
    training pauses to be measured.
    """

    name: str
    title: str
    corpus: str
    model: dict
    plan: dict
    stretches: tuple
    snapshots: tuple = ()
    precision: str = "f32"
    patience: int = 3  # stretches without a better loss before training ends

    def shortened(self):
        """The same path in 50 steps of a small model, to see that all of it works."""
        model = {**self.model, "layers": 3, "d_model": 96, "heads": 3, "context": 64}
        plan = {**self.plan, "steps": 50, "warmup_steps": 5, "batch_size": 16}
        return replace(self, model=model, plan=plan, stretches=(20, 50), snapshots=(20,))


def shakespeare(configuration):
    """The Shakespeare recipe from a line of tests/demo/explore.py: the one whose measured run was
    best.
    """
    name, _, model, plan, how = next(c for c in CONFIGURATIONS if c[0] == configuration)
    steps = plan["steps"]
    stretches = tuple(
        sorted({100, 500, 1000, 1500, *range(1800, steps, 100), *(s for s in SNAPSHOTS if s <= steps), steps})
    )
    return Recipe("shakespeare", "Shakespeare", "shakespeare", model, plan, stretches, SNAPSHOTS, how["precision"])


STDLIB = Recipe(
    "stdlib", "Python's standard library", "stdlib",
    {**TEN_MILLION, "layers": 6, "d_model": 256, "heads": 8, "dropout": 0.2},
    {**LONG, "steps": 2000, "min_lr": 1e-5}, (500, 1000, 1500, 1800, 1900, 2000), (), "f16_matrix",
)  # fmt: skip


def code(recipe, shipped):
    """train.py of the package with the recipe in it. ValueError where the shipped text has changed
    so that it no longer fits.
    """
    shape = ", ".join("%s=%r" % item for item in recipe.model.items())
    plan = ", ".join("%s=%r" % item for item in recipe.plan.items() if item[0] != "steps")
    edits = {
        "import tinygpt\n": "from dataclasses import replace\n\nimport tinygpt\n",
        "from tinygpt.data import": "from tinygpt.config import ModelConfig\nfrom tinygpt.data import",
        "from tinygpt.tokenizer": "from tinygpt.training.evaluation import held_out_loss\nfrom tinygpt.tokenizer",
        '    shape, config = run.settings(preset="small")\n': (
            "    _, config = run.settings()\n"
            "    shape = ModelConfig(%s)\n"
            "    config = replace(config, eval_interval=0, sample_interval=0, %s)\n"
            "    whole = replace(config, steps=%d)\n" % (shape, plan, recipe.plan["steps"])
        ),
        "schedule.apply(optimizer, i, config)": "schedule.apply(optimizer, i, whole)",
        '\n\nif __name__ == "__main__":': (
            '    run.drain()\n    run.send(type="eval", step=run.step, val_loss=held_out_loss(model, data))'
            '\n\n\nif __name__ == "__main__":'
        ),
    }
    for old, new in edits.items():
        if shipped.count(old) != 1:
            raise ValueError("train.py does not say %r once any more: write the recipe's edit anew" % old)
        shipped = shipped.replace(old, new)
    return shipped
