"""Text from a model, token by token: a prompt fills the key/value cache, then each token is one replay of a captured decoding step.

`generate` yields every token as it is decoded. Where a read has to wait for the device (a GPU), the drawn token stays there and up to
AHEAD further steps are on their way while it travels, so no step waits for a readback. When the context is full, the last half of it is
kept and run again as the prompt (positions are absolute, so old keys cannot slide); reference/sample.py does the same.
"""

from array import array

from . import program
from .compiled import compile
from .creation import like, tensor
from .model import Cache
from .ops import random
from .readings import Readings
from .state import no_grad, state
from .tensor import int32
from .tokenizer import StreamDecoder

AHEAD = 8  # decoding steps under way at most, on a device whose reads wait


class evaluating:
    """Context manager: the model in eval mode, its modes put back afterwards.

    Text is made token by token, each within one of these; so the model remembers its modules in training mode and the epochs (state.py)
    outside and inside, and while nothing else has changed, entering again costs neither a walk over the model nor a check of Programs.
    """

    def __init__(self, model):
        self.known = model.__dict__.get("_evaluating")
        if self.known is None or self.known[1] != state.epoch:
            self.known = [[m.__dict__ for m in model.modules() if m.training], state.epoch, None]
            object.__setattr__(model, "_evaluating", self.known)

    def __enter__(self):
        modules, _, inside = self.known
        for attributes in modules:
            attributes["training"] = False
        if inside is not None:
            state.epoch = inside
        elif modules:
            state.touch()
        self.known[2] = state.epoch

    def __exit__(self, *exc):
        modules, outside, inside = self.known
        for attributes in modules:
            attributes["training"] = True
        if state.epoch == inside:
            state.epoch = outside
        else:  # something else changed meanwhile
            state.touch()


class Decoder:
    """The cache and the captured decoding step of one model; kept between calls so that a sample does not capture again.

    Each way to run has a second form, `watched`, which also leaves the logits [1, V] that the token was drawn from in `logits`.
    """

    def __init__(self, model):
        self.model = model
        device = model.tok_emb.weight.device
        self.cache = Cache(model)
        self.token = tensor([[0]], dtype=int32, device=device)
        self.settings = tensor([1.0, 0.0, 1.0, 0.0], device=device)
        self.generator = random.Generator()
        self.step = compile(self._step)
        self.prompt = compile(self._prompt)
        self.lengths = set()  # of the prompts run so far: only one that comes back is worth recording
        self.logits = None

    def _draw(self, logits, watched):
        last = logits.view(-1, logits.shape[-1])[-1:]
        if watched:
            if self.logits is None:
                self.logits = like(last)
            program.copy(self.logits, last)
        return random.sample(last, self.settings, self.generator)

    def _step(self, watched=False):
        """Runs the token at `position`, draws the next one and moves on."""
        drawn = self._draw(self.model(self.token, cache=self.cache), watched)
        self.token.copy_(drawn.view(1, 1))
        self.cache.position.add_(1)
        return drawn

    def _prompt(self, ids, watched=False):
        """Runs ids [1, T] into the empty cache and draws the token after them."""
        self.cache.position.fill_(0)
        drawn = self._draw(self.model(ids, cache=self.cache), watched)
        self.token.copy_(drawn.view(1, 1))
        self.cache.position.fill_(ids.shape[1])
        return drawn

    def prefill(self, ids, *watched):
        """Runs a prompt into the empty cache and draws the first token. One token is a decoding step. watched: True, or nothing."""
        ids = list(ids)
        if len(ids) == 1:
            self.cache.position.fill_(0)
            self.token.copy_bytes_(array("i", ids))
            return self.step(*watched)
        run = self.prompt if len(ids) in self.lengths else self._prompt
        self.lengths.add(len(ids))
        return run(tensor([ids], dtype=int32, device=self.token.device), *watched)

    def read_logits(self):
        """A Reading of `logits`: their bytes, float32, as they are now."""
        x = self.logits
        return x.device.read_later(x._storage.handle, x.numel() * 4, x._offset * 4)


