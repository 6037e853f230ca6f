"""Every message between the page, its worker and Python, with its fields.

The page and the worker post messages to each other; Python and the page exchange JSON through the
worker (app/worker/channel.js). `python3 -m tools.protocol_types` writes the same types for the
JavaScript to app/worker/protocol.js; tests/house/test_protocol.py holds the sources to both.
Nothing imports this module at run time: the annotations alone name it.
"""

from typing import Any, Generic, Literal, NotRequired, TypeAlias, TypedDict, TypeVar

Args = TypeVar("Args")
Answer = TypeVar("Answer")
Part = TypeVar("Part")

SharedArrayBuffer: TypeAlias = Any  # JavaScript's own types: such a value never comes to Python
Uint8Array: TypeAlias = Any

# ---- facts and settings that several messages hold ----


class DeviceFacts(TypedDict):
    """The device that computes: describe_device of tinygpt.training.device_selection."""

    device: str  # "wasm", "wasm64", "webgpu"
    build: str | None
    threads: int
    precision: NotRequired[str]


class UsedDevice(DeviceFacts):
    """The device after a choice."""

    problem: NotRequired[str]  # the sentence why it is not the chosen one


class StartFacts(DeviceFacts):
    """What Python says when it has started."""

    python: str
    missing: str | None  # the sentence why there is no extension


class WorkerFacts(StartFacts):
    """What the worker adds to it."""

    maxThreads: int
    unshared: str | None  # why there is no shared memory (app/bridges/shared_memory.js)
    jspi: bool
    wide: str | None  # the sentence why there is no 64-bit memory
    reason: str | None  # what the browser said about the extension


class GraphicsFacts(TypedDict):
    """The GPU, or why there is none."""

    missing: str | None
    name: str
    fallback: NotRequired[bool]  # a graphics adapter in software
    capabilities: NotRequired[list[str]]  # the precisions and features that it has
    canWait: bool  # Python can wait for it


class Wheel(TypedDict):
    """A wheel that the set-up placed, or the sentence why it did not."""

    name: str
    version: str
    imports: list[str]
    file: str
    bytes: int
    missing: str | None


class StartSettings(TypedDict):
    """What the worker gives to tinygpt_session.start."""

    wheels: list[Wheel]
    base: str  # the address of the page's folder
    extension: bool
    missing: str | None


class ExtensionOptions(TypedDict):
    """What loadExtension takes instead of its own choice."""

    variant: NotRequired[str]
    threads: NotRequired[int]


class PageProgram(TypedDict):
    """A program among the visitor's files; paths are those of the tree."""

    path: str
    arguments: str  # as in a shell
    folder: str  # in which it works; "": the tree's root


class RunOptions(TypedDict):
    """Options of a run of the editor's code."""

    settings: NotRequired[dict[str, Any] | None]  # the values of the page's inputs
    files: NotRequired[dict[str, str] | None]  # the editor's files
    paused: NotRequired[bool]  # pause before the first step
    resume: NotRequired[bool]  # resume the run before
    program: NotRequired[PageProgram | None]  # the source is one of the visitor's files


class Outcome(TypedDict):
    """How a run ended."""

    ok: bool
    status: Literal["finished", "stopped", "error", "incomplete"]
    error: str | None
    result: Any
    shown: NotRequired[str | None]
    file: NotRequired[str | None]  # of the editor, where the error happened
    line: NotRequired[int | None]
    device: NotRequired[DeviceFacts | None]


class Request(TypedDict):
    """A request of the page to Python, as a record or in a message."""

    id: int
    name: str  # of Requests
    args: str  # JSON (app/worker/json_text.js): what cannot be read fails alone


# ---- from the page to the worker ----


class BootMessage(TypedDict):
    """The first message: start Python."""

    type: Literal["boot"]
    channel: SharedArrayBuffer | None  # the ring of records to the page
    inbox: SharedArrayBuffer | None  # the ring of requests
    signal: SharedArrayBuffer | None  # the words that worker.js names
    life: str  # the lock that the worker holds for as long as it lives
    key: str  # every message of the worker carries it; code of the user does not know it
    extension: ExtensionOptions
    choice: str | None  # one of CHOICES; null: by preference


