// Numbers as people read them, and a message as a sentence of the page.

export function compact(number) {
  for (const [size, unit] of [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (number >= size) return (number / size).toFixed(number >= 100 * size ? 0 : number >= 10 * size ? 1 : 2) + unit;
  }
  return number.toFixed(0);
}

// A loss as it is read: 1.461, and of a run that diverged 2.8e16.
export const lossText = (loss, digits = 3) =>
  !Number.isFinite(loss)
    ? "not finite"
    : Math.abs(loss) < 100
      ? loss.toFixed(digits)
      : Math.abs(loss) < 1e4
        ? loss.toFixed(0)
        : loss.toExponential(1).replace("e+", "e");

// 0.0003 as 3e-4
export const shortNumber = (number) =>
  number && Math.abs(number) < 1e-2 ? number.toExponential(1).replace(".0e", "e") : String(+number.toPrecision(3));

export function bytes(number) {
  return number >= 1e9
    ? (number / 1e9).toFixed(2) + " GB"
    : number >= 1e6
      ? (number / 1e6).toFixed(1) + " MB"
      : (number / 1e3).toFixed(0) + " kB";
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  // a whole minute would be up to a third of it off
  if (seconds < 600) return `${Number((seconds / 60).toFixed(1))} min`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// 1:05, 1:02:03
export function clockTime(seconds) {
  const whole = Math.floor(seconds),
    two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

export const sentence = (text) => text.charAt(0).toUpperCase() + withoutEnd(text.slice(1), ". \t\r\n") + ".";

// The text without the characters at its end that are among these. One pass: /[...]+$/ takes the
// square of the length where such characters are in the middle.
export function withoutEnd(text, characters) {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1])) end--;
  return text.slice(0, end);
}

// Whether a build of the extension (its name, as the device says it) computes with vectors of 256
// bits.
export const pairs = (build) => /256-bit/.test(build);
