// Draws windows over time: stacked probabilities, and hatching for silence.
const SHORTEST_S = 20, LONGEST_S = 60; // that are shown
const LEFT = 52, RIGHT = 8, TOP = 8, BOTTOM = 28;

// Each window is drawn where its middle is the nearest, but never far from it: skipped windows are gaps.
const edgesOf = (rows, i, stepS) => {
  const middle = row => (row.start_s + row.stop_s) / 2;
  const here = middle(rows[i]);
  const before = i > 0 ? (middle(rows[i - 1]) + here) / 2 : here - stepS / 2;
  const after = i + 1 < rows.length ? (here + middle(rows[i + 1])) / 2 : here + stepS / 2;
  return [Math.max(before, here - stepS), Math.min(after, here + stepS)];
};

const hatching = (context, colour) => {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const on = tile.getContext("2d");
  on.strokeStyle = colour;
  on.beginPath();
  for (const shift of [-8, 0, 8]) {
    on.moveTo(shift, 8);
    on.lineTo(shift + 8, 0);
  }
  on.stroke();
  return context.createPattern(tile, "repeat");
};

export const draw = (canvas, rows, colours, stepS) => {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const ink = style.color, line = "#9aa5b1";
  const last = rows.length ? rows[rows.length - 1].stop_s : 0;
  const to = Math.max(SHORTEST_S, last), from = Math.max(0, to - LONGEST_S);
  const x = second => LEFT + (width - LEFT - RIGHT) * (second - from) / (to - from);
  const y = share => TOP + (height - TOP - BOTTOM) * (1 - share);
  const silence = hatching(context, line);
  for (let i = rows.length - 1; i >= 0 && rows[i].stop_s >= from; i--) {
    const [start, stop] = edgesOf(rows, i, stepS);
    const left = Math.max(LEFT, x(start)), wide = Math.max(0, x(stop) - left) + 0.5;
    if (rows[i].probabilities === null) {
      context.fillStyle = silence;
      context.fillRect(left, y(1), wide, y(0) - y(1));
      continue;
    }
    let base = 0;
    rows[i].probabilities.forEach((share, k) => {
      context.fillStyle = colours[k];
      context.fillRect(left, y(base + share), wide, y(base) - y(base + share));
      base += share;
    });
  }
  context.strokeStyle = line;
  context.fillStyle = ink;
  context.font = `13px ${style.fontFamily}`;
  context.strokeRect(LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const share of [0, 0.5, 1]) context.fillText(`${100 * share} %`, LEFT - 6, y(share) + (share === 1 ? 5 : 0));
  context.textAlign = "center";
  context.textBaseline = "top";
  const every = to - from > 40 ? (width < 600 ? 20 : 10) : 5;
  for (let second = Math.ceil(from / every) * every; second <= to; second += every) {
    const at = Math.min(x(second), width - RIGHT - 14);
    context.fillText(`${second} s`, at, height - BOTTOM + 6);
  }
};
