// Where the places of an example look, and which others they resemble.

const MEAN = -1; // in the place of a head: the mean of all heads of the layer
const CLASS_TOKEN = -1; // in the place of a place

/** Return which of all blocks' heads are a layer's. */
function headsOf(layer) {
  const first = shown.places.heads.slice(0, layer).reduce((a, b) => a + b, 0);
  return Array.from({ length: shown.places.heads[layer] }, (_, k) => first + k);
}

/** Return what the asked token gives to each place, from 0 to 1, in one head or the mean of a layer's heads. */
function given(head) {
  const { attention, peaks, before } = shown.places;
  const token = state.place === CLASS_TOKEN ? 0 : before + state.place;
  const heads = head === MEAN ? headsOf(state.layer) : [headsOf(state.layer)[head]];
  const rows = heads.map((k) => {
    const peak = peaks.row(state.step, state.example, k)[token];
    return Float32Array.from(attention.row(state.step, state.example, k, token), (byte) => (byte / 255) * peak);
  });
  return rows[0].map((_, place) => rows.reduce((sum, row) => sum + row[place], 0) / rows.length);
}

/** Return the cosine of the asked place's token with each other; null of the class token. */
function cosines() {
  if (state.place === CLASS_TOKEN) return null;
  const row = shown.places.cosines.row(state.step, state.example, state.place);
  return Float32Array.from(row, (byte) => byte / 127.5 - 1);
}

/** Return the areas of a place in the picture of an example, in shares of its width and height. */
function areas(example, place) {
  const row = shown.places.boxes.row(example, place);
  const found = [];
  for (let k = 0; k < row.length; k += 4) if (row[k + 2] > row[k]) found.push(row.subarray(k, k + 4));
  return found;
}

/** Return the place at a point of an example's picture; null if there is none. */
function placeAt(example, x, y) {
  const count = shown.places.boxes.shape[1];
  for (let place = 0; place < count; place++)
    if (areas(example, place).some(([l, t, r, b]) => l <= x && x < r && t <= y && y < b)) return place;
  return null;
}

/** Return what is around all places, without axes and their letters. */
function inside(example) {
  const all = Array.from({ length: shown.places.boxes.shape[1] }, (_, place) => areas(example, place)).flat();
  return [Math.min, Math.min, Math.max, Math.max].map((most, side) => most(...all.map((area) => area[side])));
}

/** Draw a part of an example, values from `low` to `high` over its places, and a frame around the one that is asked. */
function drawHeat(canvas, values, [low, high], width, { part = [0, 0, 1, 1], strength = state.strength } = {}) {
  const { picture, width: w, height: h } = shown.places.pictures[state.example];
  const [left, top, right, bottom] = part;
  const height = (width * (bottom - top) * h) / ((right - left) * w);
  const pen = sized(canvas, width, height);
  pen.imageSmoothingEnabled = shown.sheet.smooth || w > width;
  pen.drawImage(picture, left * w, top * h, (right - left) * w, (bottom - top) * h, 0, 0, width, height);
  const across = (share) => Math.round(((share - left) / (right - left)) * width);
  const down = (share) => Math.round(((share - top) / (bottom - top)) * height);
  const frame = (place, draw) => {
    for (const [l, t, r, b] of areas(state.example, place))
      draw(across(l), down(t), across(r) - across(l), down(b) - down(t));
  };
  values?.forEach((value, place) => {
    const [red, green, blue] = heat((value - low) / Math.max(high - low, 1e-9));
    pen.fillStyle = `rgb(${red} ${green} ${blue} / ${strength})`;
    frame(place, (...box) => pen.fillRect(...box));
  });
  if (state.place === CLASS_TOKEN) return;
  for (const [ink, line] of width < 120 ? [["#ffffff", 1]] : [["#ffffff", 4], ["#d55e00", 2]]) {
    pen.strokeStyle = ink;
    pen.lineWidth = line;
    frame(state.place, (...box) => pen.strokeRect(...box));
  }
}

/** Return a place in words: its number, or its row and column. */
function said(place) {
  const { grid, group } = shown.places;
  const what = group > 1 ? `group of ${grid.map(() => group).join(" x ")} patches` : "patch";
  if (place === CLASS_TOKEN) return "the class token";
  if (grid.length === 1) return `${what} ${place + 1}`;
  const [rows, columns] = grid.slice(-2);
  const slice = Math.floor(place / (rows * columns)) + 1; // of a clip
  const where = [`row ${(Math.floor(place / columns) % rows) + 1}`, `column ${(place % columns) + 1}`];
  return `the ${what} in ${[...(grid.length > 2 ? [`slice ${slice}`] : []), ...where].join(", ")}`;
}

