// A cell of a dataset as text, and which columns hold any.
//
//   textOf(value)    strings as they are; lists of them line by line; {"text": ...} its text; a
//                    turn of a dialogue "who: what they say", also where the server gives a list of
//                    turns as one record of lists
//   isText(type)     of a column's type, as the datasets server describes it: whether textOf finds
//                    anything in it
//   typeName(type)   the type's name, for a sentence

const SAID = ["content", "value", "text", "utterance", "message"],
  WHO = ["role", "from", "speaker", "author", "name"];
const STRINGS = ["string", "large_string", "string_view", "json"]; // Arrow's, and the Hub's name for JSON
const DEEPEST = 64; // levels of lists and records in each other: no dataset has more

export function textOf(value, depth = 0) {
  if (typeof value === "string") return trimmed(value.replaceAll("\0", "").replace(/\r\n?/g, "\n"));
  if (!value || typeof value !== "object" || depth > DEEPEST) return "";
  const inside = (one) => textOf(one, depth + 1);
  if (Array.isArray(value)) return lines(value.map(inside));
  const said = SAID.find((name) => value[name] && ["string", "object"].includes(typeof value[name])),
    who = WHO.find((name) => name !== said && value[name] && ["string", "object"].includes(typeof value[name]));
  if (said === undefined) {
    // A part of a message that is no text: {"type": "image_url", "image_url": {...}}.
    if (typeof value.type === "string" && Object.hasOwn(value, value.type)) return "";
    return SAID.some((name) => name in value) ? "" : lines(Object.values(value).map(inside));
  }
  const names = value[who],
    turns = value[said];
  if (Array.isArray(names) && Array.isArray(turns) && names.length === turns.length)
    return lines(turns.map((turn, i) => spoken(names[i], inside(turn))));
  return spoken(names, inside(turns));
}

const lines = (texts) => texts.filter(Boolean).join("\n");
const spoken = (who, text) => (typeof who === "string" && who && text ? `${who}: ${text}` : text);

// Without line ends before it, and without white space after it. No regular expression for the end:
// /\s+$/ takes the square of the length where white space is in the middle.
function trimmed(text) {
  let start = 0;
  while (text[start] === "\n") start++;
  return text.slice(start).trimEnd();
}

export function isText(type, depth = 0) {
  if (!type || typeof type !== "object" || depth > DEEPEST) return false;
  const inside = (one) => isText(one, depth + 1);
  if (Array.isArray(type)) return type.length > 0 && inside(type[0]);
  if (typeof type._type !== "string") return Object.values(type).some(inside); // a record
  if (type._type === "Value") return STRINGS.includes(type.dtype);
  if (["Json", "Translation", "TranslationVariableLanguages"].includes(type._type)) return true;
  return "feature" in type && inside(type.feature); // List, LargeList, Sequence
}

// "Value(int64)", "List(Image)", "a record of id, score"
export function typeName(type, depth = 0) {
  if (!type || typeof type !== "object" || depth > 4) return "an unknown type";
  if (Array.isArray(type)) return `List(${typeName(type[0], depth + 1)})`;
  if (typeof type._type !== "string") return `a record of ${Object.keys(type).slice(0, 6).join(", ")}`;
  const more = "feature" in type ? typeName(type.feature, depth + 1) : type.dtype;
  return type._type + (typeof more === "string" && more ? `(${more})` : "");
}
