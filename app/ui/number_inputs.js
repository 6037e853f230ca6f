// Number inputs: a comma is the decimal point, and an integer that JavaScript does not hold exactly
// stays text.
//
//   readCommas(root)   browsers drop a comma that is typed or pasted into a number input, so 0,003
//                      would be 3. Here it becomes a point; where that would be a second one, or a
//                      point stands beside it, nothing is inserted
//   exact(text)        the number that an input's text is; an integer above 2^53 as its text, which
//                      Python reads

export function readCommas(root = document) {
  root.addEventListener("beforeinput", (event) => {
    const { target, data } = event;
    if (target.type !== "number" || !data?.includes(",")) return;
    event.preventDefault();
    const points = (data + target.value).match(/[.,]/g).length;
    if (points === 1) document.execCommand("insertText", false, data.replace(",", "."));
  });
}

export function exact(text) {
  const number = Number(text);
  return Number.isInteger(number) && !Number.isSafeInteger(number) && /^-?\d+$/.test(text) ? text : number;
}
