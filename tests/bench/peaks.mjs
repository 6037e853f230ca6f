// Prints the WebAssembly peaks of this machine in Node (app/bridges/peak.js) as JSON: node
// tests/bench/peaks.mjs THREADS [strict]
import { measurePeaks } from "../../app/bridges/peak.js";

const [threads, simd] = process.argv.slice(2);
console.log(
  JSON.stringify(await measurePeaks({ threads: Number(threads), ...(simd && { relaxed: simd !== "strict" }) })),
);
