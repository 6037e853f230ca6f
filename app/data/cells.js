// A cell of a dataset as text, and which columns hold any.
//
//   textOf(value)    strings as they are; lists of them line by line; {"text": ...} its text; a turn of a dialogue "who: what they say"
//   isText(type)     of a column's type, as the datasets server describes it: whether textOf finds anything in it

const SAID = ["content", "value", "text", "utterance", "message"], WHO = ["role", "from", "speaker", "author", "name"];

export function textOf(value) {
  if (typeof value === "string") return value.replaceAll("\0", "").replace(/\r\n?/g, "\n").replace(/^\n+|\s+$/g, "");
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join("\n");
  if (!value || typeof value !== "object") return "";
  const said = SAID.find((name) => name in value), who = WHO.find((name) => typeof value[name] === "string" && value[name] && name !== said);
  if (said === undefined) return textOf(Object.values(value));
  const text = textOf(value[said]);
  return who && text ? `${value[who]}: ${text}` : text;
}

export function isText(type) {
  if (Array.isArray(type)) return type.length > 0 && isText(type[0]);
  if (!type || typeof type !== "object") return false;
  if (type._type === "Value") return type.dtype === "string" || type.dtype === "large_string";
  if (type._type === "Translation" || type._type === "TranslationVariableLanguages") return true;
  if ("feature" in type) return isText(type.feature);
  return type._type === undefined && Object.values(type).some(isText);
}
