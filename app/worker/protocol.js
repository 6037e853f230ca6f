// @ts-check
// Every message between the page, its worker and Python, with its fields: the types alone.
//
// `python3 -m tools.protocol_types` writes this file from py/tinygpt_session/protocol.py.

/**
 * The device that computes: describe_device of tinygpt.training.device_selection.
 *
 * @typedef {object} DeviceFacts
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 */

/**
 * The device after a choice.
 *
 * @typedef {object} UsedDevice
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 * @property {string} [problem]  the sentence why it is not the chosen one
 */

/**
 * What Python says when it has started.
 *
 * @typedef {object} StartFacts
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 * @property {string} python
 * @property {string | null} missing  the sentence why there is no extension
 */

/**
 * What the worker adds to it.
 *
 * @typedef {object} WorkerFacts
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 * @property {string} python
 * @property {string | null} missing  the sentence why there is no extension
 * @property {number} maxThreads
 * @property {string | null} unshared  why there is no shared memory (app/bridges/shared_memory.js)
 * @property {boolean} jspi
 * @property {string | null} wide  the sentence why there is no 64-bit memory
 * @property {string | null} reason  what the browser said about the extension
 */

/**
 * The GPU, or why there is none.
 *
 * @typedef {object} GraphicsFacts
 * @property {string | null} missing
 * @property {string} name
 * @property {boolean} [fallback]  a graphics adapter in software
 * @property {Array<string>} [capabilities]  the precisions and features that it has
 * @property {boolean} canWait  Python can wait for it
 */

/**
 * A wheel that the set-up placed, or the sentence why it did not.
 *
 * @typedef {object} Wheel
 * @property {string} name
 * @property {string} version
 * @property {Array<string>} imports
 * @property {string} file
 * @property {number} bytes
 * @property {string | null} missing
 */

/**
 * What the worker gives to tinygpt_session.start.
 *
 * @typedef {object} StartSettings
 * @property {Array<Wheel>} wheels
 * @property {string} base  the address of the page's folder
 * @property {boolean} extension
 * @property {string | null} missing
 */

/**
 * What loadExtension takes instead of its own choice.
 *
 * @typedef {object} ExtensionOptions
 * @property {string} [variant]
 * @property {number} [threads]
 */

/**
 * A program among the visitor's files; paths are those of the tree.
 *
 * @typedef {object} PageProgram
 * @property {string} path
 * @property {string} arguments  as in a shell
 * @property {string} folder  in which it works; "": the tree's root
 */

/**
 * Options of a run of the editor's code.
 *
 * @typedef {object} RunOptions
 * @property {Record<string, any> | null} [settings]  the values of the page's inputs
 * @property {Record<string, string> | null} [files]  the editor's files
 * @property {boolean} [paused]  pause before the first step
 * @property {boolean} [resume]  resume the run before
 * @property {PageProgram | null} [program]  the source is one of the visitor's files
 */

/**
 * How a run ended.
 *
 * @typedef {object} Outcome
 * @property {boolean} ok
 * @property {"finished" | "stopped" | "error" | "incomplete"} status
 * @property {string | null} error
 * @property {any} result
 * @property {string | null} [shown]
 * @property {string | null} [file]  of the editor, where the error happened
 * @property {number | null} [line]
 * @property {DeviceFacts | null} [device]
 */

/**
 * A request of the page to Python, as a record or in a message.
 *
 * @typedef {object} Request
 * @property {number} id
 * @property {string} name  of Requests
 * @property {string} args  JSON (app/worker/json_text.js): what cannot be read fails alone
 */

/**
 * The first message: start Python.
 *
 * @typedef {object} BootMessage
 * @property {"boot"} type
 * @property {SharedArrayBuffer | null} channel  the ring of records to the page
 * @property {SharedArrayBuffer | null} inbox  the ring of requests
 * @property {SharedArrayBuffer | null} signal  the words that worker.js names
 * @property {string} life  the lock that the worker holds for as long as it lives
 * @property {string} key  every message of the worker carries it; code of the user does not know it
 * @property {ExtensionOptions} extension
 * @property {string | null} choice  one of CHOICES; null: by preference
 */

