"""Inspection of a model: against PyTorch, without an effect on training. The answers to the page's
requests.
"""

import importlib
import json
import math
import sys
import types
from array import array
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch

import tinygpt
from tests.graph.test_program import OPTIONS
from tests.library.test_model import both, configuration
from tinygpt import generate, loop
from tinygpt.config import ModelConfig, TrainConfig
from tinygpt.data import Dataset
from tinygpt.tools import inspect

pytestmark = pytest.mark.fast
IDS = [3, 1, 4, 1, 5, 9, 2]


@pytest.fixture(params=OPTIONS.values(), ids=OPTIONS)
def pair(request, device):
    return both(configuration(request.param))


def in_torch(theirs, ids):
    """(attention [L][H, T, T], residual streams [L + 1][T, C], logits [T, V]) of
    reference/model.py, written out.
    """
    maps, streams = [], []
    config = theirs.config
    H, G, D = config.heads, config.kv_heads, config.head_size

    def rotated(x):
        T, half = x.shape[1], D // 2
        angle = torch.arange(T)[:, None] * 10000.0 ** (-torch.arange(half) / half)
        a, b, cos, sin = x[..., :half], x[..., half:], angle.cos(), angle.sin()
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def attention(module, args, result):
        x = args[0][0]
        q, k, _ = module.qkv(x).split([H * D, G * D, G * D], dim=-1)
        q, k = q.view(-1, H, D).transpose(0, 1), k.view(-1, G, D).transpose(0, 1)
        if config.positions == "rotary":
            q, k = rotated(q), rotated(k)
        scores = q @ k.repeat_interleave(H // G, 0).transpose(1, 2) / math.sqrt(D)
        later = torch.ones(len(ids), len(ids), dtype=torch.bool).triu(1)
        maps.append(scores.masked_fill(later, -math.inf).softmax(-1))

    hooks = [b.attn.register_forward_hook(attention) for b in theirs.blocks]
    hooks += [theirs.blocks[0].register_forward_pre_hook(lambda module, args: streams.append(args[0][0]))]
    hooks += [b.register_forward_hook(lambda module, args, out: streams.append(out[0])) for b in theirs.blocks]
    with torch.no_grad():
        logits = theirs(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return maps, streams, (logits[0] if isinstance(logits, tuple) else logits)[0]


def test_attention_maps_are_pytorchs(pair):
    theirs, ours = pair
    expected, _, _ = in_torch(theirs, IDS)
    maps = inspect.attention_maps(ours, IDS)
    assert np.shape(maps) == (2, 4, 7, 7)
    np.testing.assert_allclose(maps, torch.stack(expected), atol=2e-5)


def test_rows_of_an_attention_map_sum_to_one_and_look_back_only(pair):
    maps = np.array(inspect.attention_maps(pair[1], IDS))
    np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-5)
    assert (maps[..., np.triu_indices(7, 1)[0], np.triu_indices(7, 1)[1]] == 0).all()


def test_a_lens_row_is_the_norm_and_head_of_that_layer(pair):
    theirs, ours = pair
    _, streams, _ = in_torch(theirs, IDS)
    rows = inspect.logit_lens(ours, IDS, top=3)
    assert len(rows) == 3 and all(len(row) == 7 for row in rows)
    for row, stream in zip(rows, streams):
        with torch.no_grad():
            best = theirs.lm_head(theirs.norm_f(stream)).softmax(-1).topk(3)
        assert [[i for i, _ in place] for place in row] == best.indices.tolist()
        np.testing.assert_allclose([[p for _, p in place] for place in row], best.values, rtol=1e-3)


def test_the_last_row_of_the_lens_is_the_models_own_distribution(pair):
    _, ours = pair
    row = inspect.logit_lens(ours, IDS, top=40)[-1]
    with tinygpt.no_grad(), generate.evaluating(ours):
        own = tinygpt.softmax(ours(tinygpt.tensor([IDS])), dim=-1)[0].numpy()
    for place, distribution in zip(row, own):
        assert dict(place) == {i: pytest.approx(float(p)) for i, p in enumerate(distribution)}
        assert sum(p for _, p in place) == pytest.approx(1, abs=1e-5)


def test_a_lens_of_an_edited_forward_shows_what_the_model_does(device):
    class Doubled(tinygpt.GPT):
        def forward(self, ids, targets=None, cache=None):
            return super().forward(ids, targets, cache) * 2.0

    model = Doubled(configuration({}))
    with tinygpt.no_grad():
        own = tinygpt.softmax(model(tinygpt.tensor([IDS])), dim=-1)[0, -1].max().item()
    assert inspect.logit_lens(model, IDS, top=1)[-1][-1][0][1] == pytest.approx(own, rel=1e-5)


def test_a_model_of_other_parts_is_refused_with_a_sentence(device):
    model = tinygpt.nn.Linear(3, 3)
    with pytest.raises(RuntimeError, match="has no blocks, no norm_f, no lm_head"):
        inspect.logit_lens(model, IDS)
    bare = tinygpt.nn.Module()
    bare.table = tinygpt.nn.Embedding(40, 3)
    bare.forward = lambda ids: bare.table(ids)
    with pytest.raises(RuntimeError, match="called F.scaled_dot_product_attention"):
        inspect.attention_maps(bare, IDS)
    with pytest.raises(ValueError, match="prompt is empty"):
        inspect.attention_maps(bare, [])


def test_a_weight_report_has_numpys_numbers(device):
    tinygpt.manual_seed(1)
    model = tinygpt.GPT(configuration({}))
    x = tinygpt.tensor([IDS])
    model.loss(x, x).backward()
    model.pos_emb.weight.grad = None
    report = inspect.weight_report(model, bins=8)
    assert [e["name"] for e in report] == [n for n, _ in model.named_parameters()]
    for entry, p in zip(report, model.parameters()):
        w = p.detach().numpy()
        assert entry["shape"] == list(w.shape) and entry["elements"] == w.size
        assert entry["norm"] == pytest.approx(np.linalg.norm(w), rel=1e-5)
        assert entry["rms"] == pytest.approx(np.sqrt((w * w).mean()), rel=1e-5)
        assert (entry["min"], entry["max"]) == (w.min(), w.max())
        checks = [(w, entry["histogram"])]
        if p.grad is None:
            assert entry["gradient_norm"] is None and entry["gradient_histogram"] is None
        else:
            assert entry["gradient_norm"] == pytest.approx(np.linalg.norm(p.grad.numpy()), rel=1e-4)
            checks.append((p.grad.numpy(), entry["gradient_histogram"]))
        for values, histogram in checks:
            assert sum(histogram["counts"]) == histogram["counted"] == values.size
            if values.min() < values.max():
                np.testing.assert_allclose(
                    histogram["edges"], np.linspace(values.min(), values.max(), 9), rtol=1e-4, atol=1e-7
                )
                below = [(values < np.float32(edge)).sum() for edge in histogram["edges"][1:-1]]
                assert np.cumsum(histogram["counts"])[:-1].tolist() == below


def test_a_large_tensor_is_counted_evenly_and_the_report_says_so(device):
    model = tinygpt.nn.Linear(300, 200, bias=False)
    (entry,) = inspect.weight_report(model, bins=4)
    w = model.weight.detach().numpy().ravel()[::3]
    assert entry["elements"] == 60_000 and entry["histogram"]["counted"] == len(w) == inspect.SAMPLED
    assert entry["histogram"]["counts"][0] == (w < np.float32(entry["histogram"]["edges"][1])).sum()
    (entry,) = inspect.weight_report(model, histograms=["another"])
    assert entry["histogram"] is None and entry["norm"] > 0


def test_next_tokens_are_the_softmaxs_first(pair):
    theirs, ours = pair
    with torch.no_grad():
        logits = in_torch(theirs, IDS)[2][-1]
    for temperature in (1.0, 0.5, 0):
        expected = (logits / (temperature or 1)).softmax(-1).topk(10)
        for found in (
            inspect.next_token_probabilities(ours, IDS, temperature=temperature),
            inspect.next_token_probabilities(array("f", logits.tolist()), temperature=temperature),
        ):
            assert [i for i, _ in found] == expected.indices.tolist()
            np.testing.assert_allclose([p for _, p in found], expected.values, rtol=1e-3)


def test_training_has_the_same_bits_with_inspections_in_the_middle(device):
    def trained(look):
        tinygpt.manual_seed(5)
        model = tinygpt.GPT(ModelConfig(40, 9, 2, 24, 4, dropout=0.1))
        data = Dataset(list(range(40)) * 12, types.SimpleNamespace(vocab_size=40), 9)
        optimizer = tinygpt.optim.AdamW(model.parameters(), lr=1e-2)

        @tinygpt.compile
        def step():
            loss = model.loss(*data.batch(4))
            optimizer.zero_grad()
            loss.backward()
            norm = tinygpt.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return loss, norm

        losses = []
        for _ in range(6):
            losses.append(step()[0].item())
            if look:
                inspect.attention_maps(model, IDS)
                inspect.logit_lens(model, IDS)
                inspect.weight_report(model)
                inspect.next_token_probabilities(model, IDS)
                list(generate.generate(model, [1], 4, seed=3, with_logits=True))
        assert all(m.training for m in model.modules())
        gradients = [p.grad.tobytes() for p in model.parameters()]
        return (
            losses,
            gradients,
            [p.detach().tobytes() for p in model.parameters()],
            tinygpt.rand(2).tolist(),
            step.captures,
        )

    assert trained(True) == trained(False)


def test_tokens_come_with_the_logits_they_were_drawn_from(pair):
    _, ours = pair
    plain = list(generate.generate(ours, IDS[:3], 12, seed=4))
    ids = IDS[:3]
    for made, (token, logits) in enumerate(generate.generate(ours, ids, 12, seed=4, with_logits=True)):
        assert token == plain[made] and len(logits) == 40
        if len(ids) <= 9:
            with tinygpt.no_grad(), generate.evaluating(ours):
                np.testing.assert_allclose(logits, ours(tinygpt.tensor([ids]))[0, -1].numpy(), rtol=1e-3, atol=1e-4)
        ids = ids + [token]


# ---- the page's questions ----


@pytest.fixture
def page_request(monkeypatch):
    """page_request(name, args) -> (result, parts), both through JSON, of py/tinygpt_session's
    handlers; the model is a small trained one.
    """
    handlers, stop = {}, types.SimpleNamespace(wanted=lambda: False)

    def handles(name):
        return lambda function: handlers.setdefault(name, function)

    package = types.ModuleType("tinygpt_session")
    package.__path__ = [str(Path(__file__).resolve().parents[2] / "py" / "tinygpt_session")]
    requests = types.ModuleType("tinygpt_session.dispatch")
    requests.handles, requests.cancelled = handles, lambda: stop.wanted()
    monkeypatch.setitem(sys.modules, "tinygpt_session", package)
    monkeypatch.setitem(sys.modules, "tinygpt_session.dispatch", requests)
    for name in ("features.generation", "features.inspection"):
        monkeypatch.delitem(sys.modules, "tinygpt_session." + name, raising=False)
        importlib.import_module("tinygpt_session." + name)
    run = loop.Run()
    run.kept["model"] = tinygpt.GPT(ModelConfig(context=16, layers=2, d_model=24, heads=2))
    run.kept["data"] = Dataset("To be, or not to be, that is the question. " * 20, context=16)
    monkeypatch.setattr(loop, "current", run)

    def ask(name, args=None):
        parts = []
        result = handlers[name](args or {}, lambda value: parts.append(json.loads(json.dumps(value, allow_nan=False))))
        return json.loads(json.dumps(result, allow_nan=False)), parts

    ask.stop, ask.run = stop, run
    yield ask
    for name in ("features.generation", "features.inspection"):
        sys.modules.pop("tinygpt_session." + name, None)


def test_the_page_gets_each_token_as_it_is_drawn_with_its_ten_likeliest(page_request):
    result, parts = page_request("generate", {"prompt": "To be", "tokens": 30, "temperature": 0.7, "seed": 7})
    assert len(parts) == result["tokens"] == 30 and result["seed"] == 7 and not result["stopped"]
    assert result["tokens_per_s"] > 0 and result["first_token_ms"] > 0
    assert "".join(p["text"] for p in parts) + result["text"] == generate.generate_text(
        page_request.run.kept["model"], page_request.run.kept["data"].tokenizer, "To be", 30, temperature=0.7, seed=7
    )
    for p in parts:
        chances = [chance for _, chance in p["top"]]
        assert (
            len(chances) == 10
            and chances == sorted(chances, reverse=True)
            and 0 < sum(chances) <= 1
            and 0 <= p["probability"] <= 1
        )


def test_generating_uses_the_defaults_and_tells_the_seed_that_repeats_it(page_request):
    result, parts = page_request("generate")
    assert len(parts) == TrainConfig().sample_tokens
    again, same = page_request("generate", {"seed": result["seed"]})
    assert [p["id"] for p in same] == [p["id"] for p in parts]


def test_a_stop_ends_generating_within_a_token(page_request):
    seen = []
    page_request.stop.wanted = lambda: len(seen) == 3 or seen.append(1)
    result, parts = page_request("generate", {"tokens": 100})
    assert result["stopped"] and result["tokens"] == len(parts) <= 4


@pytest.mark.parametrize("name", ["generate", "inspect_attention", "inspect_lens", "inspect_weights"])
def test_without_a_model_the_answer_is_a_sentence(page_request, name):
    page_request.run.kept.clear()
    for current in (page_request.run, None):
        loop.current = current
        with pytest.raises(RuntimeError, match="There is no model yet: run train.py, or load the Shakespeare model."):
            page_request(name)


def test_a_model_that_is_no_gpt_is_refused_with_a_sentence(page_request):
    page_request.run.kept["model"] = tinygpt.nn.Linear(3, 3)
    with pytest.raises(RuntimeError, match="this model has no config, no tok_emb, no blocks."):
        page_request("generate")


def test_wrong_numbers_are_refused_with_a_sentence(page_request):
    for args, sentence in (
        ({"tokens": 0}, "length"), ({"temperature": -1}, "temperature"), ({"top_k": -1}, "top-k"),
        ({"top_p": 0}, "top-p"),
        ({"temperature": "hot"}, "temperature"), ({"prompt": ""}, "prompt"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=sentence):
            page_request("generate", args)


def test_attention_comes_layer_by_layer_as_halves_of_the_maps(page_request):
    prompt = "To be, or not"
    result, parts = page_request("inspect_attention", {"prompt": prompt})
    assert (
        [p["layer"] for p in parts] == [0, 1]
        and result["layers"] == 2
        and result["tokens"] == list(prompt)
        and not result["cut"]
    )
    maps = inspect.attention_maps(page_request.run.kept["model"], list(prompt.encode()))
    for part, layer in zip(parts, maps):
        assert len(part["heads"]) == 2
        for text, head in zip(part["heads"], layer):
            half = np.frombuffer(b64decode(text), "<u2") / 65535
            np.testing.assert_allclose(half, [head[t][s] for t in range(13) for s in range(t + 1)], atol=1e-5)


def test_a_long_prompt_is_cut_to_its_end_and_the_answer_says_so(page_request):
    for name in ("inspect_attention", "inspect_lens"):
        result, _ = page_request(name, {"prompt": "abcdefghijklmnopqrstuvwxyz"})
        assert result["tokens"] == list("klmnopqrstuvwxyz") and result["cut"] == 10 and result["limit"] == 16


def test_the_lens_names_tokens_and_layers(page_request):
    result, _ = page_request("inspect_lens", {"prompt": "To be", "top": 3})
    assert result["layers"] == ["embedding", "block 1", "block 2"] and result["tokens"] == list("To be")
    assert [len(row) for row in result["rows"]] == [5, 5, 5] and all(
        len(place) == 3 for row in result["rows"] for place in row
    )


def test_weights_are_answered_with_the_histograms_that_were_requested(page_request):
    result, _ = page_request("inspect_weights", {"histograms": ["tok_emb.weight"]})
    names = {p["name"]: p for p in result["parameters"]}
    assert len(names["tok_emb.weight"]["histogram"]["counts"]) == 32 and names["norm_f.weight"]["histogram"] is None
    assert result["step"] == 0 and names["norm_f.weight"]["gradient_norm"] is None


def test_numbers_that_are_not_finite_travel_as_null(page_request):
    model = page_request.run.kept["model"]
    with tinygpt.no_grad():
        model.norm_f.weight.fill_(math.nan)
    result, _ = page_request("inspect_weights")
    assert {p["name"]: p["norm"] for p in result["parameters"]}["norm_f.weight"] is None


def test_bytes_that_are_no_character_are_shown_as_bytes(page_request):
    result, _ = page_request("inspect_lens", {"prompt": "é"})
    assert result["tokens"] == ["0xC3", "0xA9"]
