// Lines over time, drawn as SVG in the pixels that there are.
//
// A chart shows the same moments as all others. Whoever points at one, or goes along it with the arrow keys, chooses a
// moment, and every chart tells its figures there.

import { drawn, element } from "./elements.js";
import { short, time } from "./figures.js";

const HEIGHT = 132;
const EDGE = { top: 8, right: 4, bottom: 20, left: 52 };
const SHORTEST = 60; // seconds that are shown at least, so that the first points do not fill the whole width

// Give the least round number from `value` up, one whose half is short as well.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * (1 - 1e-9));
}

// Give the moments, in seconds, to be named below the line: at most about five.
function moments(from, to) {
  const step = [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600].find((each) => (to - from) / each <= 5) ?? 86400;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, at) => first + at * step);
}

export class Chart {
  // `lines` are {name, of, tone}: `of` gives the figure of a point, null for none. `format` writes a figure, and `top` is
  // the highest that is ever shown, where there is such a thing. `choose` is called with the number of points to go
  // from the newest, null for none.
  constructor({ title, hint, lines, format, top = null, choose }) {
    Object.assign(this, { title, lines, format, top, choose });
    this.points = [];
    this.chosen = null;
    this.width = 0;
    this.values = lines.map(() => element("b"));
    this.svg = drawn("svg", {
      role: "slider", tabindex: 0, "aria-label": `${title}, by time`, "aria-orientation": "horizontal", height: HEIGHT,
    });
    const legend = lines.map((line, at) =>
      element("li", {}, element("i", { class: `key ${line.tone}`, "aria-hidden": "true" }), `${line.name} `, this.values[at]),
    );
    this.node = element(
      "figure", { class: "card chart" },
      element("figcaption", {}, element("h2", {}, title), element("span", { class: "hint" }, hint)),
      element("ul", { class: "legend" }, ...legend),
      this.svg,
    );
    this.#listen();
  }

  #listen() {
    new ResizeObserver(([entry]) => {
      this.width = Math.floor(entry.contentRect.width);
      this.draw();
    }).observe(this.node);
    this.svg.addEventListener("pointermove", (event) => this.#pointAt(event.offsetX));
    this.svg.addEventListener("pointerdown", (event) => this.#pointAt(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.choose(null));
    // A moment that stays, so that what is read aloud does not change by itself.
    this.svg.addEventListener("focus", () => this.choose(this.chosen ?? 0));
    this.svg.addEventListener("blur", () => this.choose(null));
    this.svg.addEventListener("keydown", (event) => {
      const back = this.chosen ?? 0;
      const oldest = this.points.length - 1;
      const to = {
        ArrowLeft: back + 1, ArrowRight: back - 1, ArrowDown: back + 1, ArrowUp: back - 1,
        PageUp: back - 10, PageDown: back + 10, Home: oldest, End: 0,
      }[event.key];
      if (event.key === "Escape") this.choose(null);
      if (to === undefined) return;
      event.preventDefault();
      this.choose(Math.min(Math.max(to, 0), Math.max(oldest, 0)));
    });
  }

  #pointAt(x) {
    if (!this.points.length || !this.width) return;
    const at = this.from + ((x - EDGE.left) / this.#room) * (this.to - this.from);
    const distances = this.points.map((point) => Math.abs(point.at - at));
    this.choose(this.points.length - 1 - distances.indexOf(Math.min(...distances)));
  }

  get #room() {
    return Math.max(this.width - EDGE.left - EDGE.right, 1);
  }

  show(points, chosen) {
    Object.assign(this, { points, chosen });
    this.draw();
  }

