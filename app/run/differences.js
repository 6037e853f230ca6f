// What differs between two runs: settings and lines of code, as short texts.

const NAMES = { lr: "learning rate", batch_size: "batch" };
const UNTOLD = ["steps"]; // the table has them
const CODE = 100; // characters of a line that are shown

// The settings that a run was trained with: what it said at its start, or the inputs that were set.
export function settingsOf({ facts = {} }) {
  const { train, settings = {}, preset, corpus } = facts;
  return { preset, ...settings, ...train, corpus: corpus ?? train?.corpus ?? settings.corpus };
}

const shown = (value) =>
  typeof value === "number" && value && Math.abs(value) < 1e-3 ? value.toExponential() : String(value).slice(0, 40);

// ["learning rate 3e-4 → 0.001", "train.py: 2 lines, lr = ..."], from `run` to `other`.
export function differences(run, other) {
  const [before, after] = [run, other].map(settingsOf);
  const settings = Object.keys({ ...before, ...after })
    .filter((name) => !UNTOLD.includes(name) && before[name] !== undefined && after[name] !== undefined)
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => `${NAMES[name] ?? name.replaceAll("_", " ")} ${shown(before[name])} → ${shown(after[name])}`);
  const [old, now] = [run.files ?? {}, other.files ?? {}];
  const code = Object.keys(now)
    .filter((name) => name in old && old[name] !== now[name])
    .map((name) => {
      const { count, line } = changedLines(old[name], now[name]);
      return `${name}: ${count} ${count === 1 ? "line" : "lines"}, ${line}`;
    });
  return [...settings, ...code];
}

// How many lines were changed, and the first new one, or the first that is gone.
export function changedLines(old, now) {
  const [before, after] = [old, now].map((text) => text.split("\n"));
  const gone = missing(before, after),
    added = missing(after, before);
  const text = (added[0] ?? gone[0] ?? "").trim();
  const line = text.length > CODE ? `${text.slice(0, CODE)}…` : text;
  return { count: Math.max(gone.length, added.length) || 1, line: line || "an empty line" };
}

// The lines that `others` has fewer times.
function missing(lines, others) {
  const left = new Map();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}
