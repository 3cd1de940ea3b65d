
live.table = (() => {
  const {bytes, count, printable, make, setText, sparkline} = live;
  const MOST_POINTS = 150;
  const ROWS_AT_FIRST = 100;
  const RATE_OVER = 3; // documents, so that a rate does not jump
  const urgency = {leaks: 3, peaks: 2, ok: 1, few: 0};
  const by = {
    name: (entry) => entry.row.name,
    verdict: (entry) => urgency[entry.row.verdict.kind] ?? 0,
    calls: (entry) => entry.row.count,
    callRate: (entry) => entry.callRate ?? -1,
    errors: (entry) => entry.row.errors,
    rate: (entry) => entry.rate ?? -1,
    p50: (entry) => entry.row.bytes_allocated.p50,
    p95: (entry) => entry.row.bytes_allocated.p95,
    peak: (entry) => entry.row.peak_bytes.max,
    retained: (entry) => entry.row.retained_bytes,
    growth: (entry) => entry.row.retained_growth?.bytes_per_1000_calls ?? -Infinity,
  };
  const table = document.querySelector("table.live");
  const filter = document.getElementById("filter");
  const rest = document.getElementById("rest");
  const buttons = [...table.querySelectorAll("thead button")];
  const entries = new Map();
  let times = [];
  let order = {key: "rate", descending: true};
  let limit = ROWS_AT_FIRST;
  let standing = []; // the entries in the order in which they were shown last

  // Only what can be seen is drawn; `false` where the browser cannot tell.
  const watcher = "IntersectionObserver" in window && new IntersectionObserver((changes) => {
    for (const {target, isIntersecting} of changes) {
      const entry = entries.get(target.dataset.name);
      if (!entry) continue;
      entry.seen = isIntersecting;
      if (isIntersecting) fill(entry);
    }
  }, {rootMargin: "200px"});

  function entryOf(name) {
    // A name that turns up while the page looks on had no calls before.
    const before = times.length > 1 ? [0] : [];
    return {counts: [...before], sums: [...before], kept: [...before], body: null,
      seen: !watcher, row: null, callRate: null, rate: null, text: ""};
  }

  function bodyOf(entry) {
    const name = entry.row.name;
    const label = make("code", {}, printable(name, 300) || "no name");
    if (name.length > 300) label.title = "a long name, cut here";
    const reason = make("small");
    const cells = Array.from({length: 10}, () => make("td"));
    const [verdict, calls, callRate, errors, rate, p50, p95, peak, kept, growth] = cells;
    kept.className = "kept";
    const texts = {};
    for (const [key, cell] of Object.entries({calls, callRate, rate, p50, p95, peak, kept})) {
      texts[key] = cell.appendChild(make("span"));
    }
    for (const [key, cell] of Object.entries({errors, growth})) {
      texts[key] = cell.appendChild(make("span"));
      texts[`${key}More`] = cell.appendChild(make("small"));
    }
    const body = make("tbody", {}, make("tr", {class: "row"},
      make("th", {scope: "row"}, label, reason), ...cells));
    body.dataset.name = name;
    Object.assign(entry, {body, verdict, reason, texts, drawRate: sparkline(rate),
      drawKept: sparkline(kept)});
    if (watcher) watcher.observe(body);
  }

  function fill(entry) {
    const {row, texts} = entry;
    const {kind, reason} = row.verdict;
    if (entry.verdict.dataset.kind !== kind) {
      entry.verdict.dataset.kind = kind;
      entry.verdict.replaceChildren(badge(kind));
    }
    setText(entry.reason, printable(reason, 300));
    setText(texts.calls, count(row.count));
    setText(texts.callRate, entry.callRate === null ? "\u2013" : count(entry.callRate));
    setText(texts.errors, count(row.errors));
    for (const [key, value] of [["errors", row.errors], ["callRate", entry.callRate],
      ["rate", entry.rate], ["kept", row.retained_bytes]]) {
      texts[key].className = value ? "" : "quiet";
    }
    setText(texts.errorsMore, row.cancelled ? `${count(row.cancelled)} cancelled` : "");
    setText(texts.rate, entry.rate === null ? "\u2013" : bytes(entry.rate));
    setText(texts.p50, bytes(row.bytes_allocated.p50));
    setText(texts.p95, bytes(row.bytes_allocated.p95));
    setText(texts.peak, bytes(row.peak_bytes.max));
    setText(texts.kept, bytes(row.retained_bytes));
    const growth = row.retained_growth;
    setText(texts.growth, growth ? bytes(growth.bytes_per_1000_calls) : "\u2013");
    setText(texts.growthMore, growth ? `${bytes(growth.low)} to ${bytes(growth.high)}` : "");
    entry.drawRate(times, rates(entry));
    entry.drawKept(times, entry.kept);
  }

  const badge = (kind) => kind === "leaks" || kind === "peaks"
    ? make("b", {class: kind}, kind) : printable(kind, 20);

  const rates = ({sums}) => sums.slice(1).map((sum, index) => {
    const at = times.length - sums.length + index;
    return (sum - sums[index]) / (times[at + 1] - times[at]);
  });

  function perSecond(values) {
    const back = Math.min(RATE_OVER, values.length - 1);
    if (back < 1) return null;
    const span = times[times.length - 1] - times[times.length - 1 - back];
    return Math.max((values[values.length - 1] - values[values.length - 1 - back]) / span, 0);
  }

  function update(time, rows) {
    times.push(time);
    const cut = times.length > MOST_POINTS;
    if (cut) times.shift();
    const known = new Set();
    for (const row of rows) {
      known.add(row.name);
      let entry = entries.get(row.name);
      // Figures that fell were reset.
      if (entry && row.count < entry.row.count) {
        Object.assign(entry, {counts: [], sums: [], kept: []});
      }
      if (!entry) entries.set(row.name, entry = entryOf(row.name));
      entry.row = row;
      for (const [values, value] of [[entry.counts, row.count],
        [entry.sums, row.bytes_allocated.sum], [entry.kept, row.retained_bytes]]) {
        values.push(value);
        if (values.length > times.length) values.shift();
      }
      entry.callRate = perSecond(entry.counts);
      entry.rate = perSecond(entry.sums);
      entry.text = `${row.name} ${row.verdict.kind}`.toLowerCase();
    }
    for (const [name, entry] of entries) if (!known.has(name)) drop(name, entry);
    show(false);
  }

  function drop(name, entry) {
    entries.delete(name);
    if (!entry.body) return;
    if (watcher) watcher.unobserve(entry.body);
    entry.body.remove();
  }

  function reset() {
    times = [];
    for (const [name, entry] of entries) drop(name, entry);
    standing = [];
  }

  // Rows keep their places while somebody points at one: they would move away below the hand.
  // A finger has gone when it is lifted, whatever the browser says to be hovered.
  let pointer = "";
  const isHeld = () => pointer === "mouse" && table.querySelector("tbody:hover") !== null;
  document.addEventListener("pointermove", (event) => { pointer = event.pointerType; });

  function sorted(found) {
    const key = by[order.key];
    const sign = order.descending ? -1 : 1;
    const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    return found.map((entry) => [key(entry), entry]).sort(([a, first], [b, second]) =>
      sign * compare(a, b) || compare(first.row.name, second.row.name)).map(([, entry]) => entry);
  }

  function show(asked) {
    const wanted = filter.value.trim().toLowerCase();
    let found = [...entries.values()].filter((entry) => entry.text.includes(wanted));
    if (!asked && isHeld()) {
      const places = new Map(standing.map((entry, index) => [entry, index]));
      found.sort((a, b) => (places.get(a) ?? Infinity) - (places.get(b) ?? Infinity) || 0);
    } else {
      found = sorted(found);
    }
    standing = found;
    const shown = found.slice(0, limit);
    const kept = new Set(shown);
    for (const entry of entries.values()) {
      if (entry.body && !kept.has(entry)) entry.body.remove();
    }
    let next = table.tHead.nextElementSibling;
    for (const entry of shown) {
      if (!entry.body) bodyOf(entry);
      // Moving only what stands elsewhere keeps the focus, and what is marked.
      if (entry.body === next) next = next.nextElementSibling;
      else table.insertBefore(entry.body, next);
      if (entry.seen) fill(entry);
    }
    const all = count(entries.size);
    setText(document.getElementById("shown"), wanted ? `${count(found.length)} of ${all}` : "");
    rest.hidden = shown.length === found.length;
    if (!rest.hidden) setText(rest.firstChild, `Show all ${count(found.length)}`);
    document.getElementById("none").hidden = entries.size > 0;
    table.hidden = !entries.size;
    document.getElementById("scopes").hidden = false;
  }

  const mark = () => buttons.forEach((button) => {
    const heading = button.parentNode;
    if (button.dataset.key !== order.key) heading.removeAttribute("aria-sort");
    else heading.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
  });
  buttons.forEach((button) => button.addEventListener("click", () => {
    const {key} = button.dataset;
    const first = key !== "name";
    order = {key, descending: order.key === key ? !order.descending : first};
    mark();
    show(true);
  }));
  filter.addEventListener("input", () => show(true));
  rest.firstChild.addEventListener("click", () => { limit = Infinity; show(true); });
  mark();

  return {update, reset, badge};
})();
