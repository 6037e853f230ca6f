"""Text from a model, token by token: a prompt fills the key/value cache, then each token is one
replay of a captured decoding step.

`generate` yields every token as it is decoded. Where a read has to wait for the device (a GPU), the
drawn token stays there and up to AHEAD further steps are on their way while it travels, so no step
waits for a readback. When the context is full, the last half of it is kept and run again as the
prompt (positions are absolute, so old keys cannot slide); reference/sample.py does the same.
"""

from __future__ import annotations

from array import array
from math import isfinite
from typing import TYPE_CHECKING
from weakref import ref

from . import kernels
from .config import FLOAT32
from .core import generator
from .core.async_reads import PendingReads
from .core.autograd import written
from .core.compile import compile
from .core.factory import like, tensor
from .core.moving import attributes_of
from .core.quoting import quoted
from .core.state import no_grad, state
from .core.tensor import float32, int32, whole_number
from .graph import program
from .graph.program import launch
from .model import Cache
from .nn import kept_for
from .tokenizer import StreamDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .core.tensor import Tensor
    from .devices.base import Reading
    from .model import GPT
    from .tokenizer import Tokenizer

AHEAD = 8  # decoding steps under way at most, on a device whose reads wait


class NonFiniteLogits(RuntimeError):
    """No token can be drawn from NaN or infinite logits. torch.multinomial's kind of error."""


class evaluating:
    """Context manager: the model in eval mode, its modes put back afterwards.

    Text is made token by token, each within one of these; so the model remembers its modules in
    training mode and the epochs (state.py) outside and inside, and while nothing else has changed,
    entering again costs neither a walk over the model nor a check of Programs.
    """

    def __init__(self, model: GPT) -> None:
        known = kept_for.setdefault(model, {}).get("evaluating")
        if known is None or known[1] != state.epoch:
            known = [[attributes_of(m) for m in model.modules() if m.training], state.epoch, None]
            kept_for[model]["evaluating"] = known
        self.known = known

    def __enter__(self) -> None:
        modules, _, inside = self.known
        for attributes in modules:
            attributes["training"] = False
        if inside is not None:
            state.epoch = inside
        elif modules:
            state.touch()
        self.known[2] = state.epoch

    def __exit__(self, *exc: object) -> None:
        modules, outside, inside = self.known
        for attributes in modules:
            attributes["training"] = True
        if state.epoch == inside:
            state.epoch = outside
        else:  # something else changed meanwhile
            state.touch()


class _Drawing:
    """What a Decoder records: a token or a prompt through the model, and the next token's draw.

    It holds neither the Decoder nor the model, which is its holder: so all memory goes with the
    model, in no circle.
    """

    def __init__(self, model: GPT) -> None:
        self.model = ref(model)
        device = model.tok_emb.weight.device
        self.cache = Cache(model)
        self.token = tensor([[0]], dtype=int32, device=device)
        self.largest = tensor([0.0], device=device)  # logit: NaN or infinite where there is no distribution
        self.settings = tensor([1.0, 0.0, 1.0, 0.0], device=device)
        self.generator = generator.Generator()
        self.logits: Tensor | None = None

    def _draw(self, ids: Tensor, watched: bool) -> None:
        model = self.model()
        assert model is not None  # its holder
        logits = model(ids, cache=self.cache)
        last = logits.view(-1, logits.shape[-1])[-1:]
        if watched:
            if self.logits is None:
                self.logits = like(last)
            program.copy(self.logits, last)
        B, V = last.shape
        rng, offset = self.generator.reserve(last.device, B)
        launch(kernels.sample, (self.token, last, rng, self.settings), (B, V, offset))
        launch(kernels.reduce, (self.largest, last), (kernels.REDUCE["max"], float32.code, B, V, 1))
        written(self.token)
        written(self.largest)

    def step(self, watched: bool = False) -> None:
        """Runs the token at `position`, draws the next one into `token` and moves on."""
        self._draw(self.token, watched)
        self.cache.position.add_(1)

    def prompt(self, ids: Tensor, watched: bool = False) -> None:
        """Runs ids [1, T] into the empty cache and draws the token after them into `token`."""
        self.cache.position.fill_(0)
        self._draw(ids, watched)
        self.cache.position.fill_(ids.shape[1])


