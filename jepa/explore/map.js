// The map of embeddings: points that tell their example, and its nearest neighbors.

const MARGIN = { left: 52, right: 12, top: 12, bottom: 44 };
const NEAR = 22; // pixels from a point that still count as on it
const SIGNS = {
  s: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  "^": [[0, -1.3], [1.2, 0.9], [-1.2, 0.9]],
  v: [[0, 1.3], [1.2, -0.9], [-1.2, -0.9]],
  "<": [[-1.3, 0], [0.9, -1.2], [0.9, 1.2]],
  ">": [[1.3, 0], [-0.9, -1.2], [-0.9, 1.2]],
  D: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
  P: [[-0.5, -1.3], [0.5, -1.3], [0.5, -0.5], [1.3, -0.5], [1.3, 0.5], [0.5, 0.5], [0.5, 1.3], [-0.5, 1.3], [-0.5, 0.5], [-1.3, 0.5], [-1.3, -0.5], [-0.5, -0.5]],
  X: [[-1.2, -0.5], [-0.5, -1.2], [0, -0.7], [0.5, -1.2], [1.2, -0.5], [0.7, 0], [1.2, 0.5], [0.5, 1.2], [0, 0.7], [-0.5, 1.2], [-1.2, 0.5], [-0.7, 0]],
  "*": Array.from({ length: 10 }, (_, k) => [(k % 2 ? 0.6 : 1.5) * Math.sin((k * Math.PI) / 5), (k % 2 ? -0.6 : -1.5) * Math.cos((k * Math.PI) / 5)]),
};
const OTHERS = { color: "#9a9a9a", sign: "o" };
let frame = null; // {left, top, scale, x0, y0}: from the map's numbers to pixels
let moving = null; // {from, since}: the points are on their way from an earlier map

/** Return how an example's class looks. */
function lookOf(index) {
  if (!shown.map.looks.length) return { color: shown.map.blue, sign: "o" };
  return shown.map.looks.find((look) => look.class === shown.map.labels[index]) ?? OTHERS;
}

/** Draw a sign of a class around a point. */
function drawSign(pen, { color: ink, sign }, x, y, size) {
  pen.beginPath();
  if (SIGNS[sign]) SIGNS[sign].forEach(([dx, dy]) => pen.lineTo(x + size * dx, y + size * dy));
  else pen.arc(x, y, 1.1 * size, 0, 2 * Math.PI);
  pen.closePath();
  pen.fillStyle = legible(ink);
  pen.fill();
}

/** Return the coordinates (x, y, x, y, ...) of all points at this moment. */
function coordinates() {
  const now = shown.map.points.row(state.step);
  if (!moving) return now;
  const share = Math.min((performance.now() - moving.since) / 400, 1);
  const eased = share * share * (3 - 2 * share);
  if (share === 1) moving = null;
  return now.map((value, k) => moving ? moving.from[k] + eased * (value - moving.from[k]) : value);
}

/** Fit all maps into a canvas by one scale for both axes, so that they can be compared. */
function fitted(width, height) {
  const x = shown.map.points.x;
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  x.forEach((value, k) => {
    low[k % 2] = Math.min(low[k % 2], value);
    high[k % 2] = Math.max(high[k % 2], value);
  });
  const inner = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
  const scale = Math.min(...inner.map((side, k) => side / (1.08 * Math.max(high[k] - low[k], 1e-9))));
  const center = low.map((value, k) => (value + high[k]) / 2);
  return { scale, center, middle: [MARGIN.left + inner[0] / 2, MARGIN.top + inner[1] / 2], inner };
}

const toPixels = (x, y) => [
  frame.middle[0] + (x - frame.center[0]) * frame.scale,
  frame.middle[1] - (y - frame.center[1]) * frame.scale,
];

/** Return where a point is on the canvas, in CSS pixels. */
function pointAt(index) {
  const at = coordinates();
  return toPixels(at[2 * index], at[2 * index + 1]);
}

/** Return a round step that makes about five ticks of a span. */
function tickStep(span) {
  const raw = span / 5;
  const ten = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((k) => k * ten).find((step) => step >= raw);
}

function drawAxes(pen, width, height) {
  const [left, bottom] = [MARGIN.left, height - MARGIN.bottom];
  pen.font = "12px system-ui, sans-serif";
  pen.strokeStyle = color("line");
  pen.fillStyle = color("quiet");
  pen.lineWidth = 1;
  const step = tickStep(Math.min(...frame.inner) / frame.scale);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  [0, 1].forEach((axis) => {
    const half = frame.inner[axis] / frame.scale / 2;
    const first = Math.ceil((frame.center[axis] - half) / step);
    const last = Math.floor((frame.center[axis] + half) / step);
    for (let k = first; k <= last; k++) {
      const [x, y] = axis ? [left, toPixels(0, k * step)[1]] : [toPixels(k * step, 0)[0], bottom];
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(axis ? width - MARGIN.right : x, axis ? y : MARGIN.top);
      pen.stroke();
      pen.textAlign = axis ? "right" : "center";
      pen.textBaseline = axis ? "middle" : "top";
      pen.fillText((k * step).toFixed(digits), axis ? x - 6 : x, axis ? y : y + 5);
    }
  });
  const [below, beside] = shown.map.sides[state.step];
  pen.fillStyle = color("ink");
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  pen.fillText(below, frame.middle[0], height - 4, frame.inner[0]);
  pen.save();
  pen.translate(4, frame.middle[1]);
  pen.rotate(-Math.PI / 2);
  pen.textBaseline = "top";
  pen.fillText(beside, 0, 0, frame.inner[1]);
  pen.restore();
}

