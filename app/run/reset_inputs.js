// "Defaults" beside the inputs of a run: there while one differs from what the preset has, and puts
// all of them back. In a run this is a change like any other.
//
//   resetInputs(button, settings)

export function resetInputs(button, settings) {
  const show = () => (button.hidden = settings.changed.size === 0);
  button.addEventListener("click", () => {
    const names = [...settings.changed].sort((a, b) => (b === "preset") - (a === "preset"));
    for (const name of names) settings.choose(name, settings.start(name));
    show();
    document.getElementById("more").focus({ preventScroll: true });
  });
  settings.addEventListener("change", show);
  settings.addEventListener("adopted", show);
  show();
}
