"""Optimizers in order of increasing complexity: SGD, AdamW; gradient clipping.

An optimizer moves its parameters into one flat arena, with gradients and moments in parallel ones, so a step is one launch whatever the
number of parameters. What changes from step to step (learning rate, bias correction) is written to a small device buffer
before the launch, and before each replay of a captured step.
"""

from . import kernels, program
from .creation import empty, full
from .devices.base import Words
from .nn import Parameter
from .ops import movement
from .program import launch
from .state import get_device, no_grad, state
from .tensor import Tensor, float32, row_major

ALIGN = 16  # elements: every parameter starts on a cache line


class Flat:
    """One flat arena of `parameters` and its gradient; `ranges`: id(parameter) -> (start, end with padding)."""

    def __init__(self, groups):
        self.parameters = parameters = [p for group in groups for p in group["params"]]
        device = parameters[0].device
        self.ranges, at = {}, 0
        for p in parameters:
            n = -(-p.numel() // ALIGN) * ALIGN
            self.ranges[id(p)] = (at, at + n)
            at += n
        self.n = at
        self.values = full((at,), 0.0, device=device)
        with no_grad():
            for p in parameters:
                p.move_to(self.part(self.values, self.ranges[id(p)][0], p.shape))
            self.gradients = full((at,), 0.0, device=device)  # after the moves: it takes the place where the parameters were
            for p in parameters:
                p._slot = self.part(self.gradients, self.ranges[id(p)][0], p.shape)
                p._slot.owner = self
                if p._grad is not None:
                    p._slot.copy_(p._grad)
                    p._grad = p._slot

    def clear_gradients(self):
        """A new gradient arena where the values are; every gradient is None."""
        self.gradients = full((self.n,), 0.0, device=self.values.device)
        for p in self.parameters:
            p._grad, p._slot = None, self.part(self.gradients, self.ranges[id(p)][0], p.shape)
            p._slot.owner = self

    @staticmethod
    def part(arena, start, shape):
        """The piece of an arena that holds a tensor of `shape` from element `start`."""
        return Tensor(arena._storage, shape, float32, start, row_major(shape))


class Optimizer:
    """Base: parameter groups with per-group settings, a flat arena, and the bookkeeping of one launch a step."""

    moments = 0  # arenas beside parameters and gradients

    def __init__(self, params, defaults):
        params = list(params)
        if not params:
            raise ValueError("optimizer got an empty parameter list")
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        self.param_groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        seen = set()
        for group in self.param_groups:
            for p in group["params"]:
                if not isinstance(p, Parameter):
                    raise TypeError("optimizer can only optimize Parameters, but one of the params is %s" % type(p).__name__)
                if id(p) in seen:
                    raise ValueError("some parameters appear in more than one parameter group")
                seen.add(id(p))
        self.param_groups = [g for g in self.param_groups if g["params"]]
        self.flat = Flat(self.param_groups)
        self.arenas = [full((self.flat.n,), 0.0, device=self.flat.values.device) for _ in range(self.moments)]
        self._steps = {id(p): 0 for group in self.param_groups for p in group["params"]}
        self._count = 0  # steps done by every parameter; None: look at _steps
        self._device = self.flat.values.device
        self._hyper = {}  # (runs) -> device buffer, reused outside captures
        self._runs = {}
        self._diverged = False  # some parameters missed a step: step counts differ within a group

    def zero_grad(self):
        """Sets every gradient to None, as PyTorch does."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def _present(self):
        """Runs of neighbouring parameters that have a gradient: [(start, end, [(group, parameters, end of the group's part)])]."""
        key = tuple([p.grad is not None for group in self.param_groups for p in group["params"]])
        if not all(key):
            self._diverge()
        elif self._count is None and not self._diverged:
            self._look_at_steps()
        runs = None if self._diverged else self._runs.get(key)
        if runs is None:
            runs = []
            for group in self.param_groups:
                for p in group["params"]:
                    if p._grad is None:
                        continue
                    start, end = self.flat.ranges[id(p)]
                    if not runs or runs[-1][1] != start:
                        runs.append([start, end, []])
                    run = runs[-1]
                    run[1] = end
                    part = run[2][-1] if run[2] else None
                    # One part for each group, and within a group for each step count (a parameter may have joined late).
                    if part is not None and part[0] is group and self._steps[id(part[1][0])] == self._steps[id(p)]:
                        part[1].append(p)
                        part[2] = end - run[0]
                    else:
                        run[2].append([group, [p], end - run[0]])
            self._runs[key] = runs
        return runs

    def _place_gradients(self):
        """Gradients that the user set by hand move into the flat gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                grad = p._grad
                if grad is not None and grad is not p._slot:
                    p._slot.copy_(grad)
                    p.grad = p._slot

    def to(self, device):
        """Moves parameters, gradients and moments to `device` (a name or a Device), bit by bit; counts and settings stay. Returns self."""
        from .moving import move

        self._device = get_device(device)
        self._hyper.clear()
        move(self._device, self)
        return self

    def step(self):
        """One update of every parameter that has a gradient."""
        if self.flat.values.device is not self._device:  # the model was moved: the moments follow
            self.to(self.flat.values.device)
        with no_grad():
            self._place_gradients()
            for start, end, parts in self._present():
                self._update(start, end, parts)

    @property
    def steps(self):
        """{id(parameter): steps done}. The caller may change it; the next step looks."""
        self._spread_steps()
        self._count = None
        return self._steps

    def get_counts(self):
        """The step counts, for `set_counts`."""
        self._spread_steps()
        return dict(self._steps), self._count, self._diverged

    def set_counts(self, counts):
        steps, self._count, self._diverged = counts
        self._steps.update(steps)
        self._runs.clear()

    def _spread_steps(self):
        """Writes the common count to every parameter. While all parameters take every step, only that count is kept up."""
        if self._count is not None:
            for key in self._steps:
                self._steps[key] = self._count

    def _look_at_steps(self):
        """After a caller may have changed `steps`: one count for all again, or one for each parameter."""
        counts = set(self._steps.values())
        if len(counts) == 1 and not self._diverged:
            self._count = counts.pop()
        else:
            self._diverge()

    def _diverge(self):
        if not self._diverged:
            self._spread_steps()
            self._diverged, self._count = True, None
            state.layout += 1  # a captured step counted on equal step counts

    def _retreat(self, parts):
        """Takes one step back from the count."""
        if not self._diverged:
            self._spread_steps()
            self._count = None
        for _, parameters, _ in parts:
            for p in parameters:
                self._steps[id(p)] -= 1

    def _advance(self, parts):
        """Counts one step and returns the hyper words of `parts`: for each its end, then its settings."""
        words = []
        if self._count is None and not self._diverged:
            self._look_at_steps()
        if not self._diverged:
            self._count += 1
        for group, parameters, stop in parts:
            if self._diverged:
                step = self._steps[id(parameters[0])] + 1
                for p in parameters:
                    self._steps[id(p)] = step
            else:
                step = self._count
            words.append(stop)
            words += self._words(group, step)
        return words

    def _update(self, start, end, parts):
        n = 8 * len(parts)
        capturing = program.capturing()
        hyper = None if capturing else self._hyper.get(n)
        if hyper is None:
            hyper = empty(n, device=self.flat.values.device)
            if not capturing:
                self._hyper[n] = hyper
        update = _Update(self, parts, hyper)
        update.advance()
        program.before_replay(update)
        arenas = [Flat.part(a, start, (end - start,)) for a in (self.flat.values, *self.arenas)]
        gradient, norm = Flat.part(self.flat.gradients, start, (end - start,)), None
        if gradient.device.checks_overflow:
            norm = empty((), device=gradient.device)
            launch(kernels.global_norm, (norm, gradient), (end - start,))
        self._launch(arenas, gradient, hyper, norm, end - start, len(parts))

    # ---- state, by parameter ----

    def state_arrays(self, named):
        """{"m.name": Tensor view} of the moments for named parameters (pairs of name and Parameter)."""
        out = {}
        for letter, arena in zip("mv", self.arenas):
            for name, p in named:
                out["%s.%s" % (letter, name)] = Flat.part(arena, self.flat.ranges[id(p)][0], p.shape)
        return out

    def settings(self):
        """Each group's settings without its parameters."""
        return [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]


class _Update:
    """One launch of an optimizer: writes its settings for the next step into `hyper`."""

    def __init__(self, optimizer, parts, hyper):
        self.optimizer, self.parts, self.hyper = optimizer, parts, hyper
        self.words = Words("i7f" * len(parts))

    def advance(self):
        storage = self.hyper._storage
        storage.device.put(self.words, storage.handle, self.optimizer._advance(self.parts))

    def retreat(self):
        self.optimizer._retreat(self.parts)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as torch.optim.SGD."""

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        if lr < 0.0:
            raise ValueError("Invalid learning rate: %r" % lr)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        self.moments = 1 if momentum or (isinstance(params, list) and any(isinstance(g, dict) and g.get("momentum") for g in params)) else 0
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov))

    def _words(self, group, step):
        return group["lr"], group["momentum"], group["dampening"], group["weight_decay"], float(group["nesterov"]), float(step == 1), 0.0

    def _launch(self, arenas, gradient, hyper, norm, n, groups):
        launch(kernels.sgd, (arenas[0], arenas[1] if len(arenas) > 1 else None, gradient, hyper, norm), (n, groups))


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW."""

    moments = 2

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        if lr < 0.0:
            raise ValueError("Invalid learning rate: %r" % lr)
        if not all(0.0 <= b < 1.0 for b in betas):
            raise ValueError("Invalid betas: %r; each must be at least 0 and below 1" % (betas,))
        super().__init__(params, dict(lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay))

    def _words(self, group, step):
        beta1, beta2 = group["betas"]
        return group["lr"], beta1, beta2, group["eps"], group["weight_decay"], 1.0 - beta1**step, (1.0 - beta2**step) ** 0.5

    def _launch(self, arenas, gradient, hyper, norm, n, groups):
        p, m, v = arenas
        launch(kernels.adamw, (p, m, v, gradient, hyper, norm), (n, groups))


def clip_grad_norm_(parameters, max_norm):
    """Scales all gradients so that their global norm is at most max_norm; returns the norm before, a 0-d tensor (torch.nn.utils' meaning).

    Two launches where the gradients fill one optimizer's flat arena.
    """
    grads = [p.grad for p in ([parameters] if isinstance(parameters, Tensor) else parameters)]
    grads = [g for g in grads if g is not None]
    if not grads:
        return full((), 0.0)
    with no_grad():
        flat = _whole_arena(grads)
        if flat is not None:
            grads = [flat]
        norms = []
        for g in grads:
            norm = empty((), device=g.device)
            launch(kernels.global_norm, (norm, g.contiguous()), (g.numel(),))
            norms.append(norm)
        if len(norms) > 1:
            norms = movement.stack(norms)
            total = empty((), device=norms.device)
            launch(kernels.global_norm, (total, norms), (len(grads),))
        else:
            total = norms[0]
        for g in grads:
            if g.is_contiguous():
                launch(kernels.clip_scale, (g, total), (g.numel(), float(max_norm)))
            else:
                dense = g.contiguous()
                launch(kernels.clip_scale, (dense, total), (g.numel(), float(max_norm)))
                g.copy_(dense)
    return total


def _whole_arena(grads):
    """The flat gradient when `grads` are all of its parts, else None."""
    owner = getattr(grads[0], "owner", None)
    if owner is None or len(grads) != len(owner.ranges) or any(getattr(g, "owner", None) is not owner for g in grads):
        return None
    return owner.gradients
