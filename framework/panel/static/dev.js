// The page around the pictures of a page that is being written: what the server says is put here.
// The protocol is described in framework/panel/dev/workbench.py, the dots are drawn by leds.js.
//
// For tests there is one read-only hook, `window.dev`: `pixel(number, x, y)` is what a picture shows
// in the middle of a dot.

import { Leds } from "/leds.js";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5000;
const HEADER_BYTES = 12;
const LEAST_PITCH = 4; // device pixels: the least that makes round dots
const PITCH = 3; // CSS pixels, at least

const SIGNS = { fresh: "●", late: "▲", expired: "✕", empty: "○" };

const $ = (id) => document.getElementById(id);

let look = null;
let socket = null;
let retryMs = FIRST_RETRY_MS;
let pictures = []; // by number: { figure, leds, problem }
let laidOut = ""; // the states and sizes that there are pictures for
let queue = Promise.resolve(); // what is heard is dealt with in order

window.dev = Object.freeze({
  pixel: (number, x, y) => pictures[number].leds.pixel(x, y),
});

// ---- The connection

function connect() {
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    retryMs = FIRST_RETRY_MS;
    if (document.hidden) ask("watch", { watching: false });
    notice("");
  };
  socket.onmessage = ({ data }) => {
    const deal = () => (typeof data === "string" ? heard(JSON.parse(data)) : frame(data));
    queue = queue.then(deal).catch(console.error); // whatever happened: else nothing more would come
  };
  socket.onclose = () => {
    notice("Connection lost, trying again…");
    setTimeout(connect, retryMs * (0.75 + Math.random() / 2));
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  };
}

const connected = () => socket.readyState === WebSocket.OPEN;

function ask(what, more = {}) {
  if (connected()) socket.send(JSON.stringify({ do: what, ...more }));
}

function heard(message) {
  if (message.look) look = message.look;
  if (message.status) describe(message.status);
  if (message.end) ask("drawn");
}

async function frame(buffer) {
  const header = new DataView(buffer, 0, HEADER_BYTES);
  const bytes = new Uint8Array(buffer, HEADER_BYTES);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const rgb = new Uint8Array(await new Response(stream).arrayBuffer());
  pictures[header.getUint32(4, true)].leds.show(rgb);
}

document.addEventListener("visibilitychange", () => ask("watch", { watching: !document.hidden }));

// ---- What is said

function describe(status) {
  const { target, title, doing, problem, problems, feeds } = status;
  document.title = `${problem === null ? "" : "✕ "}${title ?? target} · Matrix`;
  $("title").textContent = title ?? target;
  $("target").textContent = title ? target : "";
  notice(doing === null ? "" : `${doing}…`);
  $("problem").textContent = problem ?? "";
  $("problem").hidden = problem === null;
  $("states").hidden = problem !== null;
  $("feeds").replaceChildren(...(feeds ?? []).map(feedItem));
  if (status.states) layOut(status.states, status.sizes);
  pictures.forEach((picture, number) => {
    const wrong = problems[number];
    picture.problem.textContent = wrong ?? "";
    picture.problem.hidden = wrong === undefined;
    picture.canvas.hidden = wrong !== undefined;
  });
}

function feedItem({ name, source }) {
  const item = document.createElement("li");
  const title = document.createElement("b");
  title.textContent = name;
  item.append(title, ` ${source}`);
  return item;
}

function notice(text) {
  $("notice").textContent = text;
  document.body.classList.toggle("lost", !connected());
}

// ---- The pictures

function layOut(states, sizes) {
  const layout = JSON.stringify([states, sizes]);
  if (layout === laidOut) return;
  laidOut = layout;
  pictures = [];
  $("states").replaceChildren(...states.map((state) => section(state, sizes)));
  fit();
}

function section(state, sizes) {
  const part = document.createElement("section");
  part.dataset.state = state;
  const heading = document.createElement("h2");
  heading.dataset.sign = SIGNS[state];
  heading.textContent = state;
  part.append(heading, ...sizes.map(([width, height]) => figure(state, width, height)));
  return part;
}

function figure(state, width, height) {
  const all = document.createElement("figure");
  const canvas = document.createElement("canvas");
  const problem = document.createElement("pre");
  const caption = document.createElement("figcaption");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${state} at ${width}×${height}`);
  problem.hidden = true;
  caption.textContent = `${width}×${height}`;
  all.classList.toggle("wide", width > 128);
  all.append(canvas, problem, caption);
  pictures.push({ canvas, problem, leds: new Leds(canvas, look, width, height) });
  return all;
}

function fit() {
  const ratio = window.devicePixelRatio;
  const room = (document.body.clientWidth * ratio) / 300; // the widest, with what is around it
  const pitch = Math.max(1, Math.min(Math.max(LEAST_PITCH, Math.round(PITCH * ratio)), Math.floor(room)));
  for (const { leds, problem, canvas } of pictures) {
    leds.fit((leds.width * pitch) / ratio, (leds.height * pitch) / ratio);
    problem.style.maxWidth = canvas.style.width;
  }
}

window.addEventListener("resize", fit);

connect();
