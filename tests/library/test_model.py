"""The GPT with each of its options against reference/model.py, and decoding against the full
forward.
"""

import numpy as np
import pytest
import torch

import tinygpt
from reference.model import GPT as Reference
from tests.graph.test_program import OPTIONS
from tinygpt import generate
from tinygpt.config import PRESETS, ModelConfig

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("device")]


def configuration(options):
    return ModelConfig(vocab_size=40, context=9, layers=2, d_model=24, heads=4, **{**options, "dropout": 0.0})


def both(config):
    torch.manual_seed(1)
    theirs = Reference(config)
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.randn(p.shape) * 0.1)
    ours = tinygpt.GPT(config)
    named = dict(theirs.named_parameters())
    assert list(named) == [n for n, _ in ours.named_parameters()]
    for name, p in ours.named_parameters():
        assert p.shape == tuple(named[name].shape), name
        p.copy_bytes_(named[name].detach().numpy().tobytes())
    return theirs, ours


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_logits_loss_and_gradients(options):
    config = configuration(options)
    theirs, ours = both(config)
    ids = torch.randint(0, 40, (3, 10))
    x, y = (tinygpt.tensor(t.contiguous().numpy().astype("int32")) for t in (ids[:, :-1], ids[:, 1:]))
    logits, loss = theirs(ids[:, :-1], ids[:, 1:])
    mine, my_loss = ours(x, y)
    np.testing.assert_allclose(
        mine.detach().numpy().reshape(-1), logits.detach().numpy().reshape(-1), rtol=1e-4, atol=1e-4
    )
    assert my_loss.item() == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    my_loss.backward()
    for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters()):
        error = np.linalg.norm(p.grad.numpy() - q.grad.numpy()) / max(np.linalg.norm(q.grad.numpy()), 1e-6)
        assert error < 1e-4, (name, error)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_greedy_decoding_equals_the_full_forward(options):
    config = configuration(options)
    _, ours = both(config)
    ids = [3, 1, 4]
    made = list(generate.generate(ours, ids, 6, temperature=0))  # 3 + 6 fill the context of 9
    for token in made:
        with tinygpt.no_grad(), generate.evaluating(ours):
            logits = ours(tinygpt.tensor([ids]))
        assert token == logits[0, -1].argmax().item()
        ids.append(token)


def test_generation_goes_on_when_the_context_is_full():
    config = configuration({})
    _, ours = both(config)
    ids = [3, 1, 4]
    made = list(generate.generate(ours, ids, 20, temperature=0))
    assert len(made) == 20
    ids, window = ids + made, 3
    for i in range(3, 23):
        window = max(1, config.context // 2) if window > config.context else window
        with tinygpt.no_grad():
            logits = ours(tinygpt.tensor([ids[i - window : i]]))
        assert ids[i] == logits[0, -1].argmax().item()
        window += 1


def test_a_seed_repeats_and_another_differs():
    _, ours = both(configuration({}))

    def text(seed):
        return list(generate.generate(ours, [1], 12, seed=seed))

    assert text(5) == text(5) != text(6)


def test_two_texts_at_once_do_not_mix():
    _, ours = both(configuration({}))
    alone = list(generate.generate(ours, [1], 12, seed=5)), list(generate.generate(ours, [2], 12, seed=6))
    together = list(zip(generate.generate(ours, [1], 12, seed=5), generate.generate(ours, [2], 12, seed=6)))
    assert ([a for a, _ in together], [b for _, b in together]) == alone


def test_sampling_leaves_the_training_stream_and_the_mode_alone():
    _, ours = both(configuration({}))
    ours.train()
    tinygpt.manual_seed(1)
    expected = tinygpt.rand(3).tolist()
    tinygpt.manual_seed(1)
    list(generate.generate(ours, [1], 5))
    assert tinygpt.rand(3).tolist() == expected
    assert all(m.training for m in ours.modules())


def test_tokens_arrive_one_by_one():
    _, ours = both(configuration({}))
    stream = generate.generate(ours, [1], 5, seed=1)
    first = next(stream)
    assert isinstance(first, int) and 0 <= first < 40
    assert len(list(stream)) == 4


def test_wrong_requests_are_explained():
    _, ours = both(configuration({}))
    with pytest.raises(ValueError, match="prompt is empty"):
        next(generate.generate(ours, [], 3))
    with pytest.raises(ValueError, match="top_p is 0"):
        next(generate.generate(ours, [1], 3, top_p=0))
    with pytest.raises(RuntimeError, match="context of 9"):
        ours(tinygpt.zeros(1, 10, dtype=tinygpt.int32))


def test_presets_have_the_sizes_that_are_promised():
    millions = {"tiny": 0.07, "small": 0.37, "medium": 0.84, "large": 2.7, "xl": 6.4}
    for name, about in millions.items():
        assert tinygpt.GPT(PRESETS[name].model).num_parameters() / 1e6 == pytest.approx(about, rel=0.04)
