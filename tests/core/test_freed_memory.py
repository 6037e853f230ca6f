"""What a model, its optimizer and its recordings hold on a device goes back when they are dropped,
without Python's cyclic collector.
"""

import pytest

from tests import fake_gpu
from tests.targets import on

# Each case makes its objects in a function and drops them with it. The first round fills what
# stays: the arena of recordings, the place of the default random stream.
SOURCE = """
import gc
import tinygpt
from tinygpt import optim
from tinygpt.config import ModelConfig
from tinygpt.generate import generate

device = tinygpt.get_device()
shape = dict(vocab_size=40, context=9, layers=2, d_model=24, heads=4, dropout=0.1)

def made(**options):
    model = tinygpt.GPT(ModelConfig(**shape, **options))
    return model, optim.AdamW(model.parameter_groups(0.1), lr=1e-3)

def trained(compiled, **options):
    model, optimizer = made(**options)
    tokens = tinygpt.randint(0, 40, (4, 9))

    def step():
        logits, loss = model(tokens, tokens)
        optimizer.zero_grad()
        loss.backward()
        norm = tinygpt.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss, norm

    run = tinygpt.compile(step) if compiled else step
    return [run() for _ in range(6)]

def graph():
    model, optimizer = made()
    tokens = tinygpt.randint(0, 40, (4, 9))
    return model(tokens, tokens)

def without_optimizer():
    model, optimizer = made()
    del optimizer
    model(tinygpt.randint(0, 40, (4, 9)), tinygpt.randint(0, 40, (4, 9)))[1].backward()

def momentum():
    model = tinygpt.GPT(ModelConfig(**shape))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(tinygpt.randint(0, 40, (4, 9))).sum().backward()
    optimizer.step()

def exposed():
    model, optimizer = made()
    vars(model.blocks[0])["note"] = 1
    run = tinygpt.compile(lambda: model(tinygpt.randint(0, 40, (4, 9))))
    for _ in range(6):
        run()

def text():
    model, optimizer = made()
    return list(generate(model, [1], 6)), list(generate(model, [1, 2, 3], 6, with_logits=True))

CASES = {
    "model": lambda: tinygpt.GPT(ModelConfig(**shape)), "optimizer": made, "eager steps": lambda: trained(False),
    "compiled steps": lambda: trained(True), "recomputed": lambda: trained(True, recompute=True), "graph": graph,
    "without optimizer": without_optimizer, "momentum": momentum, "exposed": exposed, "text": text,
}
left = {}
for round in range(2):
    for name in chosen or CASES:
        case = CASES[name]
        gc.collect()
        gc.disable()
        try:
            before = device.in_use()
            case()
            left[name] = device.in_use() - before
        finally:
            gc.enable()
left
"""


@on("oracle", "native", "node", "gpu-lavapipe")
def test_dropped_objects_give_their_memory_back_at_once(value, target):
    # Half of the cases' time on a GPU in software is the compilation of shaders.
    chosen = ["graph", "compiled steps", "text"] if target.device == "webgpu" else []
    left = value(target, "chosen = %r\n" % chosen + SOURCE)
    assert len(left) == (len(chosen) or 10)
    assert left == dict.fromkeys(left, 0)


@pytest.mark.fast
def test_dropped_objects_give_their_memory_back_on_a_device_whose_values_come_late():
    with fake_gpu.fake_gpu():
        space = {"chosen": []}
        exec(SOURCE, space)
        assert space["left"] == dict.fromkeys(space["CASES"], 0)
        space.clear()


LOOP = """
import gc
import tinygpt
from tinygpt import corpora, loop, train

device = tinygpt.get_device()
corpora.provide("letters", "All the letters of a text. " * 800)
loop.set_settings(dict(preset="tiny", steps=3, corpus="letters", sample_interval=2))
held = []
try:
    for i in range(4):
        if i == 1:
            gc.collect()
            gc.disable()
        loop.run(train.train)
        device.release_arena()
        held.append(device.in_use())
    loop.current = None
    held.append(device.in_use())
finally:
    gc.enable()
    loop.set_settings({})
held
"""


@on("native")
def test_a_run_gives_its_memory_back_when_the_next_one_takes_its_place(value, target):
    held = value(target, LOOP)
    assert held[1] == held[2] == held[3] and held[4] < held[3] / 1000
