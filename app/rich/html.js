// HTML from a program as nodes of the page: an allow-list of elements, attributes and styles.
//
// The text is parsed into an inert document, where nothing runs or loads, and copied node by node.
// What comes out has no script, no event, no class or id of the page, no address but those of http
// links, and no image but PNG in base64.

import { element } from "../ui/dom.js";
import { pngSize } from "./pictures.js";

const COPIED = new Set(
  `a abbr b blockquote br caption code col colgroup dd del details dfn div dl dt em figcaption figure hr i img ins kbd
  li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var`.split(/\s+/),
);
const HEADINGS = /^h[1-6]$/; // become paragraphs: the page has its own outline
// Their content is no text to read. What neither list names gives its content alone.
const DROPPED = new Set(
  `applet area audio base canvas embed frame frameset head iframe link map math meta noembed noframes noscript object
  script style svg template title video`.split(/\s+/),
);
const STYLES = `background-color border-bottom-color border-bottom-style border-bottom-width border-left-color
  border-left-style border-left-width border-right-color border-right-style border-right-width border-top-color
  border-top-style border-top-width color font-style font-weight height padding-bottom padding-left padding-right
  padding-top text-align text-decoration-line vertical-align white-space width`.split(/\s+/);
const PLAIN = /^(?:[#\w\s.,%+-]|\b(?:rgb|rgba|hsl|hsla)\([\d\s.,%/+-]*\))*$/; // of a style: no url(), no var()
const WHOLE = /^\d{1,3}$/;
const DEEPEST = 60, // levels
  MOST_NODES = 20_000; // elements and texts

/**
 * A fragment of what the HTML shows. An Error of one sentence where that is nothing.
 *
 * @param {string} text
 */
export function cleanHTML(text) {
  const { body } = new DOMParser().parseFromString(text, "text/html");
  const fragment = document.createDocumentFragment();
  const left = { nodes: MOST_NODES, omitted: false };
  copyChildren(body, fragment, left, 0);
  if (!fragment.textContent.trim() && !fragment.querySelector("img, hr, td"))
    throw new Error("This HTML has no text or table to show: the page does not run its scripts and loads nothing.");
  if (left.omitted)
    fragment.append(
      element(
        "p",
        {},
        `The rest is left out: the page shows ${MOST_NODES.toLocaleString("en")} parts, ${DEEPEST} deep.`,
      ),
    );
  return fragment;
}

function copyChildren(from, to, left, depth) {
  for (const child of from.childNodes) {
    if (child.nodeType !== Node.TEXT_NODE && child.nodeType !== Node.ELEMENT_NODE) continue;
    if (left.nodes-- <= 0 || depth > DEEPEST) {
      left.omitted = true;
      return;
    }
    if (child.nodeType === Node.TEXT_NODE) to.append(child.data);
    else copyElement(child, to, left, depth);
  }
}

function copyElement(from, to, left, depth) {
  const name = from.localName;
  if (DROPPED.has(name) || from.namespaceURI !== "http://www.w3.org/1999/xhtml") return;
  const heading = HEADINGS.test(name);
  if (!heading && !COPIED.has(name)) return copyChildren(from, to, left, depth + 1);
  const made = document.createElement(heading ? "p" : name);
  if (name === "img" && !copyImage(from, made)) return;
  copyAttributes(from, made);
  if (heading) made.style.fontWeight = "600";
  copyChildren(from, made, left, depth + 1);
  to.append(made);
}

function copyAttributes(from, made) {
  for (const name of ["title", "dir", "scope", "colspan", "rowspan", "span", "start"]) {
    const value = from.getAttribute(name);
    if (value === null) continue;
    if (["colspan", "rowspan", "span", "start"].includes(name) ? WHOLE.test(value) : value.length <= 1000)
      made.setAttribute(name, value);
  }
  for (const name of STYLES) {
    const value = from.style.getPropertyValue(name);
    if (value && PLAIN.test(value)) made.style.setProperty(name, value);
  }
  if (from.localName === "details") made.open = from.hasAttribute("open");
  if (from.localName === "a") copyLink(from, made);
}

// Only to http and https, in a tab of its own that does not know this one.
function copyLink(from, made) {
  let address;
  try {
    address = new URL(from.getAttribute("href") ?? "");
  } catch {
    return;
  }
  if (["http:", "https:"].includes(address.protocol))
    Object.assign(made, { href: address.href, target: "_blank", rel: "noopener noreferrer" });
}

function copyImage(from, made) {
  const [, data] = /^data:image\/png;base64,([A-Za-z0-9+/=\s]+)$/.exec(from.getAttribute("src") ?? "") ?? [];
  const size = data && pngSize(data.replace(/\s/g, ""));
  if (!size) return false;
  made.src = `data:image/png;base64,${data.replace(/\s/g, "")}`;
  [made.width, made.height] = size;
  made.alt = (from.getAttribute("alt") ?? "").slice(0, 1000);
  return true;
}