class RunMessage(TypedDict):
    """Run a source."""

    type: Literal["run"]
    id: int
    source: str
    mode: str  # "script", "console" or "call"
    options: RunOptions | None


class ChooseDeviceMessage(TypedDict):
    """The device that the user has chosen."""

    type: Literal["device"]
    choice: str


class InterruptMessage(TypedDict):
    """A Stop, for Python that waits in JavaScript."""

    type: Literal["interrupt"]
    id: int  # of the run
    entry: bool  # only the console entry that it answers


class RequestMessage(Request):
    """A request, where there is no shared memory."""

    type: Literal["request"]


class CancelMessage(TypedDict):
    """The answer to a request is no longer needed, where there is no shared memory."""

    type: Literal["cancel"]
    id: int


class WakeMessage(TypedDict):
    """There are requests in the ring."""

    type: Literal["wake"]


PageMessage: TypeAlias = (
    BootMessage
    | RunMessage
    | ChooseDeviceMessage
    | InterruptMessage
    | RequestMessage
    | CancelMessage
    | WakeMessage
)  # fmt: skip

# ---- from the worker to the page ----


class StageMessage(TypedDict):
    """What is being loaded."""

    type: Literal["stage"]
    name: str
    loaded: int  # bytes
    total: int  # bytes; 0: not known


class ReadyMessage(TypedDict):
    """Python has started."""

    type: Literal["ready"]
    device: WorkerFacts
    boot: dict[str, int]  # milliseconds of each part of the start


class HeldMessage(TypedDict):
    """The worker holds the lock of its life."""

    type: Literal["held"]


class BeatMessage(TypedDict):
    """The event loop turns, or Python looked for requests, where there is no shared memory."""

    type: Literal["beat"]


class FailedMessage(TypedDict):
    """Python could not be started, or came to an end."""

    type: Literal["failed"]
    message: str


class DrainMessage(TypedDict):
    """There are unread records in the ring."""

    type: Literal["drain"]


class OutputMessage(TypedDict):
    """Records, where there is no shared memory."""

    type: Literal["output"]
    records: list[tuple[int, str]]  # kind and text


class DoneMessage(Outcome):
    """A run has ended."""

    type: Literal["done"]
    id: int


class BytesMessage(TypedDict):
    """Bytes as the answer to a request."""

    type: Literal["bytes"]
    id: int
    bytes: Uint8Array
    about: NotRequired[str]  # JSON: the other fields of the answer


class GraphicsMessage(TypedDict):
    """The GPU has been opened, or could not be."""

    type: Literal["graphics"]
    facts: GraphicsFacts


class CurrentDeviceMessage(UsedDevice):
    """The device in use has changed while nothing ran."""

    type: Literal["device"]


class CompilingMessage(TypedDict):
    """The GPU's pipelines are being compiled."""

    type: Literal["compiling"]
    compiled: int
    total: int


WorkerMessage: TypeAlias = (
    StageMessage
    | ReadyMessage
    | HeldMessage
    | BeatMessage
    | FailedMessage
    | DrainMessage
    | OutputMessage
    | DoneMessage
    | BytesMessage
    | GraphicsMessage
    | CurrentDeviceMessage
    | CompilingMessage
)  # fmt: skip

# ---- training messages: records of the kind TRAINING ----


class TrainingStart(DeviceFacts):
    """A run begins or continues."""

    type: Literal["start"]
    name: str
    preset: str
    parameters: int
    steps: int
    eval_interval: int
    sample_interval: int
    batch_tokens: int
    train: dict[str, Any]  # TrainConfig
    vocab_size: int
    step: int
    corpus: str | None
    goes_on: bool  # it continues the run before
    resumable: NotRequired[bool]  # false: a program of plain PyTorch code, which begins anew


