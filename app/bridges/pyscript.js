// TinyGPT for a PyScript page: `js_modules.worker` makes this module importable from Python as
// `pyscript.js_modules.<name>`.
//
//   await <name>.install(pyodide_js)     then `import tinygpt` works, on the C++ extension

import { loadExtension } from "./wasm.js";

export async function install(pyodide) {
  const archive = fetch(new URL("../../py/tinygpt.zip", import.meta.url)).then((answer) => {
    if (!answer.ok) throw new Error(`py/tinygpt.zip could not be fetched: HTTP ${answer.status}`);
    return answer.arrayBuffer();
  });
  const extension = await loadExtension();
  extension.attach(pyodide);
  pyodide.registerJsModule("tinygpt_extension", extension);
  pyodide.unpackArchive(await archive, "zip", { extractDir: "/lib/python3.14/site-packages" });
}