/**
 * Run a source.
 *
 * @typedef {object} RunMessage
 * @property {"run"} type
 * @property {number} id
 * @property {string} source
 * @property {string} mode  "script", "console" or "call"
 * @property {RunOptions | null} options
 */

/**
 * The device that the user has chosen.
 *
 * @typedef {object} ChooseDeviceMessage
 * @property {"device"} type
 * @property {string} choice
 */

/**
 * A Stop, for Python that waits in JavaScript.
 *
 * @typedef {object} InterruptMessage
 * @property {"interrupt"} type
 * @property {number} id  of the run
 * @property {boolean} entry  only the console entry that it answers
 */

/**
 * A request, where there is no shared memory.
 *
 * @typedef {object} RequestMessage
 * @property {number} id
 * @property {string} name  of Requests
 * @property {string} args  JSON (app/worker/json_text.js): what cannot be read fails alone
 * @property {"request"} type
 */

/**
 * The answer to a request is no longer needed, where there is no shared memory.
 *
 * @typedef {object} CancelMessage
 * @property {"cancel"} type
 * @property {number} id
 */

/**
 * There are requests in the ring.
 *
 * @typedef {object} WakeMessage
 * @property {"wake"} type
 */

/**
 * What is being loaded.
 *
 * @typedef {object} StageMessage
 * @property {"stage"} type
 * @property {string} name
 * @property {number} loaded  bytes
 * @property {number} total  bytes; 0: not known
 */

/**
 * Python has started.
 *
 * @typedef {object} ReadyMessage
 * @property {"ready"} type
 * @property {WorkerFacts} device
 * @property {Record<string, number>} boot  milliseconds of each part of the start
 */

/**
 * The worker holds the lock of its life.
 *
 * @typedef {object} HeldMessage
 * @property {"held"} type
 */

/**
 * The event loop turns, or Python looked for requests, where there is no shared memory.
 *
 * @typedef {object} BeatMessage
 * @property {"beat"} type
 */

/**
 * Python could not be started, or came to an end.
 *
 * @typedef {object} FailedMessage
 * @property {"failed"} type
 * @property {string} message
 */

/**
 * There are unread records in the ring.
 *
 * @typedef {object} DrainMessage
 * @property {"drain"} type
 */

/**
 * Records, where there is no shared memory.
 *
 * @typedef {object} OutputMessage
 * @property {"output"} type
 * @property {Array<[number, string]>} records  kind and text
 */

/**
 * A run has ended.
 *
 * @typedef {object} DoneMessage
 * @property {boolean} ok
 * @property {"finished" | "stopped" | "error" | "incomplete"} status
 * @property {string | null} error
 * @property {any} result
 * @property {string | null} [shown]
 * @property {string | null} [file]  of the editor, where the error happened
 * @property {number | null} [line]
 * @property {DeviceFacts | null} [device]
 * @property {"done"} type
 * @property {number} id
 */

/**
 * Bytes as the answer to a request.
 *
 * @typedef {object} BytesMessage
 * @property {"bytes"} type
 * @property {number} id
 * @property {Uint8Array} bytes
 * @property {string} [about]  JSON: the other fields of the answer
 */

/**
 * The GPU has been opened, or could not be.
 *
 * @typedef {object} GraphicsMessage
 * @property {"graphics"} type
 * @property {GraphicsFacts} facts
 */

/**
 * The device in use has changed while nothing ran.
 *
 * @typedef {object} CurrentDeviceMessage
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 * @property {string} [problem]  the sentence why it is not the chosen one
 * @property {"device"} type
 */

/**
 * The GPU's pipelines are being compiled.
 *
 * @typedef {object} CompilingMessage
 * @property {"compiling"} type
 * @property {number} compiled
 * @property {number} total
 */

/**
 * A run begins or continues.
 *
 * @typedef {object} TrainingStart
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 * @property {"start"} type
 * @property {string} name
 * @property {string} preset
 * @property {number} parameters
 * @property {number} steps
 * @property {number} eval_interval
 * @property {number} sample_interval
 * @property {number} batch_tokens
 * @property {Record<string, any>} train  TrainConfig
 * @property {number} vocab_size
 * @property {number} step
 * @property {string | null} corpus
 * @property {boolean} goes_on  it continues the run before
 * @property {boolean} [resumable]  false: a program of plain PyTorch code, which begins anew
 */

