// Draws a panel of LEDs on a canvas: what a dot looks like, and nothing else.
//
// The constants come from framework/panel/led.py, which also makes the PNG of now. What is costly
// is done at the panel's own resolution; for each pixel of the screen there are only three fills:
// the colours, a pattern that covers what is between the dots, and the glow.

export class Leds {
  #canvas;
  #pen;
  #look;
  #brightness; // of each value
  #kernel;
  #width;
  #height;
  #lit; // the frame as bright as it shines, red, green, blue and one unused
  #colours; // a pixel a dot
  #glow;
  #pitch = 0; // device pixels
  #between = null; // the pattern; null: plain squares

  constructor(canvas, look, width, height) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d", { alpha: false });
    this.#look = look;
    this.#brightness = Uint8Array.from({ length: 256 }, (_, value) =>
      Math.round(255 * (value / 255) ** look.exponent),
    );
    this.#kernel = gaussian(look.glowSigma);
    this.resize(width, height);
  }

  get width() {
    return this.#width;
  }

  get height() {
    return this.#height;
  }

  // So many dots from now on, all of them off. Call `fit` next.
  resize(width, height) {
    this.#width = width;
    this.#height = height;
    this.#lit = new Uint8Array(width * height * 4);
    this.#colours = layer(width, height);
    this.#glow = layer(width, height);
    this.#light(new Uint8Array(width * height * 3));
    this.#pitch = 0;
  }

  // As large as so many CSS pixels allow, with a whole number of device pixels a dot.
  fit(availableWidth, availableHeight) {
    const ratio = window.devicePixelRatio;
    const room = Math.min(availableWidth / this.#width, availableHeight / this.#height);
    const pitch = Math.max(1, Math.floor(room * ratio + 0.001));
    const canvas = this.#canvas;
    canvas.style.width = `${(pitch * this.#width) / ratio}px`;
    canvas.style.height = `${(pitch * this.#height) / ratio}px`;
    if (pitch === this.#pitch) return;
    this.#pitch = pitch;
    canvas.width = pitch * this.#width;
    canvas.height = pitch * this.#height;
    this.#between = null;
    if (pitch >= this.#look.plainBelow) {
      this.#between = this.#pen.createPattern(gap(pitch, this.#look), "repeat");
    }
    this.#draw();
  }

  // A frame: three bytes a dot, row by row.
  show(rgb) {
    this.#light(rgb);
    if (this.#pitch) this.#draw();
  }

  // What the screen shows in the middle of a dot: [red, green, blue].
  pixel(x, y) {
    const at = (dot) => dot * this.#pitch + Math.floor(this.#pitch / 2);
    const probe = new OffscreenCanvas(1, 1).getContext("2d");
    probe.drawImage(this.#canvas, at(x), at(y), 1, 1, 0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  #light(rgb) {
    const lit = this.#lit;
    const { data } = this.#colours.image;
    const { unlit } = this.#look;
    for (let from = 0, to = 0; from < rgb.length; to++) {
      for (let channel = 0; channel < 3; channel++, from++, to++) {
        lit[to] = this.#brightness[rgb[from]];
        data[to] = Math.max(lit[to], unlit[channel]);
      }
    }
    this.#colours.put();
  }

  #draw() {
    const pen = this.#pen;
    const { width, height } = this.#canvas;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.#colours.canvas, 0, 0, width, height);
    if (!this.#between) return;
    pen.fillStyle = this.#between;
    pen.fillRect(0, 0, width, height);
    this.#shine();
    pen.globalCompositeOperation = "screen";
    pen.globalAlpha = this.#look.glowShare;
    pen.imageSmoothingEnabled = true;
    pen.drawImage(this.#glow.canvas, 0, 0, width, height);
    pen.globalCompositeOperation = "source-over";
    pen.globalAlpha = 1;
  }

  #shine() {
    blur(this.#lit, this.#glow.image.data, this.#width, this.#height, this.#kernel);
    this.#glow.put();
  }
}

// A canvas that is not on the page, with the pixels that `put` writes to it.
function layer(width, height, alpha = false) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d", { alpha });
  const image = new ImageData(width, height);
  image.data.fill(255);
  return { canvas, image, put: () => pen.putImageData(image, 0, 0) };
}

// What is between the dots: one pitch square of it, with a hole for the dot.
function gap(pitch, look) {
  const square = layer(pitch, pitch, true);
  for (let y = 0; y < pitch; y++) {
    for (let x = 0; x < pitch; x++) {
      const alpha = Math.round(255 * (1 - covered(x, y, pitch, look)));
      square.image.data.set([...look.gap, alpha], (y * pitch + x) * 4);
    }
  }
  square.put();
  return square.canvas;
}

// How much of a pixel of the square is dot. One sample a pixel would make small dots squares.
function covered(x, y, pitch, look) {
  const samples = 4;
  const place = (pixel, sample) => (pixel + (sample + 0.5) / samples) / pitch - 0.5;
  let sum = 0;
  for (let across = 0; across < samples; across++) {
    for (let down = 0; down < samples; down++) {
      const inside = look.diameter / 2 - Math.hypot(place(x, across), place(y, down));
      sum += Math.min(Math.max(inside / look.softEdge + 0.5, 0), 1);
    }
  }
  return sum / samples ** 2;
}

// Weights for distances 0, 1, 2…, which add up to 1 over both sides.
function gaussian(sigma) {
  const reach = Math.ceil(3 * sigma);
  const weights = Array.from({ length: reach + 1 }, (_, far) => Math.exp(-0.5 * (far / sigma) ** 2));
  const sum = 2 * weights.reduce((a, b) => a + b) - weights[0];
  return weights.map((weight) => weight / sum);
}

function blur(from, to, width, height, kernel) {
  const across = new Float32Array(from.length);
  spread(from, across, width, 4, height, 4 * width, kernel);
  spread(across, to, height, 4 * width, width, 4, kernel);
}

// Blurs along lines of `length` pixels, `step` apart; beyond the ends it goes on as it ended.
function spread(from, to, length, step, lines, lineStep, kernel) {
  for (let line = 0; line < lines; line++) {
    const start = line * lineStep;
    for (let at = 0; at < length; at++) {
      const here = start + at * step;
      let red = kernel[0] * from[here];
      let green = kernel[0] * from[here + 1];
      let blue = kernel[0] * from[here + 2];
      for (let far = 1; far < kernel.length; far++) {
        const before = start + Math.max(at - far, 0) * step;
        const after = start + Math.min(at + far, length - 1) * step;
        red += kernel[far] * (from[before] + from[after]);
        green += kernel[far] * (from[before + 1] + from[after + 1]);
        blue += kernel[far] * (from[before + 2] + from[after + 2]);
      }
      to[here] = red;
      to[here + 1] = green;
      to[here + 2] = blue;
    }
  }
}