class TrainingStep(TypedDict):
    """A step."""

    type: Literal["step"]
    step: int
    loss: float
    lr: float | None
    ms: float
    grad_norm: NotRequired[float]
    metrics: NotRequired[dict[str, float | None]]  # of one's own, by name; null: not finite
    planned_bytes: NotRequired[int]  # of memory, of the recorded step


class TrainingEvaluation(TypedDict):
    """An evaluation."""

    type: Literal["eval"]
    step: int
    val_loss: float
    ms: float


class TrainingMetrics(TypedDict):
    """Numbers that belong to a step which has been made: scalars that a program logs."""

    type: Literal["metrics"]
    step: int
    metrics: dict[str, float | None]  # by tag; null: not finite


class TrainingMemory(TypedDict):
    """What a program of plain PyTorch code holds in memory."""

    type: Literal["memory"]
    device: str
    needs: int  # bytes, at most
    holds: int | None  # bytes
    parts: dict[str, int]  # bytes


class SampleStart(TypedDict):
    """A sample text begins."""

    type: Literal["sample_start"]
    step: int


class SamplePiece(TypedDict):
    """A piece of the sample text."""

    type: Literal["sample"]
    text: str


class SampleEnd(TypedDict):
    """The sample text has ended."""

    type: Literal["sample_end"]
    ms: float


class TrainingNote(TypedDict):
    """A sentence for the user."""

    type: Literal["note"]
    text: str


class TrainingDevice(DeviceFacts):
    """The run's device has changed."""

    type: Literal["device"]


class TrainingAdjusted(TypedDict):
    """Settings have changed: they apply from this step on."""

    type: Literal["adjusted"]
    step: int
    changes: dict[str, list[Any]]  # name: [before, after]
    steps: int
    eval_interval: int
    sample_interval: int


class TrainingApplied(TypedDict):
    """Edited code has come to its first step."""

    type: Literal["applied"]
    step: int
    notes: list[str]  # what did not carry over


class TrainingReverted(TypedDict):
    """Edited code failed: the version before continues."""

    type: Literal["reverted"]
    step: int
    arrived: bool  # the edited code had come to its first step
    error: str
    traceback: NotRequired[str]
    file: NotRequired[str | None]
    line: NotRequired[int | None]


class TrainingPaused(TypedDict):
    """The run waits."""

    type: Literal["paused"]
    step: int | None  # null: code without step boundaries


class TrainingResumed(TypedDict):
    """The run no longer waits."""

    type: Literal["resumed"]
    step: int | None


class TrainingFinish(TypedDict):
    """The run has ended."""

    type: Literal["finish"]
    step: int
    reason: Literal["done", "stopped", "error", "diverged"]  # diverged: the loss is not finite


TrainingMessage: TypeAlias = (
    TrainingStart
    | TrainingStep
    | TrainingEvaluation
    | TrainingMetrics
    | TrainingMemory
    | SampleStart
    | SamplePiece
    | SampleEnd
    | TrainingNote
    | TrainingDevice
    | TrainingAdjusted
    | TrainingApplied
    | TrainingReverted
    | TrainingPaused
    | TrainingResumed
    | TrainingFinish
)  # fmt: skip

# ---- answers to requests: records of the kind ANSWER ----


class PartRecord(TypedDict):
    """A part of an answer, ahead of it."""

    id: int
    part: Any


class ResultRecord(TypedDict):
    """An answer."""

    id: int
    ok: Literal[True]
    result: Any


class ErrorRecord(TypedDict):
    """An error instead of an answer."""

    id: int
    ok: Literal[False]
    error: str
    traceback: str
    file: str | None  # of the editor, where it happened
    line: int | None


class DisplayRecord(TypedDict):
    """A value as HTML or a picture, in its place among what is printed (kind DISPLAY)."""

    kind: Literal["html", "svg", "png"]
    content: str  # base64 of a PNG
    text: str  # the beginning of its repr
    step: int | None  # of the training loop that displays it


AnswerRecord: TypeAlias = PartRecord | ResultRecord | ErrorRecord

