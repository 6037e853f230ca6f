// SVG and PNG from a program as the address of an <img>, inside which nothing runs or loads.
//
// A picture that would hold the page is refused: a PNG of too many pixels, an SVG that nests or
// refers to its own parts so often that drawing it takes for ever (a million uses of one shape hold
// Chromium for minutes). An Error has one sentence.

const MOST_PIXELS = 16_000_000,
  MOST_SIDE = 8192;
const MOST_DRAWN = 50_000, // elements of an SVG, each as often as it is drawn
  DEEPEST = 100; // levels of its elements and of its references
const SVG = "http://www.w3.org/2000/svg";
const USUAL = [300, 150]; // what an SVG without a size has

/**
 * [width, height] of a PNG in base64; null where it is none, or has too many pixels.
 * @param {string} base64
 */
export function pngSize(base64) {
  let head;
  try {
    head = atob(base64.slice(0, 32));
  } catch {
    return null;
  }
  if (!head.startsWith("\x89PNG\r\n\x1a\n") || head.slice(12, 16) !== "IHDR") return null;
  const view = new DataView(Uint8Array.from(head, (c) => c.charCodeAt(0)).buffer);
  const size = [view.getUint32(16), view.getUint32(20)];
  const fits = size.every((side) => side > 0 && side <= MOST_SIDE) && size[0] * size[1] <= MOST_PIXELS;
  return fits ? size : null;
}

/** @param {string} base64 */
export function pngPicture(base64) {
  const content = base64.replace(/\s/g, ""),
    size = /^[A-Za-z0-9+/]+=*$/.test(content) && pngSize(content);
  if (!size)
    throw new Error(`This is no PNG of at most ${MOST_SIDE.toLocaleString("en")} pixels a side and 16 million in all.`);
  return { address: `data:image/png;base64,${content}`, size };
}

/** @param {string} text */
export function svgPicture(text) {
  if (/<!ENTITY/i.test(text)) throw new Error("An SVG with entities is not shown.");
  const { documentElement: root } = new DOMParser().parseFromString(text, "image/svg+xml");
  if (root.localName !== "svg" || root.namespaceURI !== SVG || root.querySelector("parsererror"))
    throw new Error('This is no SVG: it must be XML with <svg xmlns="http://www.w3.org/2000/svg"> as its root.');
  checkAddresses(root);
  if (drawn(root) > MOST_DRAWN)
    throw new Error(`This SVG draws more than ${MOST_DRAWN.toLocaleString("en")} elements. Draw fewer points.`);
  const blob = new TextEncoder().encode(new XMLSerializer().serializeToString(root));
  let bytes = "";
  for (let at = 0; at < blob.length; at += 8192) bytes += String.fromCharCode(...blob.subarray(at, at + 8192));
  return { address: `data:image/svg+xml;base64,${btoa(bytes)}`, size: svgSize(root) };
}

// Pictures within the picture are PNG of a bounded size, and no style refers to a part.
function checkAddresses(root) {
  for (const node of [root, ...root.querySelectorAll("*")]) {
    if (node.localName === "style" && /url|\\|@import/i.test(node.textContent))
      throw new Error('An SVG whose <style> has addresses is not shown: write fill="url(#...)" at the element.');
    for (const { value } of node.attributes) {
      if (value.includes("\\")) throw new Error("An SVG with a backslash in an attribute is not shown.");
      for (const [, data] of value.matchAll(/data:([^"'\s)]*)/gi)) {
        const png = /^image\/png;base64,([A-Za-z0-9+/=]+)$/.exec(data);
        if (!png || !pngSize(png[1])) throw new Error("An SVG may hold no other pictures than PNG in base64.");
      }
    }
  }
}

// How many elements are drawn: each as often as it is referred to.
function drawn(root) {
  const counts = new Map();
  const visit = (node, depth) => {
    const known = counts.get(node);
    if (known === null) throw new Error("An SVG that refers to a part from within that part is not shown.");
    if (known !== undefined) return known;
    if (depth > DEEPEST) throw new Error(`An SVG that nests more than ${DEEPEST} levels is not shown.`);
    counts.set(node, null);
    let count = 1;
    for (const child of node.children) count += visit(child, depth + 1);
    for (const target of references(node)) count += visit(target, depth + 1);
    counts.set(node, count);
    return count;
  };
  return visit(root, 0);
}

// The elements that the attributes of one name: href="#a", fill="url(#a)", values="#a;#b".
function* references(node) {
  if (node.localName === "a") return;
  for (const { name, value } of node.attributes) {
    if (name === "id" || !value.includes("#")) continue;
    for (const [, id] of value.matchAll(/#([^\s"';)]+)/g)) {
      const target = node.ownerDocument.getElementById(id) ?? node.ownerDocument.getElementById(unescaped(id));
      if (target) yield target;
    }
  }
}

function unescaped(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

function svgSize(root) {
  const box = (root.getAttribute("viewBox") ?? "")
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  return ["width", "height"].map((name, i) => {
    const [, number, unit] = /^\s*([\d.]+(?:e[+-]?\d+)?)(px|pt|)\s*$/i.exec(root.getAttribute(name) ?? "") ?? [];
    const side = number ? Number(number) * (unit === "pt" ? 4 / 3 : 1) : box.length === 4 ? box[i + 2] : Number.NaN;
    return side > 0 ? Math.min(Math.max(Math.round(side), 1), MOST_SIDE) : USUAL[i];
  });
}
