// The page: connects the editor, the console, the inputs and the training view to the one Python
// session.
//
// The session has been started (start.js). What needs nothing else is made at once, the other parts
// when the page's files are here. Parts are made in order: each gets the ones that it needs by
// name, and what a part says to a later one is an event. `window.tinygpt` (hooks.js) is the same
// for automation.

import { datasetsServer, HuggingFace } from "./data/huggingface.js";
import { OwnTexts } from "./data/own_texts.js";
import { prefetchCompletions } from "./editor/completion.js";
import { Editor } from "./editor/editor.js";
import { followScreenKeyboard } from "./editor/screen_keyboard.js";
import { FilesRoom } from "./files/files_room.js";
import { DataPanel } from "./panels/data/data_panel.js";
import { GeneratePanel } from "./panels/generate/generate_panel.js";
import { InsidePanel } from "./panels/inside/inside_panel.js";
import { ModelPanel } from "./panels/model/model_panel.js";
import { ModelsPanel } from "./panels/models/models_panel.js";
import { SavedRunsPanel } from "./panels/runs/runs_panel.js";
import { StepPanel } from "./panels/step/step_panel.js";
import { checked } from "./rich/rich.js";
import { Background } from "./run/background.js";
import { Controls } from "./run/controls.js";
import { DeviceChoice } from "./run/device_choice.js";
import { EndNotice } from "./run/end_notice.js";
import { EntryPoints } from "./run/entry_points.js";
import { MemoryEstimate } from "./run/memory_estimate.js";
import { promptsFor } from "./run/prompts.js";
import { resetInputs } from "./run/reset_inputs.js";
import { SavedCurves } from "./run/saved_curves.js";
import { Settings } from "./run/settings.js";
import { StepWatch } from "./run/step_watch.js";
import { TrainingView } from "./run/training_view.js";
import { HELD, Sharing } from "./share/share_panel.js";
import { Buttons } from "./shell/buttons.js";
import { Capabilities } from "./shell/capabilities.js";
import { Commands } from "./shell/commands.js";
import { Console } from "./shell/console.js";
import { DeviceLine } from "./shell/device_line.js";
import { Entries } from "./shell/entries.js";
import { Help } from "./shell/help.js";
import { hooks, sessionHooks } from "./shell/hooks.js";
import { Layout } from "./shell/layout.js";
import { PanelTabs } from "./shell/panel_tabs.js";
import {
  banner,
  calm,
  countCompilations,
  endErrors,
  passing,
  status,
  stopped,
  tellDeaths,
  warnings,
} from "./shell/status.js";
import { TabTitle } from "./shell/tab_title.js";
import { themeButton } from "./shell/theme.js";
import { Tour } from "./shell/tour.js";
import { Welcome } from "./shell/welcome.js";
import { address, files, session } from "./start.js";
import { Drafts } from "./store/drafts.js";
import { keepRuns } from "./store/persist.js";
import { readCommas } from "./ui/number_inputs.js";
import { Question } from "./ui/question.js";
import { requestedChoice } from "./worker/devices.js";

const part = (id) => document.getElementById(id);

// ---- at once: what needs Python alone ----

const showState = () => (document.body.dataset.state = session.state);
session.addEventListener("state", showState);
showState();

themeButton(part("theme"));
const editor = new Editor(part("editor"), { session });
const entries = new Entries({ session, passing });
const console_ = new Console(part("console-output"), part("console-input"), { entries, session });
session.addEventListener("output", ({ detail: { kind, text } }) => console_.write(kind, text));
const displayed = (show) => session.addEventListener("display", ({ detail }) => show(checked(detail.record)));
displayed((record) => record && console_.show(record));
const choice = new DeviceChoice({ choose: (wanted) => session.chooseDevice(wanted) });
if (requestedChoice(address)) choice.touched = true;
session.addEventListener("graphics", ({ detail: { facts } }) => choice.offer(facts));
const deviceLine = new DeviceLine({ session, choice, banner, status, notice: (text) => console_.notice(text) });
const texts = new OwnTexts({ session });
const tabs = new PanelTabs(part("panel-tabs"), part("panels"));
tabs.add("samples", "Samples", () => null);
readCommas();
const layout = new Layout(document.querySelector("main"));
const tour = new Tour();
const commands = new Commands([
  { title: "Go to: Editor", run: () => editor.view.focus() },
  { title: "Go to: Console", run: () => console_.view.focus() },
  { title: "Go to: Chart", run: () => part("chart").querySelector(".u-over")?.focus() },
  { title: "Layout: Sizes as at first", run: () => layout.reset() },
]);
new Capabilities({ session, before: part("help") });
prefetchCompletions(session);
session.attend();

// ---- when the page's files are here ----

