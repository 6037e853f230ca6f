"""The numbers of a checkpoint are checked when it is loaded: a file whose container is right and
whose settings, seeds, counts or names are not raises one CheckpointError. It leaves no trace in the
model, the optimizer or the default generator.
"""

import json

import pytest

import tinygpt
from tests.security import figures
from tests.storage.test_checkpoint import resealed
from tinygpt import GPT, ModelConfig, TrainConfig, checkpoint, optim
from tinygpt.checkpoint import CheckpointError
from tinygpt.core import generator
from tinygpt.storage import safetensors_file
from tinygpt.tokenizer import ByteTokenizer
from tinygpt.training import run_checkpoint

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]
SHAPE = ModelConfig(context=8, layers=1, d_model=12, heads=3)
PLACE = {"seed": 2**64 - 1, "offset": 2**62}
STATE = dict(
    train=TrainConfig(seed=2**64 - 1),
    tokenizer=ByteTokenizer(),
    step=2**31 - 1,
    random=PLACE,
    data={"train": PLACE, "validation": PLACE, "corpus": "my story (2)"},
    history=[(0, 5.5), (1, None), (1, None, 5.25), (2, 1e300)],
)
HUGE = 10**400
NUMBERS = [-1, 1.5, True, None, "1", [1], {}, HUGE, -HUGE]
WRONG_PLACES = [5, [], {}, {"seed": 1}, {"offset": 1}, {"seed": 1, "offset": 1, "more": 1}, "1"]
WRONG_PLACES += [{"seed": n, "offset": 1} for n in (*NUMBERS, 2**64)]
WRONG_PLACES += [{"seed": 1, "offset": n} for n in (*NUMBERS, 2**62 + 1, 2**64 - 1)]
PATHS = [
    "/etc/passwd",
    "../secret",
    "a/b",
    "a\\b",
    "C:secret",
    "..",
    ".",
    "",
    "a\nb",
    "\0",
    "x" * 300,
    5,
    True,
    ["a"],
    {},
]


def saved(kind=optim.AdamW):
    model = GPT(SHAPE)
    options = {"momentum": 0.9} if kind is optim.SGD else {}
    return checkpoint.dumps(model, kind(model.parameter_groups(0.1), lr=0.1, **options), **STATE)


def cases():
    """(metadata name, the value there) of files that must be refused."""
    for place in WRONG_PLACES:
        yield "random", place
        yield "data", {"train": place, "validation": PLACE}
        yield "data", {"train": PLACE, "validation": place}
    for path in PATHS:
        yield "data", {"train": PLACE, "validation": PLACE, "corpus": path}
        yield "train", {**STATE["train"].to_dict(), "corpus": path}
    for more in (HUGE, [HUGE], {"a": [2**64]}, {"b": -(2**63) - 1}):
        yield "data", {"train": PLACE, "validation": PLACE, "more": more}
    for n in (*NUMBERS, 2**31, 2**63):
        yield "step", n
    for name in TrainConfig().to_dict():
        for n in (-1 if name != "seed" else 2**64, HUGE, [1], {}):
            yield "train", {**STATE["train"].to_dict(), name: n}
    for name in SHAPE.to_dict():
        for n in (-1, HUGE, [1], {}):
            yield "model", {**SHAPE.to_dict(), name: n}
    for entry in (
        [],
        [1],
        [1, 2, 3, 4],
        [-1, 1.0],
        [1.5, 1.0],
        [True, 1.0],
        [2**31, 1.0],
        [1, "5"],
        [1, [5]],
        [1, HUGE],
    ):
        yield "history", [entry]
    yield "history", [{"step": HUGE}]


