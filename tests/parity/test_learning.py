"""Learning: 600 steps of the small preset in the page reach the validation loss that PyTorch
reaches with the same seed and batches.
"""

import json

import pytest
import torch

import tinygpt
from reference.batches import Batches
from reference.model import GPT
from tests import hosts
from tinygpt.config import PRESETS
from tinygpt.data import find_corpus
from tinygpt.tokenizer import ByteTokenizer

STEPS, EVERY = 600, 100

PAGE = """
import json
from tinygpt.training import hooks
from tinygpt import loop, train
seen, shown = [], hooks.sink

def both(text):
    message = json.loads(text)
    if message["type"] in ("eval", "step"):
        seen.append(message)
    if shown is not None:
        shown(text)

loop.set_sink(both)
loop.set_settings({"preset": "small", "steps": %d, "eval_interval": %d, "sample_interval": 0})
try:
    loop.run(train.train)
finally:
    loop.set_sink(shown)
    loop.set_settings({})
seen
""" % (STEPS, EVERY)


def torch_validation_losses():
    """{step: loss}: PyTorch from the weights that seed 42 gives in tinygpt, on the same windows,
    evaluated at the same steps.
    """
    chosen = PRESETS["small"]
    config = chosen.train
    device = tinygpt.tensor(0.0).device
    tinygpt.set_device("native")
    tinygpt.manual_seed(config.seed)
    model = GPT(chosen.model)
    with torch.no_grad():
        for (name, p), (own, q) in zip(model.named_parameters(), tinygpt.GPT(chosen.model).named_parameters()):
            assert name == own
            p.copy_(torch.frombuffer(bytearray(q.tobytes()), dtype=torch.float32).reshape(p.shape))
    tinygpt.set_device(device.name)
    stream = Batches(ByteTokenizer().encode(find_corpus(config.corpus).text), chosen.model.context, config.seed)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
         {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}],
        lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)  # fmt: skip
    losses = {}
    for step in range(STEPS):
        if step % EVERY == 0 or step == STEPS - 1:
            with torch.no_grad():
                batches = [stream.batch(config.batch_size, "validation") for _ in range(config.eval_batches)]
                losses[step] = sum(model(x, y)[1].item() for x, y in batches) / config.eval_batches
        _, loss = model(*stream.batch(config.batch_size))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, config.grad_clip)
        optimizer.step()
    return losses


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_learns_as_pytorch_does():
    messages = hosts.value(PAGE, "chromium")
    mine = {m["step"]: m["val_loss"] for m in messages if m["type"] == "eval"}
    theirs = torch_validation_losses()
    assert mine.keys() == theirs.keys()
    print(json.dumps({"page": mine, "torch": theirs}))
    for step in mine:
        assert mine[step] == pytest.approx(theirs[step], rel=0.01), step
    assert mine[STEPS - 1] < mine[0] - 2.0, "it must learn, not only agree"
    assert len([m for m in messages if m["type"] == "step"]) == STEPS