# ---- requests of the page to Python: each with its arguments, its answer and its parts ----


class NoArgs(TypedDict):
    """The request takes no arguments."""


class StepArgs(TypedDict):
    steps: NotRequired[int]  # 1 where absent


class StepAheadArgs(TypedDict):
    watch: NotRequired[bool]  # "step_made" will follow
    lines: NotRequired[bool]  # and say which lines the step executed


class GuessedRow(TypedDict):
    """A row of the batch. Of each guess: token, loss, the guess, its probability."""

    first: str  # the token that is given
    guesses: list[tuple[str, float | None, str, float | None]]


class StepAheadAnswer(TypedDict):
    step: int
    rows: list[GuessedRow] | None
    batch: int  # rows of the complete batch
    problem: str | None


class StepLayer(TypedDict):
    """Norms over all parameters of a layer."""

    name: str
    weights: float | None
    gradient: float | None
    update: float | None


class StepLine(TypedDict):
    """A line that the step executed. replayed: as it was recorded."""

    file: str
    line: int
    replayed: bool


class StepMadeAnswer(TypedDict):
    step: int
    layers: list[StepLayer]
    drew: bool  # the step drew the batch that was shown
    same: bool  # the model is the one that was watched
    lr: float | None
    loss: float | None
    lines: list[StepLine]


class ExportArgs(TypedDict):
    """Which file: of the current run, or made from a .tinygpt file. Of a program of plain PyTorch
    code it is one of torch.save, whatever is requested.
    """

    kind: NotRequired[Literal["tinygpt", "safetensors"]]
    optimizer: NotRequired[bool]  # with moments and step counts
    unsealed: NotRequired[bool]  # the store fills in data_sha256
    url: NotRequired[str]  # of the .tinygpt file


class UnsealedAnswer(TypedDict):
    """A file without data_sha256."""

    bytes: Uint8Array
    step: int
    ms: float


class ImportArgs(TypedDict):
    """A .tinygpt file that the page holds."""

    url: str
    name: NotRequired[str]  # of the run
    own: NotRequired[bool]  # one of the page's saved runs, whose model may be an edited one
    files: NotRequired[dict[str, str]]  # the editor's files of that run
    history: NotRequired[bool]  # the answer has the curve


class ImportAnswer(TypedDict):
    """What the file holds."""

    step: int
    optimizer: bool
    train: dict[str, Any] | None
    history: list[Any] | None  # [step, loss] and [step, null, validation loss]
    config: dict[str, Any]
    parameters: int


class PlaceProgramArgs(TypedDict):
    """A file of torch.save that the page holds: the state_dicts of a saved program."""

    url: str
    name: str  # of the run


class PlaceProgramAnswer(TypedDict):
    """The file that torch.load reads, and the names in it of what was saved."""

    path: str
    names: list[str]


class ApplyArgs(TypedDict):
    files: dict[str, str]


class AdjustArgs(TypedDict):
    settings: dict[str, Any]  # all that the run has, as in RunOptions


class ApplyAnswer(TypedDict):
    applied: bool  # false where no loop runs: the files compile
    notes: list[str]  # what did not carry over
    step: int | None


class EnterArgs(TypedDict):
    source: str


class EntryBegun(TypedDict):
    """The entry begins: the run waits for it."""

    begun: bool


class EntryAnswer(TypedDict):
    """How a console entry ended; "idle": nothing runs, so the page sends it as a run."""

    status: Literal["finished", "stopped", "error", "incomplete", "idle"]
    shown: str | None  # the value
    error: str | None  # the traceback


class EditorPlace(TypedDict):
    """A place in the editor; lines from 1, columns in characters from 0."""

    source: str
    line: int
    column: int
    file: NotRequired[str]


class CompletionOption(TypedDict):
    label: str
    type: Literal["function", "class", "module", "variable", "keyword"]
    boost: int
    detail: NotRequired[str]
    info: NotRequired[str]


class CompleteAnswer(TypedDict):
    options: list[CompletionOption]


