// The points of a run as columns of numbers in rising order of their steps: found, thinned for
// drawing, put side by side.

// The first index whose value is at least `value`, from `from` on, in rising values.
export function lowerBound(values, value, from = 0) {
  let to = values.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (values[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

export const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

// The indices of the lowest and the highest y in each of `columns` parts, in rising order, and of
// the last point. edge(share) is the x at which a share of the stretch to be drawn ends: equal
// parts of it unless told otherwise. One point beyond each end is kept for the line.
export function thinned(xs, ys, columns, edge = (share) => xs[0] + share * (xs.at(-1) - xs[0])) {
  if (!xs.length) return [];
  const first = Math.max(0, lowerBound(xs, edge(0)) - 1),
    last = Math.min(xs.length, lowerBound(xs, edge(1)) + 2);
  if (last - first <= 2 * columns) return range(first, last);
  const kept = [];
  for (let c = 1, from = first; c <= columns; c++) {
    const to = c === columns ? last : Math.min(last, lowerBound(xs, edge(c / columns), from));
    if (to <= from) continue;
    let low = from,
      high = from;
    for (let i = from + 1; i < to; i++) {
      if (ys[i] < ys[low] || Number.isNaN(ys[low])) low = i;
      if (ys[i] > ys[high] || Number.isNaN(ys[high])) high = i;
    }
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
    from = to;
  }
  if (kept.at(-1) !== last - 1) kept.push(last - 1);
  return kept;
}

// The tables [xs, ys] over the union of their xs: [xs, ys of the first, ys of the second, ...].
export function merged(tables) {
  const all = new Float64Array(tables.reduce((sum, [xs]) => sum + xs.length, 0));
  let end = 0;
  for (const [xs] of tables) {
    all.set(xs, end);
    end += xs.length;
  }
  const xs = [...all.sort()].filter((x, i, sorted) => i === 0 || x !== sorted[i - 1]);
  return [
    xs,
    ...tables.map(([from, values]) => {
      const column = Array(xs.length).fill(null);
      for (let i = 0, j = 0; i < xs.length && j < from.length; i++) if (xs[i] === from[j]) column[i] = values[j++];
      return column;
    }),
  ];
}

// The index of the step nearest to `step`, or -1.
export function nearest(steps, step) {
  if (!steps.length) return -1;
  const i = Math.min(lowerBound(steps, step), steps.length - 1);
  return i > 0 && step - steps[i - 1] < steps[i] - step ? i - 1 : i;
}
