// The window of time that the charts of one group share: zoom, pan, other levels of detail, tables of what is shown, pictures.
// charts.js loads it when somebody reaches for it.
const ROWS = 200, MOST_POINTS = 2000, SETTLE_MS = 80, KEPT = 24;

export function begin(charts) {
  const { drawn, panelsOf, words, sayMoment, sayValue, text } = charts;
  const hostsOf = (panels) => [...drawn.values()].filter(({ host }) => panels.contains(host));
  const fill = (key, values) => Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), words[key] || "");

  // Where one may look: what is frozen ends where it ends, everything else now.
  function keepWithin(state, [from, to]) {
    const latest = state.latest ?? Date.now() / 1000, widest = latest - state.earliest;
    const span = Math.min(Math.max(to - from, state.least), widest);
    const middle = (from + to) / 2;
    let left = middle - span / 2;
    if (left + span > latest) left = latest - span;
    if (left < state.earliest) left = state.earliest;
    return [left, left + span];
  }
  function look(panels, window) {
    const state = panelsOf.get(panels);
    state.view = keepWithin(state, window);
    if (!state.drawing) state.drawing = requestAnimationFrame(() => { state.drawing = 0; show(panels); });
    clearTimeout(state.settle);
    state.settle = setTimeout(() => settle(panels), SETTLE_MS);
  }
  // At once, from what is there already: the old picture stays until the new one came.
  function show(panels) {
    const state = panelsOf.get(panels);
    for (const { chart, holder } of hostsOf(panels)) {
      holder.view = state.view;
      const [min, max] = state.view || holder.spec.extent;
      chart.setScale("x", { min, max });
    }
    charts.drawLane(panels);
    panels.dataset.shown = (state.view || state.window).join("-");
  }
  const sayWindow = (state, full = false) => {
    const [from, to] = state.view || state.window, zone = state.zone, exact = to - from < 3600;
    return `${sayMoment(zone, from, { exact, full })} – ${sayMoment(zone, to, { exact, offset: true, full })}`;
  };
  function settle(panels) {
    const state = panelsOf.get(panels);
    panels.querySelector("[data-window-says]").textContent = `${sayWindow(state)}${state.level && state.source ? ` · ${state.level}` : ""}`;
    const latest = state.latest ?? Date.now() / 1000, [from, to] = state.view || state.window;
    const ends = { in: to - from <= state.least * 1.001, out: to - from >= (latest - state.earliest) * 0.999, back: from <= state.earliest, on: to >= latest - 0.5, home: !state.view };
    for (const button of panels.querySelectorAll("[data-move]")) button.setAttribute("aria-disabled", String(Boolean(ends[button.dataset.move])));
    for (const link of panels.querySelectorAll("a[data-csv]")) {
      const url = new URL(link.href);
      url.searchParams.set("from", new Date(from * 1000).toISOString());
      url.searchParams.set("to", new Date(to * 1000).toISOString());
      link.href = url.pathname + url.search;
    }
    for (const { host, holder } of hostsOf(panels)) fillTable(host, holder.spec, from, to);
    if (state.source) fetchWindow(panels);
    else panels.dataset.settled = `${from}-${to}`;
  }

  // As many points as the panel has pixels, of a stretch twice as wide as what is shown: the next small move needs none.
  function isEnough(state, [from, to]) {
    const there = state.loaded;
    return there && there.from <= from + 1e-3 && there.to >= to - 1e-3 && (there.raw || there.to - there.from <= (to - from) * 2.5);
  }
  async function fetchWindow(panels) {
    const state = panelsOf.get(panels), view = state.view;
    if (!view || isEnough(state, view)) { panels.dataset.settled = (view || state.window).join("-"); return; }
    const [from, to] = view, room = (to - from) / 2, latest = Date.now() / 1000;
    const width = Math.max(...hostsOf(panels).map(({ chart }) => chart.width), 300);
    const begin = Math.max(from - room, state.earliest), end = Math.max(Math.min(to + room, latest), to);
    const points = Math.min(MOST_POINTS, Math.ceil((2 * width) / 100) * 100);
    const url = new URL(state.source, location.href);
    url.searchParams.set("from", new Date(Math.floor(begin) * 1000).toISOString());
    url.searchParams.set("to", new Date(Math.ceil(end) * 1000).toISOString());
    url.searchParams.set("points", points);
    state.asking?.abort();
    state.asking = new AbortController();
    panels.setAttribute("aria-busy", "true");
    const stale = panels.querySelector("[data-panels-stale]");
    try {
      const answer = state.kept?.get(url.href) || (await ask(url, state.asking.signal));
      (state.kept ??= new Map()).delete(url.href);
      state.kept.set(url.href, answer);
      if (state.kept.size > KEPT) state.kept.delete(state.kept.keys().next().value);
      adopt(panels, answer);
      stale.hidden = true;
      panels.removeAttribute("aria-busy");
    } catch (problem) {
      if (problem.name === "AbortError") return; // another window was asked for meanwhile
      panels.removeAttribute("aria-busy");
      stale.textContent = words["chart.not_loaded"];
      stale.hidden = false;
    }
  }
  async function ask(url, signal) {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, signal });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }
  function adopt(panels, answer) {
    const state = panelsOf.get(panels), [from, to] = state.view || answer.window;
    state.loaded = { from: answer.window[0], to: answer.window[1], raw: answer.raw };
    state.level = answer.level;
    for (const host of panels.querySelectorAll("[data-signal]")) {
      const spec = answer.signals[host.dataset.signal];
      if (!spec) continue;
      const there = drawn.get(host), first = there?.holder.spec;
      // What the order's own chart has beside the readings stays: the stretch that its evidence is of.
      if (first?.window) spec.window = first.window;
      host.querySelector("[data-empty]")?.toggleAttribute("hidden", spec.x.length > 0 || Boolean(there));
      if (there) there.holder.view = state.view;
      charts.renew(host, spec, true);
      const made = drawn.get(host);
      if (made && !there) { made.holder.view = state.view; made.chart.setScale("x", { min: from, max: to }); }
      fillTable(host, spec, from, to);
    }
    charts.takeLane(panels, answer.lane);
    charts.placeLane(panels);
    panels.querySelector("[data-window-says]").textContent = `${sayWindow(state)} · ${answer.level}`;
    panels.dataset.settled = `${from}-${to}`;
  }

  // The readings that are shown, newest first; a table of thousands of rows helps nobody: the rest is in the CSV.
  function fillTable(host, spec, from, to) {
    const details = host.querySelector("details.as-table"), body = host.querySelector("[data-table] tbody");
    if (!body || !details.open) return;
    const places = spec.x.flatMap((at, place) => (spec.y[place] != null && at >= from && at <= to ? [place] : [])).reverse();
    body.replaceChildren(...places.slice(0, ROWS).map((place) => {
      const row = document.createElement("tr"), number = (value) => sayValue(spec, value);
      const low = spec.bucketed ? spec.low?.[place] : null;
      row.append(text("td", "nowrap", sayMoment(spec.zone, spec.x[place], { offset: true })), text("td", "number", number(spec.y[place])),
        text("td", "number", low == null ? "" : `${number(low)} – ${number(spec.high[place])}`),
        text("td", "", spec.breach?.[place] != null ? words["chart.yes"] : ""));
      return row;
    }));
    const count = host.querySelector("[data-table-says]");
    if (count) count.textContent = fill("chart.rows", { shown: Math.min(places.length, ROWS), count: places.length });
  }

  function fillHost(host) {
    const state = panelsOf.get(host.closest(".panels"));
    fillTable(host, drawn.get(host).holder.spec, ...(state.view || state.window));
  }

  const STEPS = {
    in: ([from, to]) => [from + (to - from) / 4, to - (to - from) / 4],
    out: ([from, to]) => [from - (to - from) / 2, to + (to - from) / 2],
    back: ([from, to]) => [from - (to - from) / 4, to - (to - from) / 4],
    on: ([from, to]) => [from + (to - from) / 4, to + (to - from) / 4],
  };
  function move(panels, name) {
    const state = panelsOf.get(panels);
    if (name === "home") { goHome(panels); return; }
    look(panels, STEPS[name](state.view || state.window));
  }
  // What is live goes back to now; the rest to what the page came with, as high as it was.
  function goHome(panels) {
    const state = panelsOf.get(panels);
    clearTimeout(state.settle);
    state.asking?.abort();
    panels.removeAttribute("aria-busy");
    state.view = state.loaded = null;
    state.level = state.first.level;
    for (const { host, holder } of hostsOf(panels)) {
      holder.view = null;
      if (!state.live) charts.renew(host, holder.first);
    }
    if (state.live) charts.followAgain();
    else charts.takeLane(panels, state.first.lane);
    settle(panels);
  }
  function press(panels, button) {
    if (button.dataset.picture !== undefined) takePicture(panels, button.closest(".chart"));
    else if (button.getAttribute("aria-disabled") !== "true") move(panels, button.dataset.move);
  }

  // By pointer: drag moves, with Shift it chooses a stretch; two fingers zoom; the wheel does with Ctrl or once the charts
  // have the focus, so that a page that is scrolled past stays as it is.
  const plotOf = (event) => event.target.closest?.(".u-over");
  function take(panels) {
    const state = panelsOf.get(panels), fingers = new Map();
    if (state.taken) return;
    state.taken = true;
    let held = null;
    const timeAt = (over, x, [from, to]) => { const box = over.getBoundingClientRect(); return from + ((x - box.left) / box.width) * (to - from); };
    panels.addEventListener("wheel", (event) => {
      const over = plotOf(event);
      if (!over || !(event.ctrlKey || event.metaKey || panels.contains(document.activeElement))) return;
      event.preventDefault();
      const window = state.view || state.window, [from, to] = window, sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) { const by = (sideways / over.clientWidth) * (to - from); look(panels, [from + by, to + by]); return; }
      const at = timeAt(over, event.clientX, window), factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY)) * 0.003);
      look(panels, [at - (at - from) * factor, at + (to - at) * factor]);
    }, { passive: false });
    panels.addEventListener("pointerdown", (event) => {
      const over = plotOf(event);
      if (!over || event.button !== 0) return;
      panels.focus({ preventScroll: true });
      over.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      held = { over, window: state.view || state.window, x: event.clientX, choose: event.shiftKey, gap: findGap() };
    });
    const findGap = () => { const [a, b] = [...fingers.values()]; return b === undefined ? 0 : Math.max(Math.abs(a - b), 10); };
    panels.addEventListener("pointermove", (event) => {
      if (!held || !fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      const [from, to] = held.window, box = held.over.getBoundingClientRect();
      if (held.gap) {
        const [a, b] = [...fingers.values()], factor = held.gap / findGap(), at = timeAt(held.over, (a + b) / 2, held.window);
        look(panels, [at - (at - from) * factor, at + (to - at) * factor]);
      } else if (held.choose) {
        const u = [...drawn.values()].find(({ chart }) => chart.over === held.over).chart;
        const left = Math.max(0, Math.min(held.x, event.clientX) - box.left), width = Math.min(Math.abs(event.clientX - held.x), box.width - left);
        u.setSelect({ left, width, top: 0, height: box.height }, false);
      } else if (Math.abs(event.clientX - held.x) > 3 || held.moved) {
        held.moved = true;
        const by = ((event.clientX - held.x) / box.width) * (to - from);
        look(panels, [from - by, to - by]);
      }
    });
    const release = (event) => {
      if (!fingers.delete(event.pointerId) || !held) return;
      if (held.choose) {
        const u = [...drawn.values()].find(({ chart }) => chart.over === held.over).chart;
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        const [a, b] = [held.x, event.clientX].sort((x, y) => x - y);
        if (b - a > 8) look(panels, [timeAt(held.over, a, held.window), timeAt(held.over, b, held.window)]);
      }
      held = fingers.size ? { ...held, window: state.view || state.window, x: [...fingers.values()][0], gap: 0 } : null;
    };
    panels.addEventListener("pointerup", release);
    panels.addEventListener("pointercancel", release);
    panels.addEventListener("toggle", (event) => {
      const host = event.target.closest?.(".chart");
      if (host && drawn.has(host)) fillHost(host);
    }, true);
  }

  // One chart as PNG: what it is of, when, from which data, and the lane below it.
  function takePicture(panels, host) {
    const state = panelsOf.get(panels), { chart, holder } = drawn.get(host), ratio = devicePixelRatio, colour = charts.readColours();
    const lane = panels.querySelector("canvas.lane"), plot = chart.ctx.canvas, line = 20 * ratio, edge = 12 * ratio;
    const laneHigh = lane && state.lane?.items.length ? Math.round((lane.height * plot.width) / lane.width) : 0;
    const title = `${state.title} · ${host.dataset.label}`;
    const notes = [`${sayWindow(state, true)} (${state.zone})${state.level && state.source ? ` · ${state.level}` : ""}`, ...state.stamp];
    const canvas = document.createElement("canvas");
    canvas.width = plot.width + 2 * edge;
    const ctx = canvas.getContext("2d");
    const face = (size, weight = "") => `${weight} ${size * ratio}px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif`.trim();
    ctx.font = face(12);
    const lines = notes.flatMap((note) => wrap(ctx, note, plot.width));
    const limits = wrap(ctx, (holder.spec.limits || []).map((limit) => limit.label).join(" · "), plot.width).filter(Boolean);
    canvas.height = edge + 26 * ratio + plot.height + laneHigh + (lines.length + limits.length) * line + edge;
    ctx.fillStyle = colour.surface; ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.fillStyle = colour.text; ctx.textBaseline = "top";
    ctx.font = face(15, "600"); ctx.fillText(title, edge, edge, plot.width);
    let y = edge + 26 * ratio;
    ctx.drawImage(plot, edge, y); y += plot.height;
    if (laneHigh) { ctx.drawImage(lane, edge, y, plot.width, laneHigh); y += laneHigh; }
    ctx.font = face(12); ctx.fillStyle = colour.muted;
    for (const said of [...limits, ...lines]) { ctx.fillText(said, edge, y + 4 * ratio); y += line; }
    canvas.toBlob((blob) => {
      const link = document.createElement("a"), day = new Date((state.view || state.window)[1] * 1000).toISOString().slice(0, 10);
      link.href = URL.createObjectURL(blob);
      link.download = `${state.title}_${host.dataset.signal}_${day}.png`.replace(/[^\w.-]+/g, "_");
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    }, "image/png");
  }
  function wrap(ctx, said, width) {
    const lines = [];
    for (const word of said.split(/(?<=\s)/)) {
      const longer = (lines.at(-1) ?? "") + word;
      if (lines.length && ctx.measureText(longer).width <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  return { fill: fillHost, look, move, press, take };
}