class Decoder:
    """The cache and the captured decoding step of one model.

    It is kept between calls so that a sample does not capture again. Each way to run has a second
    form, `watched`, which also leaves the logits [1, V] that the token was drawn from in `logits`.
    """

    def __init__(self, model: GPT) -> None:
        self.owner: object = None  # the text that uses the decoder
        self.drawing = drawing = _Drawing(model)
        self.cache, self.token, self.largest = drawing.cache, drawing.token, drawing.largest
        self.settings, self.generator = drawing.settings, drawing.generator
        self.step, self.prompt = compile(drawing.step), compile(drawing.prompt)
        self.lengths: set[int] = set()  # of the prompts run so far: only one that comes back is worth recording

    @property
    def logits(self) -> Tensor | None:
        """What the last watched run has left."""
        return self.drawing.logits

    def prefill(self, ids: Sequence[int], *watched: bool) -> None:
        """Runs a prompt into the empty cache and draws the first token into `token`.

        ids: one or more; one alone is a decoding step. watched: True, or nothing.
        """
        ids = list(ids)
        if len(ids) == 1:
            self.cache.position.fill_(0)
            self.token.copy_bytes_(array("i", ids))
            self.step(*watched)
            return
        run = self.prompt if len(ids) in self.lengths else self.drawing.prompt
        self.lengths.add(len(ids))
        run(tensor([ids], dtype=int32, device=self.token.device), *watched)

    def read_logits(self) -> Reading:
        """A Reading of `logits`: their bytes, float32, as they are now."""
        x = self.logits
        assert x is not None  # a watched run has left them
        return x.device.read_later(x._storage.handle, x.numel() * 4, x._storage.base + x._offset * 4)


def decoder_of(model: GPT) -> Decoder:
    """The model's Decoder, made on first use."""
    decoder = kept_for.setdefault(model, {}).get("decoder")
    if decoder is None or decoder.token.device is not model.tok_emb.weight.device:
        decoder = kept_for[model]["decoder"] = Decoder(model)
    return decoder


def generate(
    model: GPT,
    prompt: Sequence[int],
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int | None = None,
    with_logits: bool = False,
) -> Iterator[Any]:
    """Yields up to max_new_tokens token ids (ints) that continue `prompt`, each as it is decoded.

    prompt: a non-empty sequence of ids. temperature 0 takes the most probable token; top_k > 0 and
    top_p < 1 restrict the choice (kernels.sample). seed: of this text's own random stream; None
    draws one from the default generator. Training is not disturbed. with_logits: yields pairs
    instead, the id and the model's logits it was drawn from, array("f") of V numbers (before
    temperature, top_k and top_p). ValueError for an empty prompt or an option out of its range,
    IndexError for a token that the model does not have. NonFiniteLogits where the logits are NaN or
    infinite.
    """
    prompt = [whole_number(token, "a token of the prompt") for token in prompt]
    V = model.config.vocab_size
    if not prompt:
        raise ValueError("the prompt is empty; give at least one token, a newline for instance")
    for token in prompt:
        if not 0 <= token < V:
            raise IndexError("the prompt has the token %s; the model knows 0 to %d" % (quoted(token), V - 1))
    # Every limit is a comparison that NaN fails.
    for name, value, fits, wanted in (
        ("max_new_tokens", max_new_tokens, lambda n: n >= 0, "a whole number of at least 0"),
        ("temperature", temperature, lambda t: 0.0 <= t <= FLOAT32, "a finite number of at least 0"),
        ("top_k", top_k, lambda k: k >= 0, "a whole number of at least 0; 0 is no limit"),
        ("top_p", top_p, lambda p: 0.0 < p <= 1.0, "a number above 0 and at most 1"),
    ):
        try:
            good = not isinstance(value, bool) and bool(fits(value))
        except (TypeError, ValueError, RuntimeError):  # a text, None, several numbers
            good = False
        if not good:
            raise ValueError("%s is %s; give %s" % (name, quoted(value), wanted))
    settings = float(temperature), min(whole_number(top_k, "top_k"), V), float(top_p)
    if seed is not None:
        seed = generator.checked_seed(seed)
    return _decoded(model, prompt, whole_number(max_new_tokens, "max_new_tokens"), settings, seed, with_logits)


