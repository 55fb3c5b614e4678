// What is chosen now, and what follows from it.

const state = { step: 0, example: 0, place: 0, layer: 0, head: MEAN, strength: 0.65, point: 0 };

/** Choose something else, and show it. */
function change(what) {
  if ("step" in what && what.step !== state.step) {
    moveFrom(coordinates());
    hover(null);
  }
  Object.assign(state, what);
  render();
}

function render() {
  renderPlaces();
  renderMap();
  renderChosen();
  const { steps } = shown;
  element("step-said").textContent = `${steps[state.step] ?? "untrained"} (${state.step + 1} of ${steps.length})`;
  for (const bar of document.querySelectorAll("canvas.bar")) {
    const pen = bar.getContext("2d");
    for (let x = 0; x < bar.width; x++) {
      pen.fillStyle = `rgb(${heat(x / (bar.width - 1)).join(" ")})`;
      pen.fillRect(x, 0, 1, bar.height);
    }
  }
}

async function start() {
  const kept = `the run kept ${shown.kept} ${shown.kept === 1 ? "checkpoint" : "checkpoints"} (train.keep)`;
  element("about").textContent = `Encoder ${shown.encoder}; ${kept}. The page holds all that it shows, and loads nothing.`;
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is older than 2023 and cannot unpack the page");
  await startMap();
  await startPlaces();
  const last = shown.steps.length - 1;
  state.step = last;
  if (shown.places) Object.assign(state, { place: middle(), layer: Math.max(shown.places.heads.length - 1, 0) });
  element("layer").value = state.layer + 1;
  element("step").max = last;
  element("step").value = last;
  element("step").disabled = last === 0;
  element("step").oninput = (event) => change({ step: Number(event.target.value) });
  document.querySelector("main").hidden = false;
  render();
  const widths = new Map();
  const watcher = new ResizeObserver((entries) => {
    const others = entries.filter(({ target, contentRect: { width } }) => widths.get(target) !== width);
    for (const { target, contentRect } of others) widths.set(target, contentRect.width);
    if (others.length) render();
  });
  for (const id of ["map", "attention-map", "cosine-map"]) watcher.observe(element(id));
  dark.addEventListener("change", () => location.reload());
}

start().catch((error) => {
  element("trouble").textContent = `The page cannot be shown: ${error.message}.`;
  element("trouble").hidden = false;
});