  draw() {
    const { points, width, lines } = this;
    this.to = points.length ? points.at(-1).at : 0;
    this.from = Math.min(points.length ? points[0].at : 0, this.to - SHORTEST);
    const figures = points.flatMap((point) => lines.map((line) => line.of(point) ?? 0));
    this.high = this.top ?? roundUp(Math.max(...figures, 0) || 1);
    this.#tell();
    if (!width) return;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.replaceChildren(...this.#grid(), ...lines.filter(this.#happens, this).flatMap(this.#line, this), ...this.#cursor());
  }

  // Write the figures of the chosen moment, or of the newest, for eyes and for screen readers.
  #tell() {
    const point = this.points.at(-1 - (this.chosen ?? 0));
    const said = this.lines.map((line) => this.format(point ? line.of(point) : null));
    said.forEach((text, at) => { this.values[at].textContent = text; });
    const oldest = Math.max(this.points.length - 1, 0);
    const attributes = {
      "aria-valuemin": 0, "aria-valuemax": oldest, "aria-valuenow": oldest - (this.chosen ?? 0),
      "aria-valuetext": point
        ? `${time(point.at)}: ${this.lines.map((line, at) => `${line.name} ${said[at]}`).join(", ")}`
        : "no figures yet",
    };
    for (const [name, value] of Object.entries(attributes)) this.svg.setAttribute(name, value);
  }

  #x(at) {
    return EDGE.left + ((at - this.from) / (this.to - this.from || 1)) * this.#room;
  }

  #y(figure) {
    return HEIGHT - EDGE.bottom - (Math.min(figure, this.high) / this.high) * (HEIGHT - EDGE.top - EDGE.bottom);
  }

  #grid() {
    const end = this.width - EDGE.right;
    const levels = [0, 0.5, 1].flatMap((share) => {
      const y = Math.round(this.#y(share * this.high)) + 0.5;
      return [
        drawn("line", { class: share ? "grid" : "ground", x1: EDGE.left, x2: end, y1: y, y2: y }),
        drawn("text", { class: "scale", x: EDGE.left - 8, y: y + 4, "text-anchor": "end" }, short(this.format(share * this.high))),
      ];
    });
    const names = this.points.length ? moments(this.from, this.to) : [];
    const times = names.flatMap((at) => {
      const x = this.#x(at);
      if (x < EDGE.left + 24 || x > end - 24) return [];
      return [drawn("text", { class: "scale", x, y: HEIGHT - 4, "text-anchor": "middle" }, at % 60 ? time(at) : time(at).slice(0, -3))];
    });
    return [...levels, ...times];
  }

  // Give one line: its parts between gaps, with the area below them, and a dot where a part is a single point. A point
  // without this figure, such as a load time where nothing was loaded, is passed over; one without any figure is a gap.
  #line({ of, tone }) {
    const parts = [[]];
    for (const point of this.points) {
      const figure = of(point);
      if (figure === undefined) parts.push([]);
      else if (figure !== null) parts.at(-1).push([this.#x(point.at).toFixed(1), this.#y(figure).toFixed(1)]);
    }
    const ground = HEIGHT - EDGE.bottom;
    return parts.filter((part) => part.length).flatMap((part) => {
      if (part.length === 1) return [drawn("circle", { class: `dot ${tone}`, cx: part[0][0], cy: part[0][1], r: 2 })];
      const path = part.map(([x, y]) => `${x} ${y}`).join("L");
      return [
        drawn("path", { class: `area ${tone}`, d: `M${path}L${part.at(-1)[0]} ${ground}L${part[0][0]} ${ground}Z` }),
        drawn("path", { class: `line ${tone}`, d: `M${path}` }),
      ];
    });
  }

  // Whether a line says anything: one that is zero all the time would only lie upon the ground.
  #happens({ of }) {
    return this.lines.length === 1 || this.points.some((point) => of(point));
  }

  #cursor() {
    const point = this.chosen === null ? undefined : this.points.at(-1 - this.chosen);
    if (!point) return [];
    const x = this.#x(point.at);
    const dots = this.lines
      .filter((line) => (line.of(point) ?? null) !== null)
      .map((line) => drawn("circle", { class: `dot ${line.tone}`, cx: x, cy: this.#y(line.of(point)), r: 3.5 }));
    return [drawn("line", { class: "cursor", x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }), ...dots];
  }
}