def optimizer_cases(told):
    first = told["groups"][0]
    changes = {"lr": [-0.1, HUGE, 1e39, None, [0.1], "0.1"], "eps": [-1], "weight_decay": [-1, 1e300], "lr_scale": [-1]}
    changes["betas"] = [0.9, [0.9], [0.9, 0.9, 0.9], [1.0, 0.9], [0.9, -0.1], ["0.9", 0.9], [True, 0.9], {}, None]
    changes.update(momentum=[-0.1, HUGE], dampening=[-1], nesterov=[2, "yes", None], more=[1], params=[None, "x", [1]])
    for name, values in changes.items():
        for value in values:
            yield {**told, "groups": [{**first, name: value}, *told["groups"][1:]]}
    name = next(iter(told["steps"]))
    for n in (*NUMBERS, 2**31):
        yield {**told, "steps": {**told["steps"], name: n}}
    for groups in ([], [{"params": []}], [first], [first, first], {}, [None]):
        yield {**told, "groups": groups}
    yield {"kind": "AdamW", "steps": {}, "groups": []}
    yield {"kind": "AdamW", "steps": {}, "groups": [{"params": []}]}
    yield {**told, "kind": ["AdamW"]}


def test_a_file_with_a_wrong_number_is_one_sentence_and_leaves_no_trace():
    tried = 0
    for kind in (optim.AdamW, optim.SGD):
        data = saved(kind)
        told = json.loads(safetensors_file.read(data)[0]["optimizer"])
        model = GPT(SHAPE)
        optimizer = kind(model.parameter_groups(0.1), lr=0.25, **({"momentum": 0.5} if kind is optim.SGD else {}))
        tinygpt.manual_seed(5)
        tinygpt.rand(3)

        def everything(model=model, optimizer=optimizer):
            values = [p.tobytes() for p in model.parameters()], [a.tobytes() for a in optimizer.arenas]
            return values, optimizer.settings(), optimizer.steps.copy(), generator.default_generator.get_state()

        before = everything()
        for name, value in [*cases(), *(("optimizer", value) for value in optimizer_cases(told))]:
            wrong = resealed(data, lambda metadata, header, n=name, v=value: metadata.update({n: json.dumps(v)}))
            with pytest.raises(CheckpointError) as caught:
                file = checkpoint.loads(wrong)
                file.load_into(model, optimizer)
                run_checkpoint.restored(file)
            text = str(caught.value)
            assert text and "\n" not in text and len(text) < 400, text
            tried += 1
        assert everything() == before
    figures.record("checkpoint numbers", tried, tried)


def test_a_file_that_does_not_fit_leaves_no_trace_in_the_default_generator():
    data = saved()
    before = generator.default_generator.get_state()
    run = run_checkpoint.restored(checkpoint.loads(data))
    assert generator.default_generator.get_state() == before  # the right file draws nothing either
    assert run.random_state() == PLACE
    other = GPT(ModelConfig(context=8, layers=2, d_model=12, heads=3))
    before = generator.default_generator.get_state()
    with pytest.raises(CheckpointError, match="layers"):
        checkpoint.loads(data).load_into(other)
    assert generator.default_generator.get_state() == before


def test_the_largest_numbers_come_back_and_train():
    file = checkpoint.loads(saved())
    assert file.random == PLACE and file.data["train"] == PLACE and file.train_config.seed == 2**64 - 1
    stream = tinygpt.Generator()
    stream.set_state(PLACE)
    assert len(tinygpt.rand(5, generator=stream).tolist()) == 5
    assert stream.get_state() == {"seed": 2**64 - 1, "offset": 2**62 + 2}
    model = GPT(SHAPE)
    file.load_into(model)
    with pytest.raises(CheckpointError):  # what cannot be read back is not written
        checkpoint.dumps(model, random=stream.get_state())


@pytest.mark.parametrize("path", ["/home/me/own.txt", "texts/own.txt", "C:\\texts\\own.txt", "own.txt"])
def test_a_file_names_the_text_and_not_its_path(path):
    file = checkpoint.loads(checkpoint.dumps(GPT(SHAPE), train=TrainConfig(corpus=path)))
    assert file.train_config.corpus == "own.txt"