/**
 * A step.
 *
 * @typedef {object} TrainingStep
 * @property {"step"} type
 * @property {number} step
 * @property {number} loss
 * @property {number | null} lr
 * @property {number} ms
 * @property {number} [grad_norm]
 * @property {Record<string, number | null>} [metrics]  of one's own, by name; null: not finite
 * @property {number} [planned_bytes]  of memory, of the recorded step
 */

/**
 * An evaluation.
 *
 * @typedef {object} TrainingEvaluation
 * @property {"eval"} type
 * @property {number} step
 * @property {number} val_loss
 * @property {number} ms
 */

/**
 * Numbers that belong to a step which has been made: scalars that a program logs.
 *
 * @typedef {object} TrainingMetrics
 * @property {"metrics"} type
 * @property {number} step
 * @property {Record<string, number | null>} metrics  by tag; null: not finite
 */

/**
 * What a program of plain PyTorch code holds in memory.
 *
 * @typedef {object} TrainingMemory
 * @property {"memory"} type
 * @property {string} device
 * @property {number} needs  bytes, at most
 * @property {number | null} holds  bytes
 * @property {Record<string, number>} parts  bytes
 */

/**
 * A sample text begins.
 *
 * @typedef {object} SampleStart
 * @property {"sample_start"} type
 * @property {number} step
 */

/**
 * A piece of the sample text.
 *
 * @typedef {object} SamplePiece
 * @property {"sample"} type
 * @property {string} text
 */

/**
 * The sample text has ended.
 *
 * @typedef {object} SampleEnd
 * @property {"sample_end"} type
 * @property {number} ms
 */

/**
 * A sentence for the user.
 *
 * @typedef {object} TrainingNote
 * @property {"note"} type
 * @property {string} text
 */

/**
 * The run's device has changed.
 *
 * @typedef {object} TrainingDevice
 * @property {string} device  "wasm", "wasm64", "webgpu"
 * @property {string | null} build
 * @property {number} threads
 * @property {string} [precision]
 * @property {"device"} type
 */

/**
 * Settings have changed: they apply from this step on.
 *
 * @typedef {object} TrainingAdjusted
 * @property {"adjusted"} type
 * @property {number} step
 * @property {Record<string, Array<any>>} changes  name: [before, after]
 * @property {number} steps
 * @property {number} eval_interval
 * @property {number} sample_interval
 */

/**
 * Edited code has come to its first step.
 *
 * @typedef {object} TrainingApplied
 * @property {"applied"} type
 * @property {number} step
 * @property {Array<string>} notes  what did not carry over
 */

/**
 * Edited code failed: the version before continues.
 *
 * @typedef {object} TrainingReverted
 * @property {"reverted"} type
 * @property {number} step
 * @property {boolean} arrived  the edited code had come to its first step
 * @property {string} error
 * @property {string} [traceback]
 * @property {string | null} [file]
 * @property {number | null} [line]
 */

/**
 * The run waits.
 *
 * @typedef {object} TrainingPaused
 * @property {"paused"} type
 * @property {number | null} step  null: code without step boundaries
 */

/**
 * The run no longer waits.
 *
 * @typedef {object} TrainingResumed
 * @property {"resumed"} type
 * @property {number | null} step
 */

/**
 * The run has ended.
 *
 * @typedef {object} TrainingFinish
 * @property {"finish"} type
 * @property {number} step
 * @property {"done" | "stopped" | "error" | "diverged"} reason  diverged: the loss is not finite
 */

/**
 * A part of an answer, ahead of it.
 *
 * @typedef {object} PartRecord
 * @property {number} id
 * @property {any} part
 */

/**
 * An answer.
 *
 * @typedef {object} ResultRecord
 * @property {number} id
 * @property {true} ok
 * @property {any} result
 */

/**
 * An error instead of an answer.
 *
 * @typedef {object} ErrorRecord
 * @property {number} id
 * @property {false} ok
 * @property {string} error
 * @property {string} traceback
 * @property {string | null} file  of the editor, where it happened
 * @property {number | null} line
 */