function renderMap() {
  const canvas = element("map");
  const width = canvas.clientWidth;
  const height = Math.round(Math.min(0.85 * width + 20, 520));
  const pen = sized(canvas, width, height);
  frame = fitted(width, height);
  drawAxes(pen, width, height);
  const at = coordinates();
  const size = Math.min(Math.max(width / 160, 2.5), 3.8);
  pen.globalAlpha = 0.8;
  shown.map.labels.forEach((_, k) => drawSign(pen, lookOf(k), ...toPixels(at[2 * k], at[2 * k + 1]), size));
  pen.globalAlpha = 1;
  for (const k of [...neighborsOf(state.point).map(([index]) => index), state.point]) {
    const [x, y] = toPixels(at[2 * k], at[2 * k + 1]);
    pen.lineWidth = k === state.point ? 3 : 1.5;
    pen.strokeStyle = color("ink");
    pen.beginPath();
    pen.arc(x, y, k === state.point ? 10 : 7.5, 0, 2 * Math.PI);
    pen.stroke();
    drawSign(pen, lookOf(k), x, y, size);
  }
  if (moving) requestAnimationFrame(renderMap);
}

/** Return the nearest neighbors of an example, [index, cosine] each. */
function neighborsOf(index) {
  const order = shown.map.neighbors.row(state.step, index);
  const near = shown.map.cosines.row(state.step, index);
  return Array.from(order, (other, k) => [other, near[k] / 1000]);
}

/** Show the example that is chosen, and what lies nearest to it. */
function renderChosen() {
  const lines = (...texts) => texts.filter(Boolean).flatMap((text, k) => (k ? [made("br"), text] : [text]));
  const { names } = shown.map;
  element("self").replaceChildren(
    thumbnail(state.point, 88),
    made("span", {}, ...lines(className(state.point), names[state.point])),
  );
  element("neighbors").replaceChildren(
    ...neighborsOf(state.point).map(([index, cosine]) => {
      const label = `neighbor ${names[index]}, cosine ${cosine.toFixed(2)}`;
      const button = made("button", { type: "button", title: names[index], "aria-label": label }, thumbnail(index, 64));
      button.onclick = () => change({ point: index });
      return made("li", {}, button, ...lines(className(index), `cosine ${cosine.toFixed(2)}`));
    }),
  );
  element("neighbors").style.setProperty("--wide", `${element("neighbors").querySelector("button").offsetWidth}px`);
}

/** Return the point under a place of the canvas; null if none is near. */
function pointUnder(event) {
  const box = element("map").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const at = coordinates();
  let [best, least] = [null, NEAR * NEAR];
  for (let k = 0; k < at.length / 2; k++) {
    const [px, py] = toPixels(at[2 * k], at[2 * k + 1]);
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (far < least) [best, least] = [k, far];
  }
  return best;
}

/** Show an example beside its point; null hides it. */
function hover(index) {
  const box = element("hover");
  box.hidden = index === null;
  if (index === null) return;
  drawThumbnail(box.firstElementChild, index, 72);
  box.lastElementChild.textContent = [className(index), shown.map.names[index]].filter(Boolean).join(", ");
  const [x, y] = pointAt(index);
  const canvas = element("map");
  box.style.left = `${Math.max(0, Math.min(x + 14, canvas.clientWidth - box.offsetWidth))}px`;
  box.style.top = `${y + 14 + box.offsetHeight < canvas.clientHeight ? y + 14 : y - 14 - box.offsetHeight}px`;
}

/** Let the points move from where they are to where another checkpoint has them. */
function moveFrom(earlier) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  moving = still ? null : { from: Float32Array.from(earlier), since: performance.now() };
}

async function startMap() {
  const { map, sheet } = shown;
  for (const name of ["points", "neighbors", "cosines"]) map[name] = await unpacked(map[name]);
  sheet.picture = await loaded(sheet.source);
  const count = map.labels.length;
  const of = count < shown.examples ? `${count} of ${shown.examples}` : `All ${count}`;
  element("map-how").textContent = `${of} examples, by ${map.method} of their embeddings. Point at one to see it, tap it to see its nearest neighbors.`;
  const counted = map.looks.map(({ class: label }) => map.labels.filter((other) => other === label).length);
  const rest = count - counted.reduce((a, b) => a + b, 0);
  const rows = map.looks.map((look, k) => [look, `${map.classes[look.class]} (${counted[k]})`]);
  if (rest && map.looks.length) rows.push([OTHERS, `others (${rest})`]);
  element("legend").replaceChildren(...rows.map(([look, text]) => {
    const sign = made("canvas");
    drawSign(sized(sign, 14, 14), look, 7, 7, 4);
    sign.style.width = "14px";
    return made("li", {}, sign, text);
  }));
  listenToMap(element("map"));
}

function listenToMap(canvas) {
  canvas.addEventListener("pointermove", (event) => hover(pointUnder(event)));
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hover(null));
  canvas.addEventListener("click", (event) => {
    const point = pointUnder(event);
    hover(point);
    if (point !== null) change({ point });
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const count = shown.map.labels.length;
    change({ point: (state.point + by + count) % count });
    hover(state.point);
  });
}
