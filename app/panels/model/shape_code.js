// The line of train.py that makes the model's shape, read and written:
//
//   shape, config = run.settings(preset="small", layers=6, heads=6)
//
//   shapeLine(text)        {preset, own, computed, from, to, indent}, or null where train.py has no
//                          such line. own: {field: value} of ModelConfig; computed: [name, source]
//                          where the value is no literal. from, to: of the call's arguments
//   withShape(found, own)  the arguments that say `own`: [{from, to, insert}]
//
// The text is read as text and never executed: it may be a link's that nobody has run.

const CALL = /^([ \t]*)\w+[ \t]*,[ \t]*\w+[ \t]*=[ \t]*\w+\.settings\(([^()#]*)\)/m;
const ARGUMENT = /^\s*(\w+)\s*=\s*([\s\S]*?)\s*$/;
const LITERALS = [
  [/^-?\d+$/, Number],
  [/^-?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[+-]?\d+)?$/i, Number],
  [/^(?:True|False)$/, (text) => text === "True"],
  [/^"[\w ]*"$|^'[\w ]*'$/, (text) => text.slice(1, -1)],
];
const WIDE = 88; // columns of a line

export function shapeLine(text) {
  const call = CALL.exec(text);
  if (!call) return null;
  const [all, indent, inside] = call,
    from = call.index + all.length - 1 - inside.length;
  const found = { preset: null, own: {}, computed: [], from, to: from + inside.length, indent };
  const pieces = inside.split(",");
  if (!pieces.at(-1).trim()) pieces.pop(); // a comma at the end, or nothing at all
  for (const [at, piece] of pieces.entries()) {
    const [, name, source] = ARGUMENT.exec(piece) ?? [null, at === 0 ? "preset" : null, piece.trim()];
    if (!name) return null;
    const [, read] = LITERALS.find(([pattern]) => pattern.test(source)) ?? [];
    if (!read) found.computed.push([name, source]);
    else if (name === "preset") found.preset = read(source);
    else found.own[name] = read(source);
  }
  return found;
}

export function withShape(found, own) {
  const computed = found.computed.filter(([name]) => !(name in own)).map(([name, source]) => `${name}=${source}`);
  const words = [
    ...(found.preset === null ? [] : [`preset="${found.preset}"`]),
    ...computed,
    ...Object.entries(own).map(([name, value]) => `${name}=${literal(value)}`),
  ];
  const { from, to, indent } = found,
    start = `${indent}shape, config = run.settings(`;
  if (start.length + words.join(", ").length + 1 <= WIDE) return [{ from, to, insert: words.join(", ") }];
  const lines = [""];
  for (const word of words) {
    if (indent.length + 4 + `${lines.at(-1)} ${word},`.length > WIDE) lines.push("");
    lines[lines.length - 1] += `${lines.at(-1) && " "}${word},`;
  }
  return [{ from, to, insert: `\n${lines.map((line) => `${indent}    ${line}`).join("\n")}\n${indent}` }];
}

const literal = (value) =>
  typeof value === "boolean" ? (value ? "True" : "False") : typeof value === "string" ? `"${value}"` : String(value);
