"""Trains the GPT in PyTorch, from the same settings, on the same batches and into the same
`.tinygpt` files as the tab.

    python3 -m reference.train --preset small --steps 100 --save run.tinygpt
    torchrun --nproc-per-node 2 -m reference.train --preset large --save run.tinygpt
    python3 -m reference.train --resume run.tinygpt --steps 2000 --save run.tinygpt

torchrun trains data parallel: gloo on CPUs, nccl on GPUs.

Every default comes from py/tinygpt/config.py, or from the checkpoint that is resumed. The batch
size is that of all processes together, so the number of processes does not change what is learnt.
Dropout draws from PyTorch's own random stream, everything else is the tab's.
"""

import argparse
import math
import os
import sys
import time
from dataclasses import dataclass, fields, replace

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from tinygpt import schedule
from tinygpt.config import CHOICES, PRESETS, ModelConfig, TrainConfig
from tinygpt.corpora import find_corpus
from tinygpt.tokenizer import ByteTokenizer, CharTokenizer

from . import checkpoint
from .batches import Batches
from .model import GPT

PRESET = "small"
SCHEDULES = tuple(schedule.DECAYS)


class TrainingError(RuntimeError):
    """The run cannot go on; the sentence says why."""


# ---- settings ----------------------------------------------------------------------------------


def arguments(model_config=None, train_config=None):
    """The parser: one option for every field of ModelConfig and TrainConfig, with these configs'
    values as defaults.
    """
    preset = PRESETS[PRESET]
    parser = argparse.ArgumentParser(prog="python3 -m reference.train", description="Train the GPT in PyTorch.")
    parser.add_argument("--preset", choices=PRESETS, default=PRESET, help="model shape and batch size")
    parser.add_argument("--resume", metavar="FILE", help="go on from this .tinygpt; its settings are the defaults")
    parser.add_argument("--save", metavar="FILE", help="write the .tinygpt here at the end, and when interrupted")
    parser.add_argument(
        "--save-interval", type=int, default=0, metavar="STEPS", help="and every so many steps (0: not)"
    )
    parser.add_argument("--tokenizer", choices=("bytes", "chars"), default="bytes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of PyTorch (0: its own choice)")
    for config in (model_config or preset.model, train_config or preset.train):
        group = parser.add_argument_group(type(config).__name__)
        for f in fields(config):
            name, default = "--" + f.name.replace("_", "-"), getattr(config, f.name)
            if f.name == "kv_heads" and default == config.heads:
                default = 0  # as many as heads, also when --heads is given
            if f.type in (bool, "bool"):
                group.add_argument(name, action=argparse.BooleanOptionalAction, default=default)
            else:
                choices = SCHEDULES if f.name == "schedule" else CHOICES.get(f.name)
                group.add_argument(
                    name, type=type(default), default=default, choices=choices, help="default %(default)s"
                )
    return parser


def configs(options):
    """(ModelConfig, TrainConfig) from parsed options."""
    return tuple(
        kind(**{f.name: getattr(options, f.name) for f in fields(kind)}) for kind in (ModelConfig, TrainConfig)
    )


def parse(argv):
    """(options, the resumed Checkpoint or None). Defaults: those of --preset, or of the checkpoint
    of --resume.
    """
    first, _ = arguments().parse_known_args(argv)
    resumed = checkpoint.load(first.resume) if first.resume else None
    if resumed is None:
        parser = arguments(PRESETS[first.preset].model, PRESETS[first.preset].train)
    else:
        if any(word.startswith("--preset") for word in argv):
            raise ValueError("--preset and --resume both say what the model's shape is; give one of them")
        parser = arguments(resumed.model_config, resumed.train_config or PRESETS[first.preset].train)
        if resumed.tokenizer is not None:
            parser.set_defaults(tokenizer=resumed.tokenizer.kind)
    return parser.parse_args(argv), resumed


def choose_tokenizer(options, corpus, resumed):
    """The checkpoint's tokenizer, or a new one of the kind asked for. ValueError where settings
    contradict each other.
    """
    if resumed is not None and resumed.tokenizer is not None:
        tokenizer = resumed.tokenizer
        if options.tokenizer != tokenizer.kind:
            raise ValueError(
                "the checkpoint's tokenizer is %s, not %s; leave --tokenizer out" % (tokenizer.kind, options.tokenizer)
            )
    else:
        tokenizer = CharTokenizer(corpus.text) if options.tokenizer == "chars" else ByteTokenizer()
    if options.vocab_size not in (ModelConfig().vocab_size, tokenizer.vocab_size):
        raise ValueError(
            "--vocab-size is %d, but the %s tokenizer has %d tokens; leave it out"
            % (options.vocab_size, tokenizer.kind, tokenizer.vocab_size)
        )
    return tokenizer


# ---- processes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """The processes that train together; alone: rank 0 of 1."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    def mean(self, value):
        """The mean over all processes of a 0-d tensor, as a float."""
        value = value.detach().clone()
        if self.world > 1:
            dist.all_reduce(value)
        return value.item() / self.world

    def say(self, text):
        if self.rank == 0:
            print(text, flush=True)


def join(device):
    """The Group that torchrun started, or a single process."""
    if "RANK" not in os.environ:
        return Group(device=device)
    local = int(os.environ["LOCAL_RANK"])
    if device == "cuda":
        device = "cuda:%d" % local
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Group(dist.get_rank(), dist.get_world_size(), device)


# ---- training ----------------------------------------------------------------------------------


