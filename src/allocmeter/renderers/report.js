
"use strict";
(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const bytes = (size) => {
    let unit = 0;
    while (Math.abs(size) >= 1024 && unit < units.length - 1) { size /= 1024; unit += 1; }
    const digits = unit && Math.abs(size) < 99.95 ? 1 : 0;
    return size.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})
      + " " + units[unit];
  };
  const count = (number) => number.toLocaleString("en");

  function sorting(table) {
    const headings = all("thead tr:last-child th", table);
    const value = (body, column) => {
      const cell = body.rows[0].cells[column];
      return column ? Number(cell.dataset.v ?? cell.textContent.replaceAll(",", ""))
        : cell.textContent;
    };
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const first = column ? "descending" : "ascending";
        const second = column ? "ascending" : "descending";
        const order = heading.getAttribute("aria-sort") === first ? second : first;
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const bodies = all("tbody", table).filter((body) => body.parentNode === table);
        const keyed = bodies.map((body) => [value(body, column), body]);
        keyed.sort(([a], [b]) => sign * (a < b ? -1 : a > b ? 1 : 0));
        table.append(...keyed.map(([, body]) => body));
      });
    });
  }

  function filtering(table) {
    const box = document.getElementById("filter");
    const status = box.parentNode.querySelector("[role=status]");
    const rows = all(".row", table).map((row) => [
      (row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase(), row.parentNode,
    ]);
    box.parentNode.hidden = rows.length < 2;
    box.addEventListener("input", () => {
      const wanted = box.value.trim().toLowerCase();
      let shown = 0;
      for (const [text, body] of rows) {
        body.hidden = !text.includes(wanted);
        shown += body.hidden ? 0 : 1;
      }
      status.textContent = wanted ? `${count(shown)} of ${count(rows.length)}` : "";
    });
  }

  function unfolding() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const folded = target && target.querySelector("details");
    if (folded) folded.open = true;
  }

  function spreading(figure) {
    const edges = figure.dataset.edges.split(" ").map(Number);
    const counts = figure.dataset.counts.split(" ").map(Number);
    const scale = (edge) => Math.log2(edge + 1);
    const output = document.createElement("output");
    figure.append(output);
    const drawing = figure.querySelector("svg");
    drawing.addEventListener("pointermove", (event) => {
      const box = drawing.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      const last = edges.length - 1;
      const at = scale(edges[0]) + share * (scale(edges[last]) - scale(edges[0]));
      let bar = 0;
      while (bar < last - 1 && scale(edges[bar + 1]) <= at) bar += 1;
      output.textContent =
        `${bytes(edges[bar])} to ${bytes(edges[bar + 1])}: ${count(counts[bar])} calls`;
    });
    drawing.addEventListener("pointerleave", () => { output.textContent = ""; });
  }

  function tracing(plots, data) {
    const {start, end, samples} = data;
    const readout = plots.querySelector(".readout");
    const make = (name, parent) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      element.setAttribute("class", name === "line" ? "cross" : "dot");
      element.setAttribute("visibility", "hidden");
      return parent.appendChild(element);
    };
    const drawings = all(".plot", plots).map((plot) => {
      const figures = Object.fromEntries(
        ["low", "high", "top", "height"].map((key) => [key, Number(plot.dataset[key])]));
      return {plot, ...figures, field: plot.dataset.kind === "live" ? 1 : 3,
        line: make("line", plot), dot: make("circle", plot)};
    });
    let current = 0;
    const show = (index) => {
      current = Math.min(Math.max(index, 0), samples.length - 1);
      const sample = samples[current];
      const share = (sample[0] - start) / (end - start);
      for (const {plot, low, high, top, height, field, line, dot} of drawings) {
        const x = `${100 * share}%`;
        const known = sample[field] !== null;
        line.setAttribute("x1", x);
        line.setAttribute("x2", x);
        line.setAttribute("y1", top);
        line.setAttribute("y2", top + height);
        line.setAttribute("visibility", "visible");
        dot.setAttribute("cx", x);
        dot.setAttribute("r", 4);
        dot.setAttribute("cy", top + height * (1 - (sample[field] - low) / (high - low)));
        dot.setAttribute("visibility", known ? "visible" : "hidden");
      }
      readout.textContent = `${sample[0].toFixed(3)} s\nlive  ${bytes(sample[1])} in ${
        count(sample[2])} blocks` + (sample[3] === null ? "" : `\nRSS  ${bytes(sample[3])}`);
      readout.hidden = false;
      const room = plots.clientWidth - readout.offsetWidth;
      const left = share * plots.clientWidth + (share > 0.5 ? -readout.offsetWidth - 12 : 12);
      readout.style.left = `${Math.min(Math.max(left, 0), room)}px`;
    };
    const hide = () => {
      readout.hidden = true;
      drawings.forEach(({line, dot}) => {
        line.setAttribute("visibility", "hidden");
        dot.setAttribute("visibility", "hidden");
      });
    };
    const nearest = (time) => {
      let low = 0;
      let high = samples.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (samples[middle][0] < time) low = middle + 1; else high = middle;
      }
      return low && time - samples[low - 1][0] < samples[low][0] - time ? low - 1 : low;
    };
    for (const {plot} of drawings) {
      const follow = (event) => {
        const box = plot.getBoundingClientRect();
        show(nearest(start + (end - start) * (event.clientX - box.left) / box.width));
      };
      plot.addEventListener("pointermove", follow);
      plot.addEventListener("pointerdown", follow);
      plot.addEventListener("pointerleave", (event) => {
        if (event.pointerType !== "touch") hide();
      });
      plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) show(current); });
      plot.addEventListener("blur", hide);
      plot.addEventListener("keydown", (event) => {
        const step = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity}[event.key];
        if (step === undefined) return;
        event.preventDefault();
        show(current + step);
      });
    }
  }

  const table = document.querySelector(".figures");
  if (table) {
    sorting(table);
    filtering(table);
    all(".more figure", table).forEach(spreading);
    window.addEventListener("hashchange", unfolding);
    unfolding();
  }
  const samples = document.getElementById("samples");
  if (samples) tracing(document.querySelector(".plots"), JSON.parse(samples.textContent));
})();