def decoder_of(model):
    """The model's Decoder, made on first use."""
    decoder = model.__dict__.get("_decoder")
    if decoder is None or decoder.token.device is not model.tok_emb.weight.device:
        decoder = Decoder(model)
        object.__setattr__(model, "_decoder", decoder)
    return decoder


def generate(model, prompt, max_new_tokens, temperature=1.0, top_k=0, top_p=1.0, seed=None, with_logits=False):
    """Yields up to max_new_tokens token ids (ints) that continue `prompt` (a non-empty sequence of ids), each as it is decoded.

    temperature 0 takes the most probable token; top_k > 0 and top_p < 1 restrict the choice (kernels.sample). seed: of this text's own
    random stream; None draws one from the default generator. Training is not disturbed. with_logits: yields pairs instead, the id and
    the model's logits it was drawn from, array("f") of V numbers (before temperature, top_k and top_p).
    """
    prompt = list(prompt)
    if not prompt:
        raise ValueError("the prompt is empty; give at least one token, a newline for instance")
    if temperature < 0 or top_k < 0 or not 0.0 < top_p <= 1.0:
        raise ValueError(
            "temperature %r, top_k %r, top_p %r: they must be at least 0, at least 0, and in (0, 1]" % (temperature, top_k, top_p)
        )
    if seed is None:
        seed = random.default_generator.fork()
    decoder = decoder_of(model)
    stream = {"seed": int(seed) & (2**64 - 1), "offset": 0}
    context = model.config.context
    ids = prompt
    position = 0  # tokens in the cache; 0: the prompt must be run (again)
    made = 0
    watched = (True,) if with_logits else ()
    under_way = Readings(AHEAD if decoder.token.device.waits else 0)
    while made < max_new_tokens or under_way:
        if position >= context or decoder.__dict__.get("owner") is not stream:  # or another text used the decoder between two tokens
            position = 0
        if made == max_new_tokens or position == 0 and under_way:  # a new prompt needs all tokens so far
            arrived = [under_way.pop()]
        else:
            with no_grad(), evaluating(model):
                if position == 0:
                    if decoder.__dict__.get("owner") is not stream:
                        decoder.owner = stream
                        decoder.generator.set_state(stream)
                        decoder.settings.copy_bytes_(_floats(temperature, top_k, top_p))
                    if len(ids) > context:
                        ids = ids[-max(1, context // 2) :]
                    drawn = decoder.prefill(ids, *watched)
                    # The first token comes as soon as it can.
                    arrived = under_way.push(drawn, decoder.read_logits() if watched else None) + under_way.drain()
                    position = len(ids)
                else:
                    drawn = decoder.step(*watched)
                    arrived = under_way.push(drawn, decoder.read_logits() if watched else None)
                    position += 1
            stream["offset"] = decoder.generator.offset
            made += 1
        for logits, token in arrived:
            ids.append(token)
            yield (token, array("f", logits.bytes())) if watched else token


def _floats(temperature, top_k, top_p):
    return array("f", [temperature, top_k, 0.0 if top_p >= 1.0 else top_p, 0.0])


def stream_text(model, tokenizer, prompt="\n", max_new_tokens=200, **options):
    """Like generate, from and to text: yields pieces of str as soon as they are complete characters."""
    decoder = StreamDecoder(tokenizer)
    for token in generate(model, tokenizer.encode(prompt), max_new_tokens, **options):
        piece = decoder.push(token)
        if piece:
            yield piece
    rest = decoder.flush()
    if rest:
        yield rest


def generate_text(model, tokenizer, prompt="\n", max_new_tokens=200, **options):
    """The whole continuation as one str."""
    return "".join(stream_text(model, tokenizer, prompt, max_new_tokens, **options))
