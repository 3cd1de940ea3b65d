
(() => {
  const {bytes, count, printable, make, setText, plot, table} = live;
  const INTERVAL = 2000; // milliseconds between two documents
  const HIDDEN_INTERVAL = 30000;
  const LONGEST_WAIT = 30000; // between two tries while nobody answers
  const TIMEOUT = 15000;
  const SHARE = 0.05; // of the program's time that making documents may take
  const MOST_SAMPLES = 900;
  const FOREIGN_IN_A_ROW = 3;
  const MOST_FINDINGS = 6;
  const element = (id) => document.getElementById(id);

  // Not relative to the page, whose address may lack its last slash.
  const address = new URL(location.href);
  address.pathname = address.pathname.replace(/\/*$/, "/figures.json");
  address.search = address.hash = "";

  const KEY = `allocmeter token ${address.pathname}`;
  const remembered = (value) => {
    try { // a browser may be told not to keep anything
      if (value !== undefined) sessionStorage.setItem(KEY, value);
      return sessionStorage.getItem(KEY);
    } catch { return value ?? null; }
  };
  const query = new URLSearchParams(location.search);
  let token = query.get("token") ?? remembered();
  if (query.has("token")) {
    remembered(token);
    query.delete("token");
    const others = query.toString();
    history.replaceState(null, "", location.pathname + (others && `?${others}`) + location.hash);
  }

  let timer = 0;
  let failures = 0;
  let paused = false;
  let asking = false;
  let cost = 0; // milliseconds
  let instance = null;
  let foreign = 0;
  let last = null; // the date of the last document
  let samples = [];
  const plots = {};

  function say(state, text) {
    document.documentElement.dataset.state = state;
    setText(element("state"), text);
    element("locked").hidden = state !== "locked";
  }
  const warn = (text) => {
    element("warning").hidden = !text;
    setText(element("warning"), text);
  };
  const clock = () => setText(element("clock"), last ? last.toLocaleTimeString("en-GB") : "");

  function tiles(report) {
    const {process, scopes} = report;
    const sum = (figure) => scopes.reduce((all, row) => all + figure(row), 0);
    const found = [
      ["Resident set", process.rss_bytes, "of the process now"],
      ["Peak resident set", process.peak_rss_bytes, "since it was started"],
      ["Live bytes", process.live_bytes, "since tracking began"],
      ["malloc in use", process.malloc_in_use_bytes, "as the C library says"],
    ].filter(([, size]) => size !== null && size !== undefined)
      .map(([term, size, note]) => [term, bytes(size), note]);
    found.push(["Calls", count(sum((row) => row.count)), `of ${count(scopes.length)} ${
      scopes.length === 1 ? "name" : "names"}`]);
    found.push(["Leaking", count(sum((row) => row.verdict.kind === "leaks" ? 1 : 0)),
      "by their verdict"]);
    const list = element("tiles");
    if (list.children.length !== found.length) {
      list.replaceChildren(...found.map(() => make("div", {}, make("dt"),
        make("dd", {}, make("span"), make("small")))));
    }
    found.forEach(([term, value, note], index) => {
      const [heading, content] = list.children[index].children;
      setText(heading, term);
      setText(content.firstChild, value);
      setText(content.lastChild, note);
    });
  }

  function findings(scopes) {
    const striking = scopes.filter(({verdict: {kind}}) => kind === "leaks" || kind === "peaks");
    striking.sort((a, b) => a.verdict.kind < b.verdict.kind ? -1 : a.verdict.kind > b.verdict.kind
      ? 1 : b.retained_bytes - a.retained_bytes || b.peak_bytes.max - a.peak_bytes.max);
    const section = element("findings");
    section.hidden = !striking.length;
    const lines = striking.slice(0, MOST_FINDINGS).map((row) => make("li", {},
      table.badge(row.verdict.kind), " ", make("code", {}, printable(row.name, 100)), " ",
      make("span", {}, printable(row.verdict.reason, 300))));
    const more = striking.length - MOST_FINDINGS;
    if (more > 0) {
      lines.push(make("li", {}, `and ${count(more)} more; sort the table by verdict to see them`));
    }
    section.lastElementChild.replaceChildren(...lines);
  }

  function drawProcess() {
    const parent = document.querySelector(".plots");
    const kinds = [["rss", "Resident set", "of the whole process", 1],
      ["live", "Live bytes", "since tracking was turned on", 2]];
    for (const [kind, title, about, field] of kinds) {
      const known = samples.filter((sample) => typeof sample[field] === "number");
      if (!known.length) continue;
      element("process").hidden = false;
      plots[kind] ??= plot(parent, kind, title, about);
      plots[kind](known.map((sample) => [sample[0], sample[field]]));
    }
    parent.classList.toggle("two", Boolean(plots.rss && plots.live));
  }

  function take(report) {
    const {time, instance: from, process_id: pid} = report.dashboard;
    cost = 1000 * report.dashboard.cost;
    if (instance !== null && from !== instance) {
      // Another process: a second worker that answers in turns, or the first one started anew.
      foreign += 1;
      if (!failures && foreign < FOREIGN_IN_A_ROW) {
        warn("Several processes answer in turns. Shown are the figures of one of them.");
        return;
      }
      samples = [];
      table.reset();
      warn("");
    }
    if (from !== instance) {
      instance = from;
      const domains = Object.entries(report.backend.domains ?? {})
        .filter(([, reason]) => reason === "").map(([name]) => name).join(", ");
      element("facts").replaceChildren(...[`process ${pid}`, `allocmeter ${report.allocmeter}`,
        `domains: ${domains || "none"}`, report.python, report.platform]
        .map((fact) => make("li", {}, printable(fact, 300))));
    }
    foreign = 0;
    samples.push([time, report.process.rss_bytes, report.process.live_bytes]);
    if (samples.length > MOST_SAMPLES) samples.shift();
    tiles(report);
    findings(report.scopes);
    drawProcess();
    table.update(time, report.scopes);
  }

  async function ask() {
    // What no header can carry is no token of any program.
    if (token && !/^[!-~]+$/.test(token)) return {locked: true};
    const headers = token ? {Authorization: `Bearer ${token}`} : {};
    const response = await fetch(address, {headers, cache: "no-store", redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT)});
    if (response.status === 401) return {locked: true};
    if (!response.ok) throw new Error(printable((await response.text()).trim(), 300));
    return {report: await response.json()};
  }

  function wait(milliseconds) {
    clearTimeout(timer);
    if (!paused) timer = setTimeout(poll, milliseconds);
  }

  async function poll() {
    if (asking) return;
    asking = true;
    try {
      const {locked, report} = await ask();
      if (locked) {
        say("locked", token ? "This token is not the right one" : "A token is needed");
        return;
      }
      take(report);
      failures = 0;
      last = new Date();
      if (!paused) say("live", "Live");
      wait(document.hidden ? HIDDEN_INTERVAL : Math.max(INTERVAL, cost / SHARE));
    } catch (error) {
      const pause = Math.min(INTERVAL * 2 ** failures, LONGEST_WAIT);
      failures += 1;
      const reason = /^\d{3}: /.test(error.message) ? error.message : "No answer";
      say("lost", `${reason} \u2013 trying again every ${count(Math.round(pause / 1000))} s`
        + (last ? ", last figures of" : ""));
      wait(document.hidden ? LONGEST_WAIT : pause);
    } finally {
      asking = false;
      clock();
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.documentElement.dataset.state === "locked") return;
    wait(document.hidden ? HIDDEN_INTERVAL : 0);
  });
  element("pause").addEventListener("click", () => {
    paused = !paused;
    element("pause").setAttribute("aria-pressed", String(paused));
    clearTimeout(timer);
    if (paused) say("paused", "Paused");
    else poll();
  });
  document.querySelector("#locked form").addEventListener("submit", (event) => {
    event.preventDefault();
    token = element("token").value.trim();
    remembered(token);
    poll();
  });
  poll();
})();
