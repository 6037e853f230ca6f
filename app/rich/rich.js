// What `display` and the value of a console entry show: HTML (html.js) or a picture (pictures.js).
//
// A record is a DisplayRecord of protocol.js. It comes from a program, so every field is checked
// here; what cannot be shown becomes its text and the sentence why. A picture is a button that
// opens it in full size.

import { element } from "../ui/dom.js";
import { cleanHTML } from "./html.js";
import { pngPicture, svgPicture } from "./pictures.js";

// characters of the content, as in py/tinygpt_session/rich_output.py
const MOST = { html: 500_000, svg: 2_000_000, png: 4_000_000 };
const MOST_TEXT = 1000;
const LEAST = 2000, // what a record counts as among the characters of an output
  SHARE = 50;

/** The record with each field of its type; null where it is none. */
export function checked(record) {
  if (!record || !Object.hasOwn(MOST, record.kind) || typeof record.content !== "string") return null;
  const { kind, content, step } = record;
  const text = typeof record.text === "string" ? record.text.slice(0, MOST_TEXT) : "";
  return {
    kind,
    content: content.length <= MOST[kind] ? content : "",
    text,
    step: Number.isFinite(step) ? step : null,
  };
}

/** How many characters of text a checked record stands for, where output is bounded. */
export const weight = ({ content }) => LEAST + Math.ceil(content.length / SHARE);

/** A checked record as a node of the page. */
export function rich({ kind, content, text }) {
  try {
    if (kind === "html")
      return element(
        "div",
        { class: "rich rich-html", tabIndex: 0, role: "group", "aria-label": "Output as HTML" },
        cleanHTML(content),
      );
    return pictureButton(kind === "svg" ? svgPicture(content) : pngPicture(content), text);
  } catch (error) {
    return element("div", { class: "rich error" }, `${text}\n${error.message}\n`);
  }
}

const image = ({ address }, text) => element("img", { src: address, alt: text || "picture" });

// For rich.css, which gives the node this shape.
function shaped(node, { size: [width, height] }) {
  node.style.setProperty("--width", width);
  node.style.setProperty("--height", height);
  return node;
}

function pictureButton(picture, text) {
  const made = element("button", { class: "rich rich-picture", type: "button", title: "Full size" });
  made.append(image(picture, text));
  made.addEventListener("click", () => openInFull(picture, text));
  return shaped(made, picture);
}

function openInFull(picture, text) {
  const close = element("button", { type: "button" }, "Close");
  const full = shaped(image(picture, text), picture);
  const dialog = element("dialog", { class: "rich-full", "aria-label": "Full size" }, full, close);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // beside it
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
