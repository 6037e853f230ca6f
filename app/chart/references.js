// What a run is compared with, and what is drawn over uPlot's plot: dashed lines at ln V, the loss
// of a blind guess, and at the loss of another model, and a thin line at each edit. Their names are
// in the line above the chart (key_line.js), where no curve is.

const DASHES = { guess: [4, 4], compared: [1, 3], edit: [2, 3] };

// [{kind, value, text}], of the loss alone. near: it is in view only where the losses come near it.
export function references({ runs: { current }, reference, quantity }) {
  if (quantity !== "loss") return [];
  const { guess, facts } = current ?? {},
    { corpus } = reference ?? {};
  const compared = reference && (corpus === null || corpus === facts?.corpus);
  return [
    ...(guess ? [{ kind: "guess", value: guess, near: guess, text: `random guessing (${guess.toFixed(2)})` }] : []),
    ...(compared
      ? [{ kind: "compared", value: reference.value, text: `${reference.name}: ${reference.value.toFixed(3)}` }]
      : []),
  ];
}

// marks: of the current run and of the one that is pointed at.
export function drawOver({ ctx, bbox, valToPos, scales }, chart, marks) {
  const { left, top, width, height } = bbox,
    ratio = devicePixelRatio;
  const stroke = (colour, dash, from, to) => {
    ctx.strokeStyle = colour;
    ctx.setLineDash(dash.map((length) => length * ratio));
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.stroke();
  };
  ctx.save();
  ctx.lineWidth = ratio;
  for (const { kind, value } of references(chart)) {
    const place = chart.y.place(value);
    if (place === null || !(place >= scales.y.min && place <= scales.y.max)) continue;
    const y = Math.round(valToPos(place, "y", true));
    stroke(chart.colours.muted, DASHES[kind], [left, y], [left + width, y]);
  }
  ctx.globalAlpha = 0.6;
  for (const { step, bad } of marks) {
    const x = Math.round(valToPos(chart.x.place(step), "x", true));
    if (x >= left && x <= left + width)
      stroke(bad ? chart.colours.bad : chart.colours.muted, DASHES.edit, [x, top], [x, top + height]);
  }
  ctx.restore();
}
