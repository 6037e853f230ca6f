// A smooth line through noisy values: an exponential moving average, corrected for its bias at the
// first values (Kingma and Ba 2014, section 3), so that it begins at the first one and not at zero.

// weight: of what came before, 0 to below 1. A value that is not finite leaves the average alone.
export function smoothed(values, weight) {
  let average = 0,
    total = 0; // the weights so far: 1 - weight ** n
  return values.map((value) => {
    if (value !== null && Number.isFinite(value)) {
      average = weight * average + (1 - weight) * value;
      total = weight * total + (1 - weight);
    }
    return total ? average / total : null;
  });
}
