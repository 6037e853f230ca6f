// A run as a file on the user's disk, in three kinds; of the run that is on the page, or of a saved one.

export const KINDS = {
  whole: { label: "To train on: with optimizer state (.tinygpt)", ending: ".tinygpt" },
  weights: { label: "To write with: weights only (.tinygpt)", ending: ".tinygpt" },
  pytorch: { label: "For PyTorch: a state_dict (.safetensors)", ending: ".safetensors" },
};

// saved: the SavedRuns. entry: the saved run; without one, the model that is in Python now.
export async function download({ session, saved, name, step, kind, entry = null }) {
  const about = { optimizer: kind === "whole", kind: kind === "pytorch" ? "safetensors" : "tinygpt" };
  let content;
  if (!entry) content = await session.request("export", about);
  else {
    const { file } = await saved.open(entry.id);
    if (kind === "whole") content = file;
    else {
      const url = URL.createObjectURL(file);
      try {
        content = await session.request("export", { ...about, url });
      } finally {
        URL.revokeObjectURL(url);
      }
    }
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  link.download = `${name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-step-${step}${KINDS[kind].ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it meanwhile
  return link.download;
}