class Description(TypedDict):
    label: str
    type: str | None
    signature: str | None
    value: str | None
    doc: str


class CheckArgs(TypedDict):
    source: str
    file: NotRequired[str]


class Diagnostic(TypedDict):
    line: int
    column: int
    end_column: int
    message: str
    severity: Literal["error", "warning"]


class GenerateArgs(TypedDict):
    """Settings of a generated text; TrainConfig's defaults where absent or null."""

    prompt: NotRequired[str]
    tokens: NotRequired[int | None]
    temperature: NotRequired[float | None]
    top_k: NotRequired[int | None]
    top_p: NotRequired[float | None]
    seed: NotRequired[int | str | None]


class GeneratedToken(TypedDict):
    id: int
    text: str  # "" while a UTF-8 character is only half there
    probability: float
    top: list[list[str | float]]  # the ten likeliest: text and probability
    ms: float  # since the request


class GenerateAnswer(TypedDict):
    tokens: int
    text: str  # what was left in the decoder
    stopped: bool
    seed: int | str
    seconds: float
    first_token_ms: float
    tokens_per_s: float | None  # after the first token
    step: int  # of the run


class PromptArgs(TypedDict):
    prompt: NotRequired[str | None]


class PromptFacts(TypedDict):
    """The tokens of the prompt that are shown."""

    tokens: list[str]
    cut: int  # tokens left out at the front
    limit: int


class AttentionLayer(TypedDict):
    layer: int
    heads: list[str]  # base64 of little-endian uint16


class AttentionAnswer(PromptFacts):
    layers: int
    heads: int
    step: int


class LensArgs(PromptArgs):
    top: NotRequired[int | None]


class LensAnswer(PromptFacts):
    layers: list[str]
    rows: list[Any]  # [layer][position][rank] = [text, probability]
    step: int


class WeightsArgs(TypedDict):
    histograms: NotRequired[list[str] | None]  # names of parameters; absent: all


class WeightsAnswer(TypedDict):
    parameters: list[dict[str, Any]]  # tinygpt.inspect.weight_report
    step: int


class PartsArgs(TypedDict):
    shape: NotRequired[dict[str, Any] | None]  # of ModelConfig; absent: the run's model


class PartSource(TypedDict):
    """Lines of a file of the editor, both included."""

    file: str
    first: int
    last: int


class ModelPart(TypedDict):
    """A module: tinygpt.tools.parts.Part."""

    path: str
    name: str
    kind: str
    sizes: list[int]
    parameters: int
    shared: str | None
    repeats: int
    source: PartSource | None
    parts: list[Any]  # of ModelPart


class PartsAnswer(TypedDict):
    root: ModelPart
    parameters: int  # the model's own count
    config: dict[str, Any] | None  # of ModelConfig
    step: int | None  # of the run; null: the model was made for the answer


class PlanArgs(TypedDict):
    settings: dict[str, Any]
    shape: NotRequired[dict[str, Any] | None]  # fields that the code has otherwise
    machine: NotRequired[float | None]  # GiB of memory that the browser reports
    budget: NotRequired[int | None]  # bytes that a run may take in a tab of this class of device
    probe: NotRequired[bool]  # a GPU's memory is tried


class PlanAnswer(TypedDict):
    device: str
    needs: int  # bytes
    holds: int | None  # bytes
    parts: dict[str, int]  # bytes
    refused: str | None  # the sentence why the run cannot fit


class RecommendArgs(TypedDict):
    seconds: NotRequired[float]


class RecommendPart(TypedDict):
    measuring: str  # the preset


class RecommendAnswer(TypedDict):
    preset: str
    settings: dict[str, Any]
    loss: float
    seconds: float
    ms: dict[str, float]  # of a step of each measured preset


class ReportPart(TypedDict):
    stage: str  # what is being done


class EstimateArgs(TypedDict):
    settings: dict[str, Any]  # as in RunOptions
    loaded: NotRequired[bool]  # the run continues the loaded model


class EstimateAnswer(TypedDict):
    seconds: float


