// @ts-check
// A run as a file on the user's disk, in three kinds; of the run that is on the page, or of a saved
// one. A program of plain PyTorch code has a kind of its own.

import { saveFile } from "../ui/save_file.js";
import { programFile } from "./slots.js";

/** @type {Record<string, { label: string, ending: string, plain?: boolean }>} */
export const KINDS = {
  whole: { label: "To continue training (.tinygpt)", ending: ".tinygpt" },
  weights: { label: "To generate text (.tinygpt)", ending: ".tinygpt" },
  pytorch: { label: "For PyTorch: a state_dict (.safetensors)", ending: ".safetensors" },
  program: { label: "For torch.load: the program's state_dicts (.pt)", ending: ".pt", plain: true },
};

/**
 * Downloads a run. entry: the saved run; without one, the model that is in Python now.
 *
 * @param {object} options
 * @param {import("../worker/session.js").Session} options.session
 * @param {import("./saved_runs.js").SavedRuns} options.saved
 * @param {string} options.name
 * @param {number} options.step
 * @param {string} options.kind  of KINDS
 * @param {import("./saved_runs.js").Entry | null} [options.entry]
 */
export async function download({ session, saved, name, step, kind, entry = null }) {
  /** @type {import("../worker/protocol.js").ExportArgs} */
  const about = { optimizer: kind === "whole", kind: kind === "pytorch" ? "safetensors" : "tinygpt" };
  /** @type {any} a Blob or bytes */
  let content;
  if (!entry) content = await session.request("export", about);
  else {
    const { file } = await saved.open(entry.id);
    if (kind === "whole") content = file;
    else if (kind === "program") content = await programFile(file);
    else {
      const url = URL.createObjectURL(file);
      try {
        content = await session.request("export", { ...about, url });
      } finally {
        URL.revokeObjectURL(url);
      }
    }
  }
  const file = `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-step-${step}${KINDS[kind].ending}`;
  saveFile(new Blob([content], { type: "application/octet-stream" }), file);
  return file;
}
