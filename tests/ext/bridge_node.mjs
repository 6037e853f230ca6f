// tests/ext/bridge.mjs in Node: `node tests/ext/bridge_node.mjs [variant ...]`; without arguments
// all that this Node can run.
import { readFileSync } from "node:fs";
import { chooseVariant, loadExtension, wideVariant } from "../../app/bridges/wasm.js";
import { check } from "./bridge.mjs";

const contract = readFileSync(new URL("../../wasm_ext/contract.h", import.meta.url), "utf8");
const id = (name) => Number(contract.match(new RegExp(`KERNEL_${name.toUpperCase()} = (\\d+)`))[1]);
const variants =
  process.argv.length > 2
    ? process.argv.slice(2)
    : [...new Set([chooseVariant(), "simd-mt", "simd-st", "paired-mt", wideVariant()])].filter(Boolean);
for (const variant of variants)
  console.log((await check(loadExtension, { fill: id("fill"), matmul: id("matmul") }, { variant })).join("\n"));