/**
 * A value as HTML or a picture, in its place among what is printed (kind DISPLAY).
 *
 * @typedef {object} DisplayRecord
 * @property {"html" | "svg" | "png"} kind
 * @property {string} content  base64 of a PNG
 * @property {string} text  the beginning of its repr
 * @property {number | null} step  of the training loop that displays it
 */

/**
 * The request takes no arguments.
 *
 * @typedef {{}} NoArgs
 */

/**
 * @typedef {object} StepArgs
 * @property {number} [steps]  1 where absent
 */

/**
 * @typedef {object} StepAheadArgs
 * @property {boolean} [watch]  "step_made" will follow
 * @property {boolean} [lines]  and say which lines the step executed
 */

/**
 * A row of the batch. Of each guess: token, loss, the guess, its probability.
 *
 * @typedef {object} GuessedRow
 * @property {string} first  the token that is given
 * @property {Array<[string, number | null, string, number | null]>} guesses
 */

/**
 * @typedef {object} StepAheadAnswer
 * @property {number} step
 * @property {Array<GuessedRow> | null} rows
 * @property {number} batch  rows of the complete batch
 * @property {string | null} problem
 */

/**
 * Norms over all parameters of a layer.
 *
 * @typedef {object} StepLayer
 * @property {string} name
 * @property {number | null} weights
 * @property {number | null} gradient
 * @property {number | null} update
 */

/**
 * A line that the step executed. replayed: as it was recorded.
 *
 * @typedef {object} StepLine
 * @property {string} file
 * @property {number} line
 * @property {boolean} replayed
 */

/**
 * @typedef {object} StepMadeAnswer
 * @property {number} step
 * @property {Array<StepLayer>} layers
 * @property {boolean} drew  the step drew the batch that was shown
 * @property {boolean} same  the model is the one that was watched
 * @property {number | null} lr
 * @property {number | null} loss
 * @property {Array<StepLine>} lines
 */

/**
 * Which file: of the current run, or made from a .tinygpt file. Of a program of plain PyTorch
code it is one of torch.save, whatever is requested.
 *
 * @typedef {object} ExportArgs
 * @property {"tinygpt" | "safetensors"} [kind]
 * @property {boolean} [optimizer]  with moments and step counts
 * @property {boolean} [unsealed]  the store fills in data_sha256
 * @property {string} [url]  of the .tinygpt file
 */

/**
 * A file without data_sha256.
 *
 * @typedef {object} UnsealedAnswer
 * @property {Uint8Array} bytes
 * @property {number} step
 * @property {number} ms
 */

/**
 * A .tinygpt file that the page holds.
 *
 * @typedef {object} ImportArgs
 * @property {string} url
 * @property {string} [name]  of the run
 * @property {boolean} [own]  one of the page's saved runs, whose model may be an edited one
 * @property {Record<string, string>} [files]  the editor's files of that run
 * @property {boolean} [history]  the answer has the curve
 */

/**
 * What the file holds.
 *
 * @typedef {object} ImportAnswer
 * @property {number} step
 * @property {boolean} optimizer
 * @property {Record<string, any> | null} train
 * @property {Array<any> | null} history  [step, loss] and [step, null, validation loss]
 * @property {Record<string, any>} config
 * @property {number} parameters
 */

/**
 * A file of torch.save that the page holds: the state_dicts of a saved program.
 *
 * @typedef {object} PlaceProgramArgs
 * @property {string} url
 * @property {string} name  of the run
 */

/**
 * The file that torch.load reads, and the names in it of what was saved.
 *
 * @typedef {object} PlaceProgramAnswer
 * @property {string} path
 * @property {Array<string>} names
 */

/**
 * @typedef {object} ApplyArgs
 * @property {Record<string, string>} files
 */

/**
 * @typedef {object} AdjustArgs
 * @property {Record<string, any>} settings  all that the run has, as in RunOptions
 */

/**
 * @typedef {object} ApplyAnswer
 * @property {boolean} applied  false where no loop runs: the files compile
 * @property {Array<string>} notes  what did not carry over
 * @property {number | null} step
 */

/**
 * @typedef {object} EnterArgs
 * @property {string} source
 */

/**
 * The entry begins: the run waits for it.
 *
 * @typedef {object} EntryBegun
 * @property {boolean} begun
 */

