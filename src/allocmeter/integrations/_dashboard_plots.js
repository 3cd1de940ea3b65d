
"use strict";
const live = (() => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const bytes = (size) => {
    let unit = 0;
    while (Math.abs(size) >= 1023.95 && unit < units.length - 1) { size /= 1024; unit += 1; }
    const digits = unit && Math.abs(size) < 99.95 ? 1 : 0;
    // Adding zero: what rounds to it from below is not minus zero.
    const rounded = Number(size.toFixed(digits)) + 0;
    return rounded.toLocaleString("en", {minimumFractionDigits: digits,
      maximumFractionDigits: digits}).replace("-", "\u2212") + " " + units[unit];
  };
  const count = (number) => {
    const digits = Number.isInteger(number) || Math.abs(number) >= 99.95 ? 0 : 1;
    return number.toLocaleString("en", {maximumFractionDigits: digits});
  };
  // What could reorder or hide the text around it is shown as an escape.
  const printable = (text, width) => {
    let shown = "";
    for (const character of text.slice(0, 2 * width)) {
      if (shown.length >= width) return shown + "\u2026";
      shown += /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(character)
        ? `\\u{${character.codePointAt(0).toString(16)}}` : character;
    }
    return text.length > 2 * width ? shown + "\u2026" : shown;
  };
  const make = (name, attributes = {}, ...content) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...content);
    return element;
  };
  const draw = (name, attributes, parent, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return parent.appendChild(element);
  };
  const setText = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // A line with the area below it, in a box of `width` by `height` that is stretched as needed.
  function curve(points, width, height) {
    let line = "";
    for (const [x, y] of points) {
      line += `${line ? "L" : "M"}${(width * x).toFixed(1)} ${(height * (1 - y)).toFixed(1)}`;
    }
    if (!line) return ["", ""];
    const ends = [points[0][0], points[points.length - 1][0]].map((x) => (width * x).toFixed(1));
    return [line, `${line}L${ends[1]} ${height}L${ends[0]} ${height}Z`];
  }

  function sparkline(cell) {
    const svg = draw("svg", {viewBox: "0 0 84 20", preserveAspectRatio: "none",
      "aria-hidden": "true"}, cell);
    const under = draw("path", {class: "under"}, svg);
    const line = draw("path", {class: "spark"}, svg);
    return (times, values) => {
      const begin = times[0];
      const span = Math.max(times[times.length - 1] - begin, 1e-9);
      const first = times.length - values.length;
      const most = Math.max(...values, 1);
      const isDrawn = values.length > 1 && values.some((value) => value > 0);
      const points = values.map((value, index) =>
        [(times[first + index] - begin) / span, Math.max(value, 0) / most]);
      const [path, area] = curve(isDrawn ? points : [], 84, 20);
      line.setAttribute("d", path);
      under.setAttribute("d", area);
    };
  }

  // From below the lowest to above the highest, with ticks at sizes that are round in binary units.
  function bytesScale(low, high) {
    const spread = Math.max(high - low, high / 64, 1024);
    const step = 2 ** Math.ceil(Math.log2(spread / 3));
    const first = Math.floor(low / step);
    const last = Math.max(Math.ceil(high / step), first + 1);
    return Array.from({length: last - first + 1}, (_, index) => (first + index) * step);
  }
  const tickLabel = (size) => {
    const unit = Math.min(Math.floor(Math.log2(Math.abs(size) || 1) / 10), units.length - 1);
    return size ? `${(size / 1024 ** unit).toLocaleString("en")} ${units[unit]}` : "0";
  };
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  const ago = (seconds) => seconds === 0 ? "now"
    : seconds % 60 ? `\u2212${seconds} s` : `\u2212${seconds / 60} min`;

  const TOP = 16;
  const HEIGHT = 116;

  // One figure of the process over time. `samples` are [seconds, value].
  function plot(parent, kind, title, about) {
    const figure = make("figure", {class: kind});
    const value = make("output");
    figure.append(make("figcaption", {}, value, make("b", {}, title), ` ${about}`));
    const svg = draw("svg", {class: "plot", role: "img", tabindex: "0"}, figure);
    const readout = parent.querySelector(".readout");
    parent.insertBefore(figure, readout);
    let samples = [];
    let range = [0, 1];
    let scale = [0, 1];
    let pointed = null; // the time that a reader points at
    const place = (time) => (time - range[0]) / (range[1] - range[0]);
    const height = (size) =>
      TOP + HEIGHT * (1 - (size - scale[0]) / (scale[scale.length - 1] - scale[0]));

    function point() {
      svg.querySelectorAll(".cross, .dot").forEach((element) => element.remove());
      if (pointed === null || !samples.length) return;
      const near = samples.reduce((best, sample) =>
        Math.abs(sample[0] - pointed) < Math.abs(best[0] - pointed) ? sample : best);
      const x = `${100 * place(near[0])}%`;
      draw("line", {class: "cross", x1: x, x2: x, y1: TOP, y2: TOP + HEIGHT}, svg);
      draw("circle", {class: "dot", cx: x, cy: height(near[1]), r: 4}, svg);
      readout.textContent = `${title}  ${bytes(near[1])}\n${
        Math.round(samples[samples.length - 1][0] - near[0])} s ago`;
      readout.hidden = false;
      const left = figure.offsetLeft + place(near[0]) * svg.clientWidth;
      const room = parent.clientWidth - readout.offsetWidth;
      const side = left > room - 12 ? -readout.offsetWidth - 12 : 12;
      readout.style.left = `${Math.max(left + side, 0)}px`;
      readout.style.top = `${figure.offsetTop + 26}px`;
    }
    const leave = () => { pointed = null; readout.hidden = true; point(); };
    const follow = (event) => {
      const box = svg.getBoundingClientRect();
      pointed = range[0] + (range[1] - range[0]) * (event.clientX - box.left) / box.width;
      point();
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("blur", leave);
    svg.addEventListener("keydown", (event) => {
      const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (!by || !samples.length) return;
      event.preventDefault();
      const at = samples.findIndex((sample) => sample[0] >= (pointed ?? Infinity));
      const index = (at < 0 ? samples.length : at) + by;
      pointed = samples[Math.min(Math.max(index, 0), samples.length - 1)][0];
      point();
    });

    return (found) => {
      samples = found;
      const last = samples[samples.length - 1];
      const values = samples.map((sample) => sample[1]);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      range = [Math.min(samples[0][0], last[0] - 60), last[0]];
      scale = bytesScale(low, high);
      setText(value, bytes(last[1]));
      svg.setAttribute("aria-label", `${title} over time, now ${bytes(last[1])}, between ${
        bytes(low)} and ${bytes(high)} since the page was opened`);
      svg.replaceChildren();
      for (const tick of scale) {
        draw("line", {class: "grid", x2: "100%", y1: height(tick), y2: height(tick)}, svg);
      }
      const inner = draw("svg", {viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: "none",
        y: TOP, height: HEIGHT}, svg);
      const points = samples.map(([time, size]) =>
        [place(time), (size - scale[0]) / (scale[scale.length - 1] - scale[0])]);
      if (points.length === 1) points.unshift([points[0][0] - 0.01, points[0][1]]);
      const [line, area] = curve(points, 1000, HEIGHT);
      draw("path", {class: "area", d: area}, inner);
      draw("path", {class: "line", d: line}, inner);
      for (const tick of scale) {
        draw("text", {class: "value", y: height(tick) - 4}, svg, tickLabel(tick));
      }
      const span = range[1] - range[0];
      const step = steps.find((candidate) => span / candidate <= 6) ?? 7200;
      for (let back = 0; back <= span; back += step) {
        const share = place(range[1] - back);
        const x = `${(100 * share).toFixed(2)}%`;
        const side = share < 0.04 ? "start" : share > 0.96 ? "end" : "middle";
        draw("line", {class: "tick", x1: x, x2: x, y1: TOP + HEIGHT, y2: TOP + HEIGHT + 4}, svg);
        draw("text", {class: side, x, y: TOP + HEIGHT + 17}, svg, ago(back));
      }
      point();
    };
  }

  return {bytes, count, printable, make, setText, sparkline, plot};
})();
