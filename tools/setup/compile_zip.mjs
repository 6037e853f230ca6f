// Compiles a zip of Python sources for the tab: each .py becomes a .pyc, so that starting compiles
// nothing. The compiler is the very Pyodide that will read the result, run under Node: no native
// Python 3.14 is needed.
//   node compile_zip.mjs <folder of the pyodide package> <in.zip> <out.zip> <folder of the sources>
// Prints `done/total` every 50 files. A file that does not compile stays source: importing it in
// the tab shows the error.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, source, target] = process.argv.slice(2, 5).map((path) => resolve(path));
const { loadPyodide } = await import(pathToFileURL(join(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({ indexURL: folder });
pyodide.FS.writeFile("/in.zip", readFileSync(source));
pyodide.setStdout({ batched: (line) => console.log(line) });
pyodide.globals.set("place", process.argv[5]);
pyodide.runPython(`
import importlib.util, zipfile, _frozen_importlib_external as external

with zipfile.ZipFile("/in.zip") as old, zipfile.ZipFile("/out.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new:
    entries = old.infolist()
    for done, entry in enumerate(entries):
        if done % 50 == 0:
            print("%d/%d" % (done, len(entries)))
        data = old.read(entry)
        name = entry.filename
        if name.endswith(".py"):
            try:
                code = compile(data, place + "/" + name, "exec", dont_inherit=True)
            except SyntaxError:
                code = None
            if code is not None:
                # Unchecked hash: the reader neither stats nor hashes a source that may not be there.
                data = external._code_to_hash_pyc(code, importlib.util.source_hash(data), False)
                name += "c"
        # A fixed date, so that the same input gives the same bytes.
        new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    print("%d/%d" % (len(entries), len(entries)))
`);
writeFileSync(target, pyodide.FS.readFile("/out.zip"));
process.exit(0);