/**
 * How a console entry ended; "idle": nothing runs, so the page sends it as a run.
 *
 * @typedef {object} EntryAnswer
 * @property {"finished" | "stopped" | "error" | "incomplete" | "idle"} status
 * @property {string | null} shown  the value
 * @property {string | null} error  the traceback
 */

/**
 * A place in the editor; lines from 1, columns in characters from 0.
 *
 * @typedef {object} EditorPlace
 * @property {string} source
 * @property {number} line
 * @property {number} column
 * @property {string} [file]
 */

/**
 * @typedef {object} CompletionOption
 * @property {string} label
 * @property {"function" | "class" | "module" | "variable" | "keyword"} type
 * @property {number} boost
 * @property {string} [detail]
 * @property {string} [info]
 */

/**
 * @typedef {object} CompleteAnswer
 * @property {Array<CompletionOption>} options
 */

/**
 * @typedef {object} Description
 * @property {string} label
 * @property {string | null} type
 * @property {string | null} signature
 * @property {string | null} value
 * @property {string} doc
 */

/**
 * @typedef {object} CheckArgs
 * @property {string} source
 * @property {string} [file]
 */

/**
 * @typedef {object} Diagnostic
 * @property {number} line
 * @property {number} column
 * @property {number} end_column
 * @property {string} message
 * @property {"error" | "warning"} severity
 */

/**
 * Settings of a generated text; TrainConfig's defaults where absent or null.
 *
 * @typedef {object} GenerateArgs
 * @property {string} [prompt]
 * @property {number | null} [tokens]
 * @property {number | null} [temperature]
 * @property {number | null} [top_k]
 * @property {number | null} [top_p]
 * @property {number | string | null} [seed]
 */

/**
 * @typedef {object} GeneratedToken
 * @property {number} id
 * @property {string} text  "" while a UTF-8 character is only half there
 * @property {number} probability
 * @property {Array<Array<string | number>>} top  the ten likeliest: text and probability
 * @property {number} ms  since the request
 */

/**
 * @typedef {object} GenerateAnswer
 * @property {number} tokens
 * @property {string} text  what was left in the decoder
 * @property {boolean} stopped
 * @property {number | string} seed
 * @property {number} seconds
 * @property {number} first_token_ms
 * @property {number | null} tokens_per_s  after the first token
 * @property {number} step  of the run
 */

/**
 * @typedef {object} PromptArgs
 * @property {string | null} [prompt]
 */

/**
 * The tokens of the prompt that are shown.
 *
 * @typedef {object} PromptFacts
 * @property {Array<string>} tokens
 * @property {number} cut  tokens left out at the front
 * @property {number} limit
 */

/**
 * @typedef {object} AttentionLayer
 * @property {number} layer
 * @property {Array<string>} heads  base64 of little-endian uint16
 */

/**
 * @typedef {object} AttentionAnswer
 * @property {Array<string>} tokens
 * @property {number} cut  tokens left out at the front
 * @property {number} limit
 * @property {number} layers
 * @property {number} heads
 * @property {number} step
 */

/**
 * @typedef {object} LensArgs
 * @property {string | null} [prompt]
 * @property {number | null} [top]
 */

/**
 * @typedef {object} LensAnswer
 * @property {Array<string>} tokens
 * @property {number} cut  tokens left out at the front
 * @property {number} limit
 * @property {Array<string>} layers
 * @property {Array<any>} rows  [layer][position][rank] = [text, probability]
 * @property {number} step
 */

/**
 * @typedef {object} WeightsArgs
 * @property {Array<string> | null} [histograms]  names of parameters; absent: all
 */

/**
 * @typedef {object} WeightsAnswer
 * @property {Array<Record<string, any>>} parameters  tinygpt.inspect.weight_report
 * @property {number} step
 */

/**
 * @typedef {object} PartsArgs
 * @property {Record<string, any> | null} [shape]  of ModelConfig; absent: the run's model
 */

/**
 * Lines of a file of the editor, both included.
 *
 * @typedef {object} PartSource
 * @property {string} file
 * @property {number} first
 * @property {number} last
 */

/**
 * A module: tinygpt.tools.parts.Part.
 *
 * @typedef {object} ModelPart
 * @property {string} path
 * @property {string} name
 * @property {string} kind
 * @property {Array<number>} sizes
 * @property {number} parameters
 * @property {string | null} shared
 * @property {number} repeats
 * @property {PartSource | null} source
 * @property {Array<any>} parts  of ModelPart
 */

