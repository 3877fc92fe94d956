// The page around the panel: what the server says put into words, and what is pressed sent to it.
// The protocol is described in framework/panel/web.py, the dots are drawn by leds.js.
//
// For tests there is one read-only hook, `window.panel`: `sequence` is that of the frame on the
// screen (null: none yet), `size` its dots across and down, `pixel(x, y)` what the canvas shows in the
// middle of a dot.

import { Leds } from "/leds.js";

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5000;
const LONG_PRESS_MS = 500;
const TAP_MOVES_PX = 10;
const HEADER_BYTES = 12;

const NEVER = "No connection: a proxy must pass on Host and Upgrade";

const SIGNS = { fresh: "●", late: "▲", expired: "✕", "no data": "○", failed: "!" };
const FRESHNESS = ["fresh", "late", "expired"];

const $ = (id) => document.getElementById(id);
const canvas = $("panel");

let leds = null;
let drawn = null; // the frame on the screen: { sequence, rgb }
let socket = null;
let met = false; // whether there ever was a connection
let retryMs = FIRST_RETRY_MS;
let retrying = 0; // timer
let status = null;
let aheadMs = 0; // of the bus's time before performance.now()
let ticking = 0; // timer
let shift = [0, 0]; // of the canvas, CSS pixels

window.panel = Object.freeze({
  get sequence() {
    return drawn && drawn.sequence;
  },
  get size() {
    return leds && [leds.width, leds.height];
  },
  pixel: (x, y) => leds.pixel(x, y),
});

// ---- The connection

function connect() {
  clearTimeout(retrying);
  socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    retryMs = FIRST_RETRY_MS;
    met = true;
    if (document.hidden) ask("watch", { watching: false });
    notice();
    tick();
  };
  socket.onmessage = ({ data }) => (typeof data === "string" ? heard(JSON.parse(data)) : frame(data));
  socket.onclose = () => {
    notice();
    tick();
    retrying = setTimeout(connect, retryMs * (0.75 + Math.random() / 2));
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  };
}

const connected = () => socket?.readyState === WebSocket.OPEN;

function ask(what, more = {}) {
  if (connected()) socket.send(JSON.stringify({ do: what, ...more }));
}

function heard(message) {
  if (message.look && !leds) {
    leds = new Leds(canvas, message.look, 128, 64);
    fit();
  }
  if (message.status) {
    status = message.status;
    aheadMs = Date.parse(status.now) - performance.now();
    describe();
  }
}

async function frame(buffer) {
  const from = socket;
  const header = new DataView(buffer, 0, HEADER_BYTES);
  const [width, height] = [header.getUint16(0, true), header.getUint16(2, true)];
  const [sequence, base] = [header.getUint32(4, true), header.getUint32(8, true)];
  let how = "failed";
  try {
    const rgb = await inflated(new Uint8Array(buffer, HEADER_BYTES));
    if (from !== socket) return; // that connection is lost, and the next begins with a whole frame
    if (base !== sequence) addTo(rgb, base);
    if (width !== leds.width || height !== leds.height) {
      leds.resize(width, height);
      fit();
    }
    leds.show(rgb);
    drawn = { sequence, rgb };
    how = "drawn";
  } finally {
    if (from === socket) ask(how, { sequence }); // whatever happened: else no other frame would come
  }
}

