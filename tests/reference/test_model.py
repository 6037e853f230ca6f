"""The PyTorch model and the tab's are one model: same parameters, same logits, same loss, same
text, for every option.
"""

import pytest
import torch

import tinygpt
from reference import checkpoint as torch_checkpoint
from reference.batches import philox, uniform
from reference.model import GPT
from reference.sample import choose, generate
from tinygpt import checkpoint
from tinygpt.config import PRESETS, ModelConfig
from tinygpt.ops.random import sample as device_sample

pytestmark = pytest.mark.fast

SMALL = dict(vocab_size=17, context=8, layers=2, d_model=24, heads=4)
OPTIONS = [
    {},
    dict(positions="rotary"),
    dict(norm="rms"),
    dict(mlp="swiglu"),
    dict(kv_heads=2),
    dict(tie_embeddings=False),
    dict(bias=False),
    dict(positions="rotary", norm="rms", mlp="swiglu", kv_heads=1, tie_embeddings=False, bias=False, dropout=0.3),
]


def perturbed(model):
    """Norms and biases away from 1 and 0, so that each of them shows in the output."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator))
    return model.eval()


def in_the_tab(model, tmp_path):
    """The same weights in a tinygpt.GPT, carried by a checkpoint."""
    torch_checkpoint.save(tmp_path / "model.tinygpt", model)
    twin = tinygpt.GPT(model.config)
    checkpoint.load(tmp_path / "model.tinygpt").load_into(twin)
    return twin.eval()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join("%s=%s" % item for item in o.items()) or "plain")
def test_both_models_are_the_same_function(options, tmp_path, oracle_device):
    config = ModelConfig(**{**SMALL, **options})
    torch.manual_seed(0)
    model = perturbed(GPT(config))
    twin = in_the_tab(model, tmp_path)
    expected = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert {name: p.shape for name, p in twin.named_parameters()} == expected == checkpoint.parameter_shapes(config)
    assert list(expected) == [name for name, _ in twin.named_parameters()] == list(checkpoint.parameter_shapes(config))
    ids = torch.randint(17, (3, 9), generator=torch.Generator().manual_seed(1))
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    logits, loss = model(x, y)
    twin_logits, twin_loss = twin(tinygpt.tensor(x.tolist()), tinygpt.tensor(y.tolist()))
    torch.testing.assert_close(torch.tensor(twin_logits.tolist()), logits.detach(), rtol=1e-4, atol=1e-5)
    assert twin_loss.item() == pytest.approx(loss.item(), rel=1e-5)


def test_every_option_matters(tmp_path):
    """An option that one of the models ignored would pass the comparison above only if it changed
    nothing: here it must.
    """
    ids = torch.arange(8)[None]
    torch.manual_seed(0)
    base = perturbed(GPT(ModelConfig(**SMALL)))(ids)
    for options in OPTIONS[1:7]:
        torch.manual_seed(0)
        assert not torch.allclose(perturbed(GPT(ModelConfig(**{**SMALL, **options})))(ids), base, atol=1e-3), options


def test_weights_start_as_the_configuration_says():
    torch.manual_seed(0)
    model = GPT(PRESETS["small"].model)
    for name, p in model.named_parameters():
        expected = 0.02 / 6**0.5 if name.endswith("proj.weight") else 0.02
        if p.ndim == 2:
            assert p.std().item() == pytest.approx(expected, rel=0.05), name
        else:
            assert torch.equal(p, torch.full_like(p, 0.0 if name.endswith("bias") else 1.0)), name


def test_dropout_is_on_the_embeddings_and_both_branches():
    torch.manual_seed(0)
    model = GPT(ModelConfig(**SMALL, dropout=0.5)).train()
    calls = []
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.register_forward_hook(lambda m, args, out: calls.append(m.p))
    model(torch.arange(8)[None])
    assert calls == [0.5] * 5


def test_recomputation_changes_no_gradient():
    def gradients(recompute):
        torch.manual_seed(0)
        model = GPT(ModelConfig(**SMALL, dropout=0.5, recompute=recompute)).train()
        calls = []
        model.blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
        _, loss = model(torch.arange(8)[None], torch.arange(1, 9)[None])
        loss.backward()
        return [p.grad.tolist() for p in model.parameters()], len(calls)

    (kept, once), (recomputed, twice) = gradients(False), gradients(True)
    assert kept == recomputed and (once, twice) == (1, 2)


def test_a_too_long_text_is_one_sentence():
    with pytest.raises(ValueError, match="9 tokens through a model with a context of 8"):
        GPT(ModelConfig(**SMALL))(torch.zeros(1, 9, dtype=torch.long))


# ---- sampling ----------------------------------------------------------------------------------


def test_philox_gives_the_published_numbers():
    """The known answer of Random123 for counter 0 and key 0."""
    assert [hex(word) for word in philox(0, 0, 1)[0]] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    assert philox(7, 2**32 - 1, 3)[1].tolist() == philox(7, 2**32, 1)[0].tolist() != philox(7, 0, 1)[0].tolist()


@pytest.mark.parametrize(
    "temperature, top_k, top_p",
    [(0, 0, 1.0), (1.0, 0, 1.0), (0.7, 5, 1.0), (1.3, 0, 0.8), (1.0, 7, 0.5), (2.0, 1, 1.0)],
)
def test_tokens_are_chosen_as_the_kernel_does(temperature, top_k, top_p, oracle_device):
    rows = (torch.randn(40, 33, generator=torch.Generator().manual_seed(2)) * 2).round(decimals=1)  # ties happen
    stream = tinygpt.Generator(11)
    settings = tinygpt.tensor([float(temperature), float(top_k), top_p if top_p < 1 else 0.0, 0.0])
    drawn = device_sample(tinygpt.tensor(rows.tolist()), settings, stream).tolist()
    assert drawn == [choose(row, temperature, top_k, top_p, uniform(11, i)) for i, row in enumerate(rows)]


def test_the_choice_has_the_right_probabilities():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    draws = [choose(logits, 1.0, 0, 0.9, (i + 0.5) / 1000) for i in range(1000)]
    assert [draws.count(i) for i in range(4)] == pytest.approx([526, 316, 158, 0], abs=1)
    draws = [choose(logits, 1.0, 2, 1.0, (i + 0.5) / 1000) for i in range(1000)]
    assert [draws.count(i) for i in range(4)] == pytest.approx([625, 375, 0, 0], abs=1)


@pytest.mark.parametrize("prompt", [[1, 2, 3], list(range(12))], ids=["short", "longer than the context"])
@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_the_same_seed_writes_the_same_text_past_the_context(prompt, positions, tmp_path, oracle_device):
    from tinygpt.generate import generate as tab_generate

    torch.manual_seed(0)
    model = perturbed(GPT(ModelConfig(**SMALL, positions=positions)))
    settings = dict(temperature=0.9, top_k=9, top_p=0.95, seed=5)
    ours = list(generate(model, prompt, 25, **settings))
    assert len(set(ours)) > 3 and ours != list(generate(model, prompt, 25, **{**settings, "seed": 6}))
    assert list(tab_generate(in_the_tab(model, tmp_path), prompt, 25, **settings)) == ours
