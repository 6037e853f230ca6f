// Light and dark: the system's choice unless the user took one, which this browser keeps.

import { keep, kept } from "../ui/kept.js";

const root = document.documentElement;

export function themeButton(button) {
  const chosen = kept("theme");
  if (chosen) root.dataset.theme = chosen;
  button.addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    keep("theme", root.dataset.theme);
  });
}
