"""LoRA (Hu et al. 2021): fine-tunes a checkpoint by low-rank adapters on the Linear layers of the
blocks; only the adapters are trained.

    python3 -m reference.lora --checkpoint run.tinygpt --corpus own.txt --rank 8 --steps 200 --save
    own.lora --merged own.tinygpt

y = x (W + alpha / rank * B A)^T: A [rank, in] starts like a Linear layer, B [out, rank] at zero, so
training starts at the checkpoint. The sum is formed in this order in training and in `merge`, so a
merged model gives the same bits. Adapters are saved as a safetensors file.
"""

import argparse
import math
import os
import sys

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional as F

from tinygpt.config import TrainConfig
from tinygpt.corpora import find_corpus
from tinygpt.storage import safetensors_file
from tinygpt.storage.safetensors_file import CheckpointError

from . import checkpoint
from .batches import Batches

RANK, ALPHA = 8, 16.0


class LoRALinear(nn.Module):
    """A frozen Linear layer and its adapter; parameter names `weight` and `bias` stay, `A` and `B`
    are new.
    """

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.weight, self.bias, self.scale = linear.weight, linear.bias, alpha / rank
        self.A = nn.Parameter(torch.empty(rank, linear.in_features, device=linear.weight.device))
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank, device=linear.weight.device))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def merged_weight(self):
        return self.weight + self.scale * (self.B @ self.A)

    def forward(self, x):
        return F.linear(x, self.merged_weight(), self.bias)


def layers(model, kind):
    """(name, parent, attribute, layer) of the blocks' layers of this kind. The LM head may be the
    token embedding and is left alone.
    """
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, kind) and name.startswith("blocks.")
    ]
    return [
        (name, model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2], module) for name, module in found
    ]


def add(model, rank=RANK, alpha=ALPHA):
    """Freezes the model and puts adapters on every Linear layer of its blocks. Returns the
    adapters' parameters.
    """
    if rank < 1:
        raise ValueError("the rank of the adapters is %d; give at least 1" % rank)
    model.requires_grad_(False)
    for _, parent, attribute, linear in layers(model, nn.Linear):
        setattr(parent, attribute, LoRALinear(linear, rank, alpha))
    return [p for _, _, _, layer in layers(model, LoRALinear) for p in (layer.A, layer.B)]


@torch.no_grad()
def merge(model):
    """Adds the adapters into the weights and puts plain Linear layers back: an ordinary model that
    gives the same numbers.
    """
    for _, parent, attribute, layer in layers(model, LoRALinear):
        out, into = layer.weight.shape
        linear = nn.Linear(into, out, bias=layer.bias is not None, device=layer.weight.device)
        linear.weight.copy_(layer.merged_weight())
        if layer.bias is not None:
            linear.bias.copy_(layer.bias)
        setattr(parent, attribute, linear)
    return model.requires_grad_(True)


def save(path, model):
    """Writes the adapters: tensors `<layer>.A`, `<layer>.B`; metadata format, scale."""
    adapted = layers(model, LoRALinear)
    if not adapted:
        raise ValueError("the model has no adapters; call lora.add first")
    tensors = {
        "%s.%s" % (name, part): getattr(layer, part).detach().cpu().contiguous()
        for name, _, _, layer in adapted
        for part in "AB"
    }
    partial = "%s.part%d" % (os.fspath(path), os.getpid())
    try:
        safetensors.torch.save_file(
            tensors, partial, metadata={"format": "tinygpt-lora", "scale": repr(adapted[0][3].scale)}
        )
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def load(path, model):
    """Puts saved adapters on a model that has none. CheckpointError, before the model is changed,
    where they do not fit.
    """
    with open(path, "rb") as file:
        told, views = safetensors_file.read(bytearray(file.read()))
    scale = (
        safetensors_file.parse_json(told.get("scale", ""), "scale") if told.get("format") == "tinygpt-lora" else None
    )
    if type(scale) not in (int, float):
        raise CheckpointError("%s holds no adapters of reference.lora; give a file that it saved" % path)
    linears = layers(model, nn.Linear)
    rank = next((view.shape[0] for name, view in views.items() if name.endswith(".A") and view.shape), 0)
    shapes = {}
    for name, _, _, linear in linears:
        shapes[name + ".A"], shapes[name + ".B"] = (rank, linear.in_features), (linear.out_features, rank)
    if (
        rank < 1
        or not linears
        or {name: v.shape for name, v in views.items()} != shapes
        or any(v.dtype != "F32" for v in views.values())
    ):
        raise CheckpointError(
            "the adapters of %s belong to a model of another shape; use the checkpoint that they were trained on" % path
        )
    add(model, rank, scale * rank)
    with torch.no_grad():
        for name, _, _, layer in layers(model, LoRALinear):
            layer.A.copy_(checkpoint.tensor(views[name + ".A"]))
            layer.B.copy_(checkpoint.tensor(views[name + ".B"]))


def train(model, batches, config, say=print):
    """Trains the adapters for config.steps steps. Returns the losses."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps, weight_decay=0.0
    )
    losses = []
    model.train()
    for step in range(config.steps):
        _, loss = model(*batches.batch(config.batch_size))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, config.grad_clip or float("inf"))
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0 or step == config.steps - 1:
            say("step %d  loss %.4f" % (step, losses[-1]))
    model.eval()
    return losses


def arguments():
    defaults = TrainConfig()
    parser = argparse.ArgumentParser(
        prog="python3 -m reference.lora", description="Fine-tune a .tinygpt checkpoint with LoRA."
    )
    parser.add_argument("--checkpoint", required=True, help="the .tinygpt to start from")
    parser.add_argument("--corpus", default=defaults.corpus, help="a corpus's name or a text file")
    parser.add_argument("--save", metavar="FILE", help="write the adapters here")
    parser.add_argument("--merged", metavar="FILE", help="write the merged model here, as .tinygpt")
    parser.add_argument("--rank", type=int, default=RANK)
    parser.add_argument("--alpha", type=float, default=ALPHA)
    for name in ("steps", "batch_size", "lr", "seed"):
        value = getattr(defaults, name)
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    return parser


def main(argv=None):
    options = arguments().parse_args(argv)
    try:
        model, tokenizer = checkpoint.load_model(options.checkpoint)
        torch.manual_seed(options.seed)
        corpus = find_corpus(options.corpus)
        adapters = add(model, options.rank, options.alpha)
        print(
            "%d adapter parameters over %d frozen ones"
            % (sum(p.numel() for p in adapters), model.num_parameters() - sum(p.numel() for p in adapters))
        )
        config = TrainConfig(
            steps=options.steps, batch_size=options.batch_size, lr=options.lr, seed=options.seed, corpus=options.corpus
        )
        train(model, Batches(tokenizer.encode(corpus.text), model.config.context, options.seed), config)
        if options.save:
            save(options.save, model)
        if options.merged:
            checkpoint.save(options.merged, merge(model), tokenizer=tokenizer)
    except (ValueError, OSError) as error:
        sys.exit("reference.lora: %s" % error)


if __name__ == "__main__":
    main()
