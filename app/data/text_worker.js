// Reads files of up to 100 MB as text (text_file.js) away from the page's thread. In: {id, blob,
// name}. Out: {id, text} or {id, error}.

import { asText } from "./text_file.js";

self.onmessage = async ({ data: { id, blob, name } }) => {
  try {
    self.postMessage({ id, text: asText(new Uint8Array(await blob.arrayBuffer()), name) });
  } catch (error) {
    const gone =
      error instanceof DOMException &&
      `${name} could not be read (${error.name}): it was moved or changed, or is a folder. Choose it again.`;
    self.postMessage({ id, error: gone || error.message });
  }
};
