// When the page draws what changes while a model trains.

const REST = 250; // ms between two drawings

// Calls `draw` in the next shared frame, `earliest` (ms) or later. Everything that changes while a
// model trains is drawn in the same frames: the numbers and the chart cost the page one frame, and
// the rest of the time it is idle.
export function atNextFrame(draw, earliest = 0) {
  const now = performance.now(),
    begun = Math.max(now + 1, earliest);
  let frame = 0;
  const timer = setTimeout(() => (frame = requestAnimationFrame(draw)), Math.ceil(begun / REST) * REST - now);
  return { cancel: () => (clearTimeout(timer), cancelAnimationFrame(frame)) };
}
