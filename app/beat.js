// When the page draws what changes while a model trains.

const REST = 250; // ms between two drawings

// Calls `draw` in the frame of the next beat, `earliest` (ms) or later. What changes while a model trains changes at the same beats: the
// numbers and the chart cost the page one frame then, and the rest of the time it is idle.
export function atBeat(draw, earliest = 0) {
  const now = performance.now(), begun = Math.max(now + 1, earliest);
  let frame = 0;
  const timer = setTimeout(() => (frame = requestAnimationFrame(draw)), Math.ceil(begun / REST) * REST - now);
  return { cancel: () => (clearTimeout(timer), cancelAnimationFrame(frame)) };
}