async function build({ shipped, defaults, corpora, models, catalogue }) {
  editor.open(shipped);
  const settings = new Settings(defaults, corpora, {
    reveal: (name) => name === "sample_interval" && tabs.show("samples"),
  });
  resetInputs(part("reset-inputs"), settings);
  const offerThreads = ({ device }) => settings.offerThreads(device.maxThreads, device.unshared);
  session.addEventListener("ready", ({ detail }) => offerThreads(detail));
  session.ready.then(offerThreads, () => {}); // Python may be here before the files

  const say = (text) => {
    console_.notice(text);
    status(text);
  };
  const training = new TrainingView({
    settings,
    device: (facts) => deviceLine.show(facts),
    note: say, // what the loop has to say is about the run that continues
    corpus: (name) => suggest(name),
  });
  followScreenKeyboard(editor);
  const estimate = new MemoryEstimate({ session, settings, editor });
  const error = (text) => console_.error(text);
  const stop = () => entries.stop();
  const notice = (text) => console_.notice(text);
  const controls = new Controls({
    session,
    editor,
    settings,
    choice,
    training,
    texts,
    estimate,
    status,
    error,
    notice,
    stop,
  });
  controls.addEventListener("phase", () => estimate.soon());
  const visitors = new FilesRoom({ session, editor, controls, status });
  session.addEventListener("training", ({ detail }) => training.receive(detail));
  const welcome = new Welcome({ controls, runs: training.runs, tour });
  displayed((record) => record && record.step !== null && training.samples.show(record));
  new Background({ controls, training, note: say });
  new TabTitle({ session, controls, training });
  new Help(part("help"), { tour, commands, notice: new EndNotice({ controls, training }) });
  countCompilations({ session });
  endErrors({ editor, controls });
  tellDeaths({ session, controls, training });

  const generate = tabs.add(
    "generate",
    "Generate",
    (element) => new GeneratePanel(element, { session, defaults: defaults.train }),
  );
  const inside = tabs.add("inside", "Look inside", (element) => new InsidePanel(element, { session }));
  const parts = { session, controls, settings, editor, inside, tabs };
  tabs.add("model", "Model", (element) => new ModelPanel(element, parts));
  tabs.add("one-step", "Step", (element) => new StepPanel(element, { session, controls, editor, tabs }));
  const suggest = async (corpus) => {
    const prompts = await promptsFor(corpus, texts.get(corpus)?.blob);
    generate.suggested.suggest(prompts.generate);
    inside.suggested.suggest(prompts.inside);
  };
  const server = new HuggingFace(datasetsServer(address));
  const warn = warnings({ controls });
  const show = () => tabs.show("data");
  tabs.add(
    "data",
    "Data",
    (element) => new DataPanel(element, { session, settings, texts, server, catalogue, corpora, warn, show }),
  );
  const kept = keepRuns({ session, controls, training, editor, settings, choice, status });
  new SavedCurves({ controls, training, editor, ...kept });
  tabs.add("runs", "Runs", (element) => new SavedRunsPanel(element, { session, controls, training, status, ...kept }));
  const question = new Question(part("saying"));
  controls.addEventListener("replaced", () => question.withdraw());
  const entryPoints = new EntryPoints({
    estimate,
    question,
    session,
    controls,
    training,
    settings,
    generate,
    tabs,
    models,
    status,
    calm,
    untouched: () => settings.untouched && !controls.chosen && editor.files["train.py"] === shipped["train.py"],
  });
  tabs.add("models", "Models", (element) => new ModelsPanel(element, { models, actions: entryPoints }));

  const everywhere = [defaults.train.corpus, ...corpora.map(({ name }) => name)];
  const drafts = new Drafts({
    session,
    controls,
    training,
    editor,
    settings,
    choice,
    entry: console_,
    texts,
    status,
    held: HELD,
    ...kept,
  });
  const sharing = new Sharing({
    editor,
    settings,
    controls,
    training,
    status,
    shipped,
    corpora: everywhere,
    around: (fragment, put) => drafts.around(fragment, put),
  });
  await drafts.open((fragment) => sharing.open(fragment));
  const buttons = new Buttons({
    session,
    editor,
    controls,
    training,
    entryPoints,
    question,
    entries,
    welcome,
    status,
    passing,
  });
  new StepWatch({
    session,
    controls,
    training,
    line: passing(),
    button: part("stop-stalled"),
    held: () => entries.executing || buttons.silence.text !== null,
  });
  const showReady = () => {
    // what was stopped by a restart says so for longer than the restart takes
    if (controls.held || !stopped(part("status").textContent)) status(controls.held ?? drafts.said ?? "Ready");
  };
  session.addEventListener("ready", showReady);
  if (session.state === "ready" || session.state === "running") showReady();
  Object.assign(
    window.tinygpt,
    hooks({ session, editor, controls, training, generate, autosave: kept.autosave, sharing, visitors }),
  );
}

const built = files.then(build);
window.tinygpt = sessionHooks({ session, entries, built });
built.catch((error) => {
  banner("files", `The page could not load its files: ${error.message}. Reload the page.`);
  status("The page did not start", "bad");
});
window.tinygptStarting?.end(); // app/shell/start_guard.js: from here on the page speaks for itself