/**
 * @typedef {object} PartsAnswer
 * @property {ModelPart} root
 * @property {number} parameters  the model's own count
 * @property {Record<string, any> | null} config  of ModelConfig
 * @property {number | null} step  of the run; null: the model was made for the answer
 */

/**
 * @typedef {object} PlanArgs
 * @property {Record<string, any>} settings
 * @property {Record<string, any> | null} [shape]  fields that the code has otherwise
 * @property {number | null} [machine]  GiB of memory that the browser reports
 * @property {number | null} [budget]  bytes that a run may take in a tab of this class of device
 * @property {boolean} [probe]  a GPU's memory is tried
 */

/**
 * @typedef {object} PlanAnswer
 * @property {string} device
 * @property {number} needs  bytes
 * @property {number | null} holds  bytes
 * @property {Record<string, number>} parts  bytes
 * @property {string | null} refused  the sentence why the run cannot fit
 */

/**
 * @typedef {object} RecommendArgs
 * @property {number} [seconds]
 */

/**
 * @typedef {object} RecommendPart
 * @property {string} measuring  the preset
 */

/**
 * @typedef {object} RecommendAnswer
 * @property {string} preset
 * @property {Record<string, any>} settings
 * @property {number} loss
 * @property {number} seconds
 * @property {Record<string, number>} ms  of a step of each measured preset
 */

/**
 * @typedef {object} ReportPart
 * @property {string} stage  what is being done
 */

/**
 * @typedef {object} EstimateArgs
 * @property {Record<string, any>} settings  as in RunOptions
 * @property {boolean} [loaded]  the run continues the loaded model
 */

/**
 * @typedef {object} EstimateAnswer
 * @property {number} seconds
 */

/**
 * @typedef {object} MeasureArgs
 * @property {string} preset
 * @property {string} device  one of CHOICES
 * @property {number | null} [threads]
 */

/**
 * A model from nothing.
 *
 * @typedef {object} ColdMeasurement
 * @property {number} first_step_s
 * @property {Array<number>} losses
 * @property {number} generation_tokens_per_s
 * @property {number} first_token_ms
 */

/**
 * @typedef {object} MeasureStepsArgs
 * @property {string} preset
 * @property {string} device  one of CHOICES
 * @property {number | null} [threads]
 * @property {number} steps
 */

/**
 * @typedef {object} MeasureKernelsArgs
 * @property {string} preset
 * @property {number | null} [threads]
 */

/**
 * @typedef {object} RooflineArgs
 * @property {Array<Record<string, any>>} rows  of "measure kernels"
 * @property {Record<string, any>} peaks
 */

/**
 * A text that the page holds.
 *
 * @typedef {object} OwnText
 * @property {string} name
 * @property {string} url
 * @property {string | null} note
 * @property {number} bytes
 */

/**
 * @typedef {object} TextsArgs
 * @property {Array<OwnText>} texts
 */

/**
 * A file of the visitor's tree.
 *
 * @typedef {object} PageFile
 * @property {string} path
 * @property {string} version  another one where the content is another
 */

/**
 * @typedef {object} FilesArgs
 * @property {Array<PageFile>} files
 */

/**
 * A file whose content is placed.
 *
 * @typedef {object} PlacedFile
 * @property {string} path
 * @property {string} version  another one where the content is another
 * @property {number} bytes
 */

/**
 * @typedef {object} PlaceFilesArgs
 * @property {string} url
 * @property {Array<PlacedFile>} files
 */

/**
 * A file that code has written.
 *
 * @typedef {object} WrittenFile
 * @property {string} path
 * @property {number} bytes
 */

/**
 * @typedef {object} TokenizerAnswer
 * @property {string} kind  "bytes" or "chars"
 * @property {number} vocab_size
 */

/**
 * @typedef {
 *   | BootMessage
 *   | RunMessage
 *   | ChooseDeviceMessage
 *   | InterruptMessage
 *   | RequestMessage
 *   | CancelMessage
 *   | WakeMessage
 * } PageMessage
 */