function renderAttention() {
  const values = given(state.head);
  const most = values.indexOf(Math.max(...values));
  const canvas = element("attention-map");
  drawHeat(canvas, values, [0, values[most]], canvas.clientWidth);
  element("attention-low").textContent = "0 %";
  element("attention-high").textContent = `${percent(values[most])} of its attention`;
  const head = state.head === MEAN ? "the mean of its heads" : `head ${state.head + 1}`;
  const even = percent(1 / (values.length + shown.places.before));
  const text = `Layer ${state.layer + 1}, ${head}: ${said(state.place)} looks most at ${said(most)}, ${percent(values[most])} (looking evenly would be ${even}).`;
  element("attention-said").textContent = text;
  canvas.setAttribute("aria-label", `heat map of attention. ${text}`);
  element("layer-said").textContent = `${state.layer + 1} of ${shown.places.heads.length}`;
  renderHeads();
}

/** Draw a small map of each head of the layer, to choose one by. */
function renderHeads() {
  const part = inside(state.example);
  const { width, height } = shown.places.pictures[state.example];
  const ratio = ((part[2] - part[0]) * width) / ((part[3] - part[1]) * height);
  const across = Math.min(64 * Math.sqrt(ratio), 150);
  const row = element("heads");
  const heads = [MEAN, ...headsOf(state.layer).keys()];
  while (row.children.length > heads.length) row.lastChild.remove();
  heads.forEach((head, k) => {
    const button = row.children[k] ?? row.appendChild(made("button", { type: "button" }, made("canvas"), made("span")));
    button.onclick = () => change({ head });
    button.setAttribute("aria-pressed", head === state.head);
    button.lastChild.textContent = head === MEAN ? "mean" : `head ${head + 1}`;
    const values = given(head);
    drawHeat(button.firstChild, values, [0, Math.max(...values)], across, { part, strength: 0.9 });
    button.firstChild.style.width = `${across}px`;
  });
}

function renderCosines() {
  const values = cosines();
  const canvas = element("cosine-map");
  const low = values ? Math.min(...values) : 0;
  drawHeat(canvas, values, [low, 1], canvas.clientWidth);
  element("cosine-low").textContent = low.toFixed(2);
  element("cosine-high").textContent = "1.00 cosine";
  const mean = values && (values.reduce((a, b) => a + b, 0) - 1) / Math.max(values.length - 1, 1);
  const text = values
    ? `What resembles ${said(state.place)}: the cosine of its token with each other at the end of the encoder, ${mean.toFixed(2)} on average.`
    : "The class token has no place: tap one to see what resembles it.";
  element("cosine-said").textContent = text;
  canvas.setAttribute("aria-label", `heat map of similarity. ${text}`);
}

/** Draw all that shows places. */
function renderPlaces() {
  if (!shown.places) return;
  if (shown.places.heads.length) renderAttention();
  renderCosines();
  [...element("examples").children].forEach((b, k) => b.setAttribute("aria-pressed", k === state.example));
  element("class-token").setAttribute("aria-pressed", state.place === CLASS_TOKEN);
}

/** Let a canvas answer to taps and arrow keys. */
function listenToPlaces(canvas) {
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const place = placeAt(state.example, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    if (place !== null) change({ place });
  });
  canvas.addEventListener("keydown", (event) => {
    const columns = shown.places.grid.at(-1);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const place = Math.max(state.place, 0) + by;
    if (place >= 0 && place < shown.places.boxes.shape[1]) change({ place });
  });
}

async function startPlaces() {
  const { places } = shown;
  if (!places) {
    element("places-how").textContent = "This encoder makes a single token of an example: there are no places to ask.";
    element("examples").hidden = true;
    document.querySelector("#places .side-by-side").hidden = true;
    return;
  }
  for (const name of ["boxes", "attention", "peaks", "cosines"]) places[name] = await unpacked(places[name]);
  for (const picture of places.pictures) picture.picture = await loaded(picture.source);
  const looks = places.heads.length > 0;
  element("places-how").textContent = looks
    ? "Tap a patch: the first map shows where it looks, in one layer and head; the second which patches have tokens like its own."
    : "Tap a place: the map shows which places have tokens like its own. This encoder has no attention.";
  if (!looks) element("places-title").textContent = "What a place resembles";
  const wide = places.pictures[0].width > 3 * places.pictures[0].height;
  for (const figure of document.querySelectorAll("#places figure")) figure.classList.toggle("wide", wide);
  for (const id of ["attention", "layer-row", "heads"]) element(id).hidden = !looks;
  element("class-token").hidden = places.before === 0;
  element("class-token").onclick = () => change({ place: state.place === CLASS_TOKEN ? middle() : CLASS_TOKEN });
  element("layer").max = places.heads.length;
  element("layer").oninput = (event) => {
    const layer = event.target.value - 1;
    change({ layer, head: Math.min(state.head, places.heads[layer] - 1) });
  };
  element("strength").oninput = (event) => change({ strength: event.target.value / 100 });
  places.pictures.forEach((_, example) => {
    const label = [`example ${example + 1}`, className(example)].filter(Boolean).join(": ");
    const button = made("button", { type: "button", "aria-label": label, title: label }, thumbnail(example, 48));
    button.onclick = () => change({ example });
    element("examples").append(button);
  });
  listenToPlaces(element("attention-map"));
  listenToPlaces(element("cosine-map"));
}

/** Return the place in the middle of the grid. */
const middle = () => shown.places.grid.reduce((at, length) => at * length + Math.floor(length / 2), 0);
