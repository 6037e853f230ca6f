// Numbers as people read them, and a message as a sentence of the page.

export function compact(number) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return (number / size).toFixed(number >= 100 * size ? 0 : number >= 10 * size ? 1 : 2) + unit;
  }
  return number.toFixed(0);
}

export function bytes(number) {
  return number >= 1e9 ? (number / 1e9).toFixed(2) + " GB" : number >= 1e6 ? (number / 1e6).toFixed(1) + " MB" : (number / 1e3).toFixed(0) + " kB";
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/[.\s]*$/, ".");