def _decoded(
    model: GPT,
    ids: list[int],
    max_new_tokens: int,
    settings: tuple[float, int, float],
    seed: int | None,
    with_logits: bool,
) -> Iterator[Any]:
    """The tokens of `generate`, whose arguments are checked."""
    if seed is None:
        seed = generator.default_generator.fork()
    decoder = decoder_of(model)
    stream = {"seed": seed, "offset": 0}
    context = model.config.context
    position = 0  # tokens in the cache; 0: the prompt must be run (again)
    made = 0
    watched = (True,) if with_logits else ()
    pending = PendingReads(AHEAD if decoder.token.device.waits else 0)
    while made < max_new_tokens or pending:
        if position >= context or decoder.owner is not stream:  # or another text used the decoder between two tokens
            position = 0
        if made == max_new_tokens or position == 0 and pending:  # a new prompt needs all tokens so far
            arrived = [pending.pop()]
        else:
            with no_grad(), evaluating(model):
                if position == 0:
                    if decoder.owner is not stream:
                        decoder.owner = stream
                        decoder.generator.set_state(stream)
                        decoder.settings.copy_bytes_(_floats(*settings))
                    if len(ids) > context:
                        ids = ids[-max(1, context // 2) :]
                    decoder.prefill(ids, *watched)
                    # The first token comes as soon as it can.
                    arrived = (
                        pending.push((decoder.token, decoder.largest), decoder.read_logits() if watched else None)
                        + pending.drain()
                    )
                    position = len(ids)
                else:
                    decoder.step(*watched)
                    arrived = pending.push((decoder.token, decoder.largest), decoder.read_logits() if watched else None)
                    position += 1
            stream["offset"] = decoder.generator.offset
            made += 1
        for logits, (token, largest) in arrived:
            if not isfinite(largest):
                raise NonFiniteLogits(
                    "the model's logits are %s, so no token can be drawn: its weights hold NaN or infinities, or "
                    "overflow; load an earlier checkpoint, or train again with a smaller learning rate"
                    % ("NaN" if largest != largest else "infinite")
                )
            ids.append(token)
            yield (token, array("f", logits.bytes())) if watched else token


def _floats(temperature: float, top_k: int, top_p: float) -> array:
    return array("f", [temperature, top_k, 0.0 if top_p >= 1.0 else top_p, 0.0])


def stream_text(
    model: GPT, tokenizer: Tokenizer, prompt: str = "\n", max_new_tokens: int = 200, **options: Any
) -> Iterator[str]:
    """Like generate, from and to text: yields each piece of str once its characters are complete.

    options: generate's temperature, top_k, top_p and seed.
    """
    decoder = StreamDecoder(tokenizer)
    for token in generate(model, tokenizer.encode(prompt), max_new_tokens, **options):
        piece = decoder.push(token)
        if piece:
            yield piece
    rest = decoder.flush()
    if rest:
        yield rest


def generate_text(
    model: GPT, tokenizer: Tokenizer, prompt: str = "\n", max_new_tokens: int = 200, **options: Any
) -> str:
    """The complete continuation as one str; the arguments are stream_text's."""
    return "".join(stream_text(model, tokenizer, prompt, max_new_tokens, **options))