class Trainer:
    """Model, optimizer, batches and history of one run; `step` counts the steps done."""

    def __init__(self, model_config, config, corpus, tokenizer, group=None, resumed=None):
        self.config, self.group, self.tokenizer, self.corpus = config, group or Group(), tokenizer, corpus.name
        tokens = tokenizer.encode(corpus.text)
        self.batches = Batches(
            tokens, model_config.context, config.seed, self.group.device, self.group.rank, self.group.world
        )
        torch.manual_seed(config.seed)
        self.model = GPT(model_config).to(self.group.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameter_groups(config.weight_decay),
            lr=config.lr,
            betas=(config.beta1, config.beta2),
            eps=config.eps,
        )
        self.step, self.history, self.random = 0, [], {"seed": config.seed & (2**64 - 1), "offset": 0}
        if resumed is not None:
            self._resume(resumed)
        torch.manual_seed(
            config.seed + 1_000_003 * self.step + self.group.rank
        )  # dropout: its own numbers in every process
        self.parallel = self.model
        if self.group.world > 1:
            self.parallel = DistributedDataParallel(
                self.model, device_ids=[self.group.device] if "cuda" in self.group.device else None
            )

    def _resume(self, saved):
        checkpoint.load_into(saved, self.model, self.optimizer if saved.optimizer else None)
        for group, decay in zip(self.optimizer.param_groups, (self.config.weight_decay, 0.0)):
            group.update(betas=(self.config.beta1, self.config.beta2), eps=self.config.eps, weight_decay=decay)
        self.step, self.history, self.random = saved.step, list(saved.history), saved.random or self.random
        if saved.data and {"train", "validation"} <= set(saved.data):
            self.batches.set_state(saved.data)
            if saved.data.get("corpus", self.corpus) != self.corpus:
                self.group.say(
                    "The checkpoint was trained on %s; this run goes on with %s." % (saved.data["corpus"], self.corpus)
                )

    def advance(self):
        """One step. Returns (loss over the whole batch, norm of the gradient before clipping,
        learning rate).
        """
        x, y = self.batches.batch(self.config.batch_size)
        lr = schedule.apply(self.optimizer, self.step, self.config)
        self.parallel.train()
        _, loss = self.parallel(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip or float("inf"))
        self.optimizer.step()
        value = self.group.mean(loss)
        if not math.isfinite(value):
            raise TrainingError(
                "the loss became %s at step %d; lower the learning rate, or go on from an earlier checkpoint"
                % (value, self.step)
            )
        self.history.append([self.step, value])
        self.step += 1
        return value, norm.item(), lr

    @torch.no_grad()
    def evaluate(self):
        """The validation loss over eval_batches batches of the validation stream; training is not
        disturbed.
        """
        self.model.eval()
        total = 0.0
        for _ in range(self.config.eval_batches):
            total += self.group.mean(self.model(*self.batches.batch(self.config.batch_size, "validation"))[1])
        self.model.train()
        loss = total / self.config.eval_batches
        self.history.append([self.step, None, loss])
        return loss

    def due(self, interval):
        """At step 0, every `interval` steps and at the last; never where interval is 0. The tab's
        rule.
        """
        return bool(interval) and (self.step % interval == 0 or self.step == self.config.steps - 1)

    def save(self, path):
        """Writes the checkpoint (one process does)."""
        if self.group.rank == 0:
            checkpoint.save(
                path,
                self.model,
                self.optimizer,
                train=self.config,
                tokenizer=self.tokenizer,
                step=self.step,
                random=self.random,
                data={**self.batches.get_state(), "corpus": self.corpus},
                history=self.history,
            )

    def run(self, save=None, save_interval=0):
        """Trains until config.steps; saves at the end, on the way, and when interrupted from the
        keyboard.
        """
        say, config = self.group.say, self.config
        tokens = config.batch_size * self.model.config.context
        say(
            "%.2f M parameters on %s, %d process(es), %d steps"
            % (self.model.num_parameters() / 1e6, self.group.device, self.group.world, config.steps)
        )
        started, before = time.perf_counter(), self.step
        try:
            while self.step < config.steps:
                if self.due(config.eval_interval):
                    say("step %d  validation loss %.4f" % (self.step, self.evaluate()))
                shown = self.step % 10 == 0 or self.step == config.steps - 1
                loss, norm, lr = self.advance()
                if shown:
                    rate = (self.step - before) * tokens / (time.perf_counter() - started)
                    say("step %d  loss %.4f  norm %.2f  lr %.2e  %d tokens/s" % (self.step - 1, loss, norm, lr, rate))
                if save and save_interval and self.step % save_interval == 0:
                    self.save(save)
        except KeyboardInterrupt:
            if save:
                self.save(save)
                say("Interrupted after step %d; saved to %s." % (self.step, save))
            raise
        if save:
            self.save(save)
            say("Saved to %s." % save)
        return self.history


def main(argv=None):
    group = None
    try:
        options, resumed = parse(sys.argv[1:] if argv is None else argv)
        if options.threads:
            torch.set_num_threads(options.threads)
        group = join(options.device)
        model_config, config = configs(options)
        corpus = find_corpus(config.corpus, say=group.say)
        tokenizer = choose_tokenizer(options, corpus, resumed)
        model_config = replace(model_config, vocab_size=tokenizer.vocab_size)
        Trainer(model_config, config, corpus, tokenizer, group, resumed).run(options.save, options.save_interval)
        if group.world > 1:
            dist.barrier()  # a process that ends while another still talks to it takes it down
    except (ValueError, TrainingError, OSError) as error:
        sys.exit("reference.train: %s" % error)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if group is not None and group.world > 1:
            dist.destroy_process_group()


if __name__ == "__main__":
    main()
    if "RANK" in os.environ:
        # DistributedDataParallel (2.13) keeps gloo's threads alive past destroy_process_group; one
        # that asks for the interpreter while that shuts down aborts the process (seen in 1 of 20
        # runs). All is saved here, so the process ends without the shutdown.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