class MeasureArgs(TypedDict):
    preset: str
    device: str  # one of CHOICES
    threads: NotRequired[int | None]


class ColdMeasurement(TypedDict):
    """A model from nothing."""

    first_step_s: float
    losses: list[float]
    generation_tokens_per_s: float
    first_token_ms: float


class MeasureStepsArgs(MeasureArgs):
    steps: int


class MeasureKernelsArgs(TypedDict):
    preset: str
    threads: NotRequired[int | None]


class RooflineArgs(TypedDict):
    rows: list[dict[str, Any]]  # of "measure kernels"
    peaks: dict[str, Any]


class OwnText(TypedDict):
    """A text that the page holds."""

    name: str
    url: str
    note: str | None
    bytes: int


class TextsArgs(TypedDict):
    texts: list[OwnText]


class PageFile(TypedDict):
    """A file of the visitor's tree."""

    path: str
    version: str  # another one where the content is another


class FilesArgs(TypedDict):
    files: list[PageFile]


class PlacedFile(PageFile):
    """A file whose content is placed."""

    bytes: int


class PlaceFilesArgs(TypedDict):
    url: str
    files: list[PlacedFile]


class WrittenFile(TypedDict):
    """A file that code has written."""

    path: str
    bytes: int


class TokenizerAnswer(TypedDict):
    kind: str  # "bytes" or "chars"
    vocab_size: int


class Call(TypedDict, Generic[Args, Answer, Part]):
    """The types of one request."""

    args: Args
    answer: Answer
    part: Part


Requests = TypedDict(
    "Requests",
    {
        "pause": Call[NoArgs, None, None],
        "resume": Call[NoArgs, None, None],
        "step": Call[StepArgs, None, None],
        "step_ahead": Call[StepAheadArgs, StepAheadAnswer, None],
        "step_made": Call[NoArgs, StepMadeAnswer, None],
        "apply": Call[ApplyArgs, ApplyAnswer, None],
        "adjust": Call[AdjustArgs, None, None],
        "reset": Call[NoArgs, None, None],
        "export": Call[ExportArgs, Uint8Array | UnsealedAnswer, None],
        "import": Call[ImportArgs, ImportAnswer, None],
        "place program": Call[PlaceProgramArgs, PlaceProgramAnswer, None],
        "enter": Call[EnterArgs, EntryAnswer, EntryBegun],
        "complete": Call[EditorPlace, CompleteAnswer, None],
        "describe": Call[EditorPlace, Description | None, None],
        "check": Call[CheckArgs, list[Diagnostic], None],
        "generate": Call[GenerateArgs, GenerateAnswer, GeneratedToken],
        "inspect_attention": Call[PromptArgs, AttentionAnswer, AttentionLayer],
        "inspect_lens": Call[LensArgs, LensAnswer, None],
        "inspect_weights": Call[WeightsArgs, WeightsAnswer, None],
        "model_parts": Call[PartsArgs, PartsAnswer, None],
        "plan": Call[PlanArgs, PlanAnswer, None],
        "recommend": Call[RecommendArgs, RecommendAnswer, RecommendPart],
        "estimate": Call[EstimateArgs, EstimateAnswer, None],
        "gpu report": Call[NoArgs, str, ReportPart],
        "measure cold": Call[MeasureArgs, ColdMeasurement, None],
        "measure steps": Call[MeasureStepsArgs, dict[str, Any], None],  # benchmark.step_times
        "measure forget": Call[NoArgs, None, None],
        "measure kernels": Call[MeasureKernelsArgs, dict[str, Any], None],  # roofline.step_rates
        "measure roofline": Call[RooflineArgs, list[dict[str, Any]], None],
        "texts": Call[TextsArgs, list[str], None],
        "files": Call[FilesArgs, list[str], None],
        "place files": Call[PlaceFilesArgs, None, None],
        "written files": Call[NoArgs, list[WrittenFile], None],
        "read file": Call[PageFile, Uint8Array, None],
        "tokenizer": Call[NoArgs, TokenizerAnswer, None],
    },
)