/**
 * @typedef {
 *   | StageMessage
 *   | ReadyMessage
 *   | HeldMessage
 *   | BeatMessage
 *   | FailedMessage
 *   | DrainMessage
 *   | OutputMessage
 *   | DoneMessage
 *   | BytesMessage
 *   | GraphicsMessage
 *   | CurrentDeviceMessage
 *   | CompilingMessage
 * } WorkerMessage
 */

/**
 * @typedef {
 *   | TrainingStart
 *   | TrainingStep
 *   | TrainingEvaluation
 *   | TrainingMetrics
 *   | TrainingMemory
 *   | SampleStart
 *   | SamplePiece
 *   | SampleEnd
 *   | TrainingNote
 *   | TrainingDevice
 *   | TrainingAdjusted
 *   | TrainingApplied
 *   | TrainingReverted
 *   | TrainingPaused
 *   | TrainingResumed
 *   | TrainingFinish
 * } TrainingMessage
 */

/**
 * @typedef {
 *   | PartRecord
 *   | ResultRecord
 *   | ErrorRecord
 * } AnswerRecord
 */

/**
 * The types of each request: its arguments, its answer, a part that comes ahead of the answer.
 *
 * @typedef {{
 *   "pause": { args: NoArgs, answer: null, part: null },
 *   "resume": { args: NoArgs, answer: null, part: null },
 *   "step": { args: StepArgs, answer: null, part: null },
 *   "step_ahead": { args: StepAheadArgs, answer: StepAheadAnswer, part: null },
 *   "step_made": { args: NoArgs, answer: StepMadeAnswer, part: null },
 *   "apply": { args: ApplyArgs, answer: ApplyAnswer, part: null },
 *   "adjust": { args: AdjustArgs, answer: null, part: null },
 *   "reset": { args: NoArgs, answer: null, part: null },
 *   "export": { args: ExportArgs, answer: Uint8Array | UnsealedAnswer, part: null },
 *   "import": { args: ImportArgs, answer: ImportAnswer, part: null },
 *   "place program": { args: PlaceProgramArgs, answer: PlaceProgramAnswer, part: null },
 *   "enter": { args: EnterArgs, answer: EntryAnswer, part: EntryBegun },
 *   "complete": { args: EditorPlace, answer: CompleteAnswer, part: null },
 *   "describe": { args: EditorPlace, answer: Description | null, part: null },
 *   "check": { args: CheckArgs, answer: Array<Diagnostic>, part: null },
 *   "generate": { args: GenerateArgs, answer: GenerateAnswer, part: GeneratedToken },
 *   "inspect_attention": { args: PromptArgs, answer: AttentionAnswer, part: AttentionLayer },
 *   "inspect_lens": { args: LensArgs, answer: LensAnswer, part: null },
 *   "inspect_weights": { args: WeightsArgs, answer: WeightsAnswer, part: null },
 *   "model_parts": { args: PartsArgs, answer: PartsAnswer, part: null },
 *   "plan": { args: PlanArgs, answer: PlanAnswer, part: null },
 *   "recommend": { args: RecommendArgs, answer: RecommendAnswer, part: RecommendPart },
 *   "estimate": { args: EstimateArgs, answer: EstimateAnswer, part: null },
 *   "gpu report": { args: NoArgs, answer: string, part: ReportPart },
 *   "measure cold": { args: MeasureArgs, answer: ColdMeasurement, part: null },
 *   "measure steps": { args: MeasureStepsArgs, answer: Record<string, any>, part: null },
 *   "measure forget": { args: NoArgs, answer: null, part: null },
 *   "measure kernels": { args: MeasureKernelsArgs, answer: Record<string, any>, part: null },
 *   "measure roofline": { args: RooflineArgs, answer: Array<Record<string, any>>, part: null },
 *   "texts": { args: TextsArgs, answer: Array<string>, part: null },
 *   "files": { args: FilesArgs, answer: Array<string>, part: null },
 *   "place files": { args: PlaceFilesArgs, answer: null, part: null },
 *   "written files": { args: NoArgs, answer: Array<WrittenFile>, part: null },
 *   "read file": { args: PageFile, answer: Uint8Array, part: null },
 *   "tokenizer": { args: NoArgs, answer: TokenizerAnswer, part: null },
 * }} Requests
 */

export {};
