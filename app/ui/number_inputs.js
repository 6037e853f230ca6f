// Number inputs: a comma is the decimal point, an integer that JavaScript does not hold exactly
// stays text, and a wrong input is named in a sentence.
//
//   readCommas(root)   browsers drop a comma that is typed or pasted into a number input, so 0,003
//                      would be 3. Here it becomes a point; where that would be a second one, or a
//                      point stays beside it, nothing is inserted. A whole number that is pasted
//                      may have commas between its thousands (20,000)
//   exact(text)        the number that an input's text is; an integer above 2^53 as its text, which
//                      Python reads
//   problem(input)     the sentence that says what is wrong with an input's value, or null: from
//                      its required, min, max and step, and data-above, a bound that is no value

const THOUSANDS = /^\s*\d{1,3}(,\d{3})+\s*$/;

export function readCommas(root = document) {
  root.addEventListener("beforeinput", (event) => {
    const { target, data } = event;
    if (target.type !== "number" || !data?.includes(",")) return;
    event.preventDefault();
    const insert = (text) => document.execCommand("insertText", false, text);
    if (target.step === "1" && THOUSANDS.test(data)) return void insert(data.replaceAll(",", ""));
    const pasted = data.length > 1; // it may take the place of what is selected, which no number input tells
    if ((pasted ? data : data + target.value).match(/[.,]/g).length > 1) return;
    const number = data.replace(",", ".");
    insert(number);
    // beside a number with a point the browser drops this one
    if (pasted && !target.value.includes(number.trim())) document.execCommand("undo");
  });
}

export function exact(text) {
  const number = Number(text);
  return Number.isInteger(number) && !Number.isSafeInteger(number) && /^-?\d+$/.test(text) ? text : number;
}

export function problem(input) {
  const { value, validity, dataset, max, step } = input;
  if (validity.badInput) return `${nameOf(input)} is not a number. Enter ${wanted(input)}.`;
  if (validity.valueMissing) return `${nameOf(input)} is empty. Enter ${wanted(input)}.`;
  const whole = step !== "1" || !value.includes("."); // 20.000 is 20 to a browser, and 20,000 to its writer
  if (
    !validity.valid ||
    !whole ||
    (value !== "" && dataset.above && Number(value) <= Number(dataset.above)) ||
    above(value, max)
  )
    return `${nameOf(input)} is ${value.slice(0, 40)}. Enter ${wanted(input)}.`;
  return null;
}

// What the label says.
export const nameOf = ({ dataset, labels }) => dataset.name ?? labels[0].firstChild.textContent.trim();

// 2^64 - 1 and 2^64 are the same number in JavaScript.
const above = (value, max) =>
  max && [value, max].every((text) => /^\d{16,}$/.test(text)) && BigInt(value) > BigInt(max);

function wanted({ type, min, max, step, dataset, value }) {
  if (type !== "number") return "at least one character";
  const least = dataset.above ? `above ${dataset.above}` : min && `of at least ${min}`;
  // a bound that nobody comes near is named where it was passed
  const most = max && (Number(max) <= 1e6 || Number(value) >= Number(max)) && `at most ${max}`;
  const bounds = [least, most].filter(Boolean).join(" and ");
  return `${step === "1" ? "a whole number" : "a number"}${bounds && ` ${bounds}`}`;
}
