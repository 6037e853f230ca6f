// The axes of the chart: where a step or a value is on them, linear or logarithmic, and the marks.

const same = (value) => value;

export const LINEAR = { place: same, unplace: same };
// Step 0 has a place too.
export const LOG_STEPS = { place: (step) => Math.log10(step + 1), unplace: (x) => 10 ** x - 1 };
// Zero and less have none.
export const LOG_VALUES = { place: (value) => (value > 0 ? Math.log10(value) : null), unplace: (y) => 10 ** y };

const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]; // ends of the axis: it rests between them
const EVEN = [0.1, 0.3, 0.5, 0.7, 0.9];
const DECADES = [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((power) => 10 ** power);

// Between the marks of a linear axis: with these, two digits write every mark exactly.
export const INCREMENTS = Array.from({ length: 22 }, (_, i) =>
  [1, 2, 5].map((digit) => Number(`${digit}e${i - 12}`)),
).flat();

// The step at which the axis ends for a run that has come to `last`.
export function roundEnd(last, planned = 0) {
  const size = 10 ** Math.floor(Math.log10(last));
  const round = ROUND.find((factor) => factor * size >= last) * size;
  return planned >= last ? Math.min(planned, round) : round;
}

const within = (places, low, high) => places.filter((place) => place >= low && place <= high);

// Places of the steps 0, 1, 2, 5, 10, ... of a logarithmic axis.
export function stepMarks(low, high, narrow) {
  const { place, unplace } = LOG_STEPS;
  if (unplace(high) < 11 * unplace(low)) return EVEN.map((share) => low + share * (high - low)); // zoomed in
  const digits = narrow ? [1] : [1, 2, 5];
  const steps = [0, ...DECADES.filter((decade) => decade >= 1).flatMap((decade) => digits.map((d) => d * decade))];
  return within(steps.map(place), low, high);
}

// Places of round values of a logarithmic axis: the coarsest that gives three.
export function valueMarks(low, high) {
  for (const digits of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 7]]) {
    const marks = within(
      DECADES.flatMap((decade) => digits.map((d) => Math.log10(d * decade))),
      low,
      high,
    );
    if (marks.length >= 3) return marks;
  }
  return EVEN.map((share) => low + share * (high - low));
}

// Four digits, and powers of ten beyond what fits beside an axis.
export function valueText(value) {
  if (value === null || !Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  return value && (size < 1e-3 || size >= 1e4)
    ? value.toExponential(1).replace("e+", "e")
    : String(+value.toPrecision(4));
}

export const stepText = (step) => {
  const whole = Math.round(step * 100) / 100;
  return whole >= 1e4
    ? +(whole / 1000).toFixed(1) + "k"
    : whole.toLocaleString("en", { maximumFractionDigits: whole < 10 ? 1 : 0 });
};