// Makes what has changed since `base` the whole frame.
function addTo(change, base) {
  if (base !== drawn?.sequence) throw new Error(`frame ${base} is not on the screen`);
  drawn.rgb.forEach((value, at) => {
    change[at] += value; // modulo 256, as bytes are
  });
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

document.addEventListener("visibilitychange", () => {
  ask("watch", { watching: !document.hidden });
  if (!document.hidden && socket.readyState === WebSocket.CLOSED) connect();
  tick();
});

// ---- What is said

const now = () => performance.now() + aheadMs;
const ms = (time) => (time === null ? null : Date.parse(time));

function describe() {
  const page = status.pages.find(({ name }) => name === status.page);
  const title = page ? page.title : status.page;
  say($("what"), title);
  document.title = `${title} · Matrix`;
  canvas.setAttribute("aria-label", `${title}, ${status.why}`);
  press($("pause"), status.paused);
  press($("pin"), status.pinned);
  for (const size of $("sizes").children) {
    press(size, +size.dataset.width === status.width && +size.dataset.height === status.height);
  }
  $("sizes").hidden = status.fixed;
  items($("pages"), status.pages, pageItem, describePage);
  const remarks = [status.remark, ...status.feeds.map(({ credit }) => credit)].filter(Boolean);
  say($("remark"), [...new Set(remarks)].join(" · "));
  notice();
  tick();
  fit(); // the rows below may have grown
}

// Time goes on here by itself: the server only tells changes.
function tick() {
  clearTimeout(ticking);
  if (!status || document.hidden) return;
  const until = ms(status.until);
  const leftMs = until === null ? 0 : Math.max(until - now(), 0);
  const left = leftMs > 0 ? ` in ${seconds(Math.ceil(leftMs / 1000))}` : " now";
  const next = connected() ? status.next_title : null; // what comes is not known here for long
  say($("why"), `, ${status.why}${next === null ? "" : "; "}`);
  say($("soon"), next === null ? "" : `next ${next}${until === null ? "" : left}`);
  items($("feeds"), status.feeds, feedItem, describeFeed);
  ticking = setTimeout(tick, leftMs > 0 ? (leftMs % 1000) + 1 : 1000);
}

function pageItem() {
  const item = listItem("button");
  item.firstChild.type = "button";
  item.firstChild.onclick = ({ currentTarget }) => ask("pin", { name: currentTarget.name });
  return item;
}

function describePage(item, page) {
  const button = item.firstChild;
  const on = page.name === status.page;
  button.name = page.name;
  button.title = page.problem ?? `Pin ${page.title}`;
  if (on) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  press(button, on && status.pinned);
  words(button, page.state, page.title, page.state === "fresh" ? "" : page.state);
}

const feedItem = () => listItem("div");

// As fresh as the server said, or less: it may have been a while, or the connection is lost.
function describeFeed(item, feed) {
  const dropped = feed.dropped ? `, ${feed.dropped} not valid` : "";
  const troubles = dropped + (feed.failing ? `: ${feed.failing}` : "");
  if (feed.freshness === null) {
    words(item.firstChild, "no data", feed.title, `nothing yet${troubles}`);
    return;
  }
  const time = now();
  const passed = [ms(feed.valid), ms(feed.expires)].filter((limit) => limit !== null && limit <= time);
  const state = FRESHNESS[Math.max(FRESHNESS.indexOf(feed.freshness), passed.length)];
  const age = seconds(Math.max(Math.floor((time - ms(feed.since)) / 1000), 0));
  words(item.firstChild, state, feed.title, age + (state === "fresh" ? "" : `, ${state}`) + troubles);
}

function notice() {
  document.body.classList.toggle("lost", !connected());
  if (!connected()) say($("notice"), met ? "Connection lost, trying again…" : NEVER);
  else if (status && !status.connected) say($("notice"), "The bus does not answer: nothing new comes");
  else say($("notice"), "");
}

// ---- Small words

function seconds(count) {
  if (count < 60) return `${count} s`;
  if (count < 3600) return `${Math.floor(count / 60)} min`;
  if (count < 48 * 3600) return `${Math.floor(count / 3600)} h`;
  return `${Math.floor(count / 86400)} days`;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function press(button, pressed) {
  button.setAttribute("aria-pressed", pressed);
}

// A list item with a sign, a title and more words: by its state, never by colour alone.
function listItem(tag) {
  const item = document.createElement("li");
  const box = document.createElement(tag);
  for (const name of ["sign", "title", "more"]) {
    const part = document.createElement("span");
    part.className = name;
    box.append(part);
  }
  box.firstChild.setAttribute("aria-hidden", "true");
  item.append(box);
  return item;
}

function words(box, state, title, more) {
  const [sign, name, rest] = box.children;
  box.dataset.state = state;
  say(sign, SIGNS[state]);
  say(name, title);
  say(rest, more && ` ${more}`);
}

// Changes what is there instead of making it anew: what has the focus keeps it.
function items(list, all, make, describeOne) {
  while (list.children.length > all.length) list.lastElementChild.remove();
  while (list.children.length < all.length) list.append(make());
  all.forEach((one, at) => describeOne(list.children[at], one));
}

// ---- The panel on the screen

const filled = () => document.body.classList.contains("filled");

function fit() {
  if (!leds) return;
  const stage = $("stage");
  const { paddingLeft, paddingRight } = getComputedStyle(stage);
  const width = stage.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const rest = $("all").offsetHeight - canvas.offsetHeight;
  const height = Math.max(window.innerHeight - rest, window.innerHeight * 0.45);
  if (filled()) leds.fit(window.innerWidth, window.innerHeight);
  else leds.fit(width, height);
  align();
}

// In the middle of something odd the dots would lie between device pixels, and blur. To move the
// canvas costs a new picture of it, so it is moved only if it must be.
function align() {
  const ratio = window.devicePixelRatio;
  const { left, top } = canvas.getBoundingClientRect();
  const off = (at) => (Math.round(at * ratio) - at * ratio) / ratio;
  const [x, y] = [off(left + window.scrollX), off(top + window.scrollY)];
  if (Math.abs(x) < 0.01 && Math.abs(y) < 0.01) return;
  shift = [shift[0] + x, shift[1] + y];
  canvas.style.translate = `${shift[0]}px ${shift[1]}px`;
}

function fill(on) {
  document.body.classList.toggle("filled", on);
  if (on) document.documentElement.requestFullscreen?.().catch(() => {}); // then the window it is
  else if (document.fullscreenElement) document.exitFullscreen();
  fit();
}

window.addEventListener("resize", fit);
document.addEventListener("fullscreenchange", () => {
  if (!document.fullscreenElement) fill(false);
});

// ---- Buttons, keys and fingers

const pinThis = () => status && ask("pin", { name: status.page });

const DEEDS = {
  previous: () => ask("previous"),
  pause: () => ask("pause"),
  next: () => ask("next"),
  pin: pinThis,
  fill: () => fill(!filled()),
  leave: () => fill(false),
  keys: () => $("help").showModal(),
  close: () => $("help").close(),
};
for (const [id, deed] of Object.entries(DEEDS)) $(id).addEventListener("click", deed);

for (const size of $("sizes").children) {
  size.addEventListener("click", () =>
    ask("resize", { width: +size.dataset.width, height: +size.dataset.height }),
  );
}

// A button that was clicked must not keep the space bar for itself; one reached by Tab does.
document.addEventListener("click", ({ detail, target }) => {
  if (detail > 0) target.closest("button")?.blur();
});

const KEYS = {
  " ": DEEDS.pause,
  arrowleft: DEEDS.previous,
  arrowright: DEEDS.next,
  p: DEEDS.pin,
  f: DEEDS.fill,
  "?": DEEDS.keys,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const key = event.key.toLowerCase();
  if (key === "escape" && filled()) fill(false);
  if (!(key in KEYS)) return;
  if (key === " " && event.target.closest("button, a")) return;
  event.preventDefault();
  if (!event.repeat || key.startsWith("arrow")) KEYS[key]();
});

let pressed = null;

function letGo() {
  clearTimeout(pressed?.timer);
  pressed = null;
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  const timer = setTimeout(() => {
    letGo();
    pinThis();
  }, LONG_PRESS_MS);
  pressed = { timer, x: event.clientX, y: event.clientY };
});
canvas.addEventListener("pointermove", ({ clientX, clientY }) => {
  if (pressed && Math.hypot(clientX - pressed.x, clientY - pressed.y) > TAP_MOVES_PX) letGo();
});
canvas.addEventListener("pointerup", () => {
  if (pressed) DEEDS.next();
  letGo();
});
canvas.addEventListener("pointercancel", letGo);
canvas.addEventListener("pointerleave", letGo);
canvas.addEventListener("contextmenu", (event) => event.preventDefault());

connect();
