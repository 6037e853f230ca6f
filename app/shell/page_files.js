// The files that the page starts with.
//
//   pageFiles()    {shipped: {name: text} of the editor's files, defaults: py/defaults.json,
//                  corpora, models, catalogue: the lists in public/}; rejects where one is missing

import { answered } from "../worker/bounded_json.js";

const EDITED = ["train.py", "model.py", "generate.py"];

export async function pageFiles() {
  const [sources, defaults, corpora, models, catalogue] = await Promise.all([
    Promise.all(EDITED.map((name) => fetched("py/" + name, "text"))),
    fetched("py/defaults.json", "json"),
    fetched("public/corpora/corpora.json", "json"),
    fetched("public/models/models.json", "json"),
    fetched("public/datasets.json", "json"),
  ]);
  const shipped = Object.fromEntries(EDITED.map((name, i) => [name, sources[i]]));
  return { shipped, defaults, corpora, models, catalogue };
}

async function fetched(path, read) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${(await answer.text()).trim()}`);
  return read === "json" ? answered(answer) : answer.text();
}
