"use strict";
// What the page was given, as arrays; colors; small pictures.

const shown = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const KINDS = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array, f4: Float32Array };

/** Return an array, {x, shape, row(...index)}: `row` gives what lies behind the first indices, without a copy. */
async function unpacked({ kind, shape, bytes }) {
  const packed = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const x = new KINDS[kind](await new Response(stream).arrayBuffer());
  const row = (...index) => {
    const size = shape.slice(index.length).reduce((a, b) => a * b, 1);
    const first = index.reduce((at, i, axis) => at * shape[axis] + i, 0) * size;
    return x.subarray(first, first + size);
  };
  return { x, shape, row };
}

/** Return a loaded picture of a data URI. */
async function loaded(source) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  return picture;
}

/** Return a new element with attributes and children; texts are never taken for markup. */
function made(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// -- colors ------------------------------------------------------------------------------------------------------------

const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const dark = matchMedia("(prefers-color-scheme: dark)");
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Return the color of a share from 0 to 1 on the ramp, as [red, green, blue]. */
function heat(share) {
  const at = Math.min(Math.max(share, 0), 1) * (shown.ramp.length - 1);
  const low = Math.min(Math.floor(at), shown.ramp.length - 2);
  const [a, b] = [parts(shown.ramp[low]), parts(shown.ramp[low + 1])];
  return a.map((value, k) => Math.round(value + (at - low) * (b[k] - value)));
}

/** Return a color of the palette as it can be seen on the page's ground: on a dark one, light enough. */
function legible(hex) {
  if (!dark.matches) return hex;
  if (hex === "#000000") return color("ink");
  let rgb = parts(hex);
  const light = () => 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
  while (light() < 125) rgb = rgb.map((value) => value + 0.1 * (255 - value) + 1);
  return `rgb(${rgb.map(Math.round).join(" ")})`;
}

// -- canvases ----------------------------------------------------------------------------------------------------------

/** Size a canvas for the screen's own pixels, and return its context, which counts in CSS pixels. */
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

/** Draw an example of the sheet of thumbnails, within so much height and width. */
function drawThumbnail(canvas, index, most, widest = 3 * most) {
  const { width: w, height: h, columns, picture, smooth } = shown.sheet;
  const [width, height] = [w, h].map((side) => Math.round(side * Math.min(most / h, widest / w)));
  const pen = sized(canvas, width, height);
  canvas.style.width = `${width}px`;
  pen.imageSmoothingEnabled = smooth || h >= height; // small images keep their pixels
  pen.drawImage(picture, (index % columns) * w, Math.floor(index / columns) * h, w, h, 0, 0, width, height);
  return canvas;
}

const thumbnail = (index, most) =>
  drawThumbnail(made("canvas", { role: "img", "aria-label": shown.map.names[index] }), index, most);

/** Return the class of an example in words. */
function className(index) {
  const label = shown.map.labels[index];
  return label < 0 ? (shown.map.classes.length ? "no class" : "") : shown.map.classes[label];
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
