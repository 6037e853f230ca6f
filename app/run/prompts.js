// What a prompt is where the user has written none: words that the model's text begins with.

export const SHAKESPEARE = { generate: "ROMEO:\n", inside: "What light through yonder" };
const KNOWN = {
  shakespeare: SHAKESPEARE,
  stdlib: { generate: "def ", inside: "def forward(self, x):" },
};
const LENGTH = { generate: 16, inside: 25 }; // characters of another text, at most, cut at a word

// corpus: a name. blob: the text itself, where it is one of the user's own; else undefined.
export async function promptsFor(corpus, blob) {
  if (KNOWN[corpus]) return KNOWN[corpus];
  const beginning = blob ? await blob.slice(0, 400).text() : "";
  const line = beginning.split("\n").find((one) => one.trim()) ?? "";
  const start = (most) =>
    line.length <= most
      ? line
      : line
          .slice(0, most + 1)
          .replace(/(?<=\S)\s+\S*$/u, "")
          .slice(0, most);
  return { generate: start(LENGTH.generate) || "\n", inside: start(LENGTH.inside) || "\n" };
}

// A textarea whose text is a suggestion until somebody writes in it.
export class SuggestedPrompt {
  constructor(input) {
    this.input = input;
    this.suggested = input.value;
    input.dataset.suggested = input.value; // for store/drafts.js
  }

  suggest(text) {
    if (this.input.value === this.suggested) this.input.value = text;
    this.suggested = this.input.dataset.suggested = text;
  }
}
