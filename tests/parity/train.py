"""The parity gate: N training steps from the same weights and batches on one device and host,
against PyTorch.

    python3 -m tests.parity.train --preset small --device wasm --host chromium --steps 50 --json
    python3 -m tests.parity.train --preset tiny --device webgpu --host node --variant lavapipe
    --precision f16

PyTorch (reference/model.py) trains from seeded weights on the batches of the seeded stream; the
host trains from those very weights and batches. Compared: the loss of every step (relative), the
clipped gradient of the first step and the weights after the last (per tensor, the norm of the
difference over the norm). `--fault NAME` plants a fault (tests/parity/faults.py); the gate must
then fail.
"""

import argparse
import functools
import hashlib
import json
import math
import sys
from collections import namedtuple

import numpy as np
import torch

from reference.batches import Batches
from reference.model import GPT
from tests import hosts
from tests.hosts import adapters
from tests.parity import faults
from tinygpt.config import PRESETS
from tinygpt.data import find_corpus
from tinygpt.tokenizer import ByteTokenizer

Bars = namedtuple("Bars", "loss gradient weight")
BARS = Bars(loss=5e-4, gradient=1e-4, weight=1e-3)
GPU_BARS = Bars(loss=5e-4, gradient=2e-4, weight=1e-3)
HALF_BARS = Bars(loss=1e-2, gradient=2e-2, weight=1e-1)  # products of operands with 11 bits
SEED = 42


def bars(device, configure=None):
    """The differences that a run may have, by the precision of its arithmetic."""
    if device != "webgpu":
        return BARS
    return GPU_BARS if (configure or {}).get("precision", "f32") == "f32" else HALF_BARS


def spread(model):
    """Starting weights on which every part matters: activations reach the curved part of GELU,
    biases and norms are not 0 and 1.

    From the usual start (std 0.02, biases 0) erf- and tanh-GELU, or decay on biases, could not be
    distinguished within 50 steps.
    """
    stream = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, p in model.named_parameters():
            draw = torch.randn(p.shape, generator=stream)
            if p.dim() >= 2:
                p.copy_(
                    draw
                    * (
                        0.02
                        if name.startswith(("tok_emb", "lm_head"))
                        else 0.1
                        if name.startswith("pos_emb")
                        else p.shape[1] ** -0.5
                    )
                )
            else:
                p.copy_(draw * 0.1 + (1.0 if name.endswith("weight") else 0.0))


@functools.lru_cache(maxsize=16)
def torch_run(preset, steps, **changes):
    """PyTorch's half: {"job", "weights", "batches", "losses", "gradients", "final"}; changes:
    fields of the ModelConfig.
    """
    from dataclasses import replace

    config, model_config = PRESETS[preset].train, replace(PRESETS[preset].model, **changes)
    model = GPT(model_config)
    spread(model)
    named = [(name, p) for name, p in model.named_parameters()]
    job = {
        "preset": preset,
        "model": model_config.to_dict(),
        "steps": steps,
        "batch_size": config.batch_size,
        "shapes": [[name, list(p.shape)] for name, p in named],
    }
    weights = b"".join(p.detach().numpy().astype("<f4").tobytes() for _, p in named)
    tokens = ByteTokenizer().encode(find_corpus(config.corpus).text)
    stream = Batches(tokens, model_config.context, SEED)
    optimizer = torch.optim.AdamW(
        [{"params": [p for _, p in named if p.dim() >= 2], "weight_decay": config.weight_decay},
         {"params": [p for _, p in named if p.dim() < 2], "weight_decay": 0.0}],
        lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)  # fmt: skip
    losses, batches, gradients = [], [], None
    for _ in range(steps):
        x, y = stream.batch(config.batch_size)
        batches += [x.numpy().astype("<i4").tobytes(), y.numpy().astype("<i4").tobytes()]
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        if gradients is None:
            gradients = [p.grad.numpy().copy() for _, p in named]
        optimizer.step()
        losses.append(loss.item())
    return {
        "job": job,
        "weights": weights,
        "batches": b"".join(batches),
        "losses": losses,
        "gradients": gradients,
        "final": [p.detach().numpy().copy() for _, p in named],
    }


def relative_errors(data, wanted, shapes):
    """{name: |got - wanted| / |wanted|} per tensor, from the bytes a host returned."""
    got = np.frombuffer(data, "<f4")
    out, at = {}, 0
    for (name, _), tensor in zip(shapes, wanted):
        mine = got[at : at + tensor.size].astype(np.float64).reshape(tensor.shape)
        at += tensor.size
        scale = np.linalg.norm(tensor.astype(np.float64))
        out[name] = float(np.linalg.norm(mine - tensor) / (scale if scale else 1.0))
    assert at == got.size
    return out


def compare(
    preset, device, host, steps, threads=None, variant=None, fault=None, compiled=True, configure=None, **changes
):
    """Runs both halves; the JSON object of the command line."""
    reference = torch_run(preset, steps, **changes)
    files = {
        "job.json": json.dumps(reference["job"]).encode(),
        "weights.bin": reference["weights"],
        "batches.bin": reference["batches"],
    }
    source = "from tests.parity import host_steps\nhost_steps.train(files, %r, %r, %r)" % (preset, fault, compiled)
    result = hosts.value(
        source, host, device=device, threads=threads, variant=variant, configure=configure, files=files
    )
    drift = [
        abs(a - b) / abs(b) if math.isfinite(a) else math.inf for a, b in zip(result["losses"], reference["losses"])
    ]
    shapes = reference["job"]["shapes"]
    gradients = relative_errors(result["gradients"], reference["gradients"], shapes)
    weights = relative_errors(result["weights"], reference["final"], shapes)
    out = {
        "preset": preset, "device": device, "host": host, "threads": threads, "variant": variant,
        "configure": configure,
        "steps": steps, "fault": fault,
        "max_loss_drift": max(drift), "max_grad_error": max(gradients.values()),
        "max_weight_error": max(weights.values()),
        "worst_grad": max(gradients, key=gradients.get), "worst_weight": max(weights, key=weights.get),
        "losses": result["losses"], "torch_losses": reference["losses"],
    }  # fmt: skip
    allowed = bars(device, configure)
    out["bars"] = allowed._asdict()
    out["passed"] = (
        out["max_loss_drift"] <= allowed.loss
        and out["max_grad_error"] <= allowed.gradient
        and out["max_weight_error"] <= allowed.weight
    )
    out["digest"] = hashlib.sha256(result["weights"] + repr(result["losses"]).encode()).hexdigest()
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="small", choices=PRESETS)
    parser.add_argument("--device", default="native", choices=("reference", "native", "wasm", "webgpu"))
    parser.add_argument("--host", default="native", choices=("native", "node", "chromium"))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int)
    adapters.add_options(parser)
    parser.add_argument("--fault", choices=faults.NAMES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    configure = adapters.configuration(parser, options)
    out = compare(
        options.preset,
        options.device,
        options.host,
        options.steps,
        options.threads,
        options.variant,
        options.fault,
        configure=configure,
    )
    if options.json:
        print(json.dumps(out))
    else:
        print(
            "%(preset)s on %(device)s/%(host)s, %(steps)d steps: loss drift %(max_loss_drift).2e, "
            "gradient error %(max_grad_error).2e (%(worst_grad)s), "
            "weight error %(max_weight_error).2e (%(worst_weight)s): " % out + ("passed" if out["passed"] else "FAILED")
        )
    sys.exit(0 if out["passed"] else 1)


if __name__ == "__main__":
    main()
