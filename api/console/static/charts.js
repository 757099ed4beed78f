// Charts: one signal each. Band first, then the readings, then what lies beyond the limit; gaps stay open; limits are dashed.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
  const drawn = new Map();
  const panelsOf = new Map(); // by element: the window that its charts share, its lane
  const GUTTER = 56; // left of every plot and of the lane
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const formats = new Map();
  function format(zone, options) {
    const key = zone + JSON.stringify(options);
    if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
    return formats.get(key);
  }
  const clock = (zone, at, options) => format(zone, options).format(at);
  function sayDay(zone, at) {
    const [day, month] = clock(zone, at, { month: "2-digit", day: "2-digit" }).split("/");
    return `${month}-${day}`;
  }
  // On an axis: what tells two ticks apart. Midnight says the day.
  function sayTime(zone, seconds, step) {
    const at = new Date(seconds * 1000);
    if (step >= 28 * 86400) return `${clock(zone, at, { year: "numeric" })}-${clock(zone, at, { month: "2-digit" })}`;
    const time = clock(zone, at, step < 60 ? { hour: "2-digit", minute: "2-digit", second: "2-digit" } : { hour: "2-digit", minute: "2-digit" });
    return step >= 86400 || /^00:00(:00)?$/.test(time) ? sayDay(zone, at) : time;
  }
  // In words: the year where it is not this one, the offset where it is asked for.
  function sayMoment(zone, seconds, { exact = true, offset = false, full = false } = {}) {
    const at = new Date(seconds * 1000), year = clock(zone, at, { year: "numeric" });
    const time = clock(zone, at, exact ? { hour: "2-digit", minute: "2-digit", second: "2-digit" } : { hour: "2-digit", minute: "2-digit" });
    const name = offset ? format(zone, { timeZoneName: "shortOffset" }).formatToParts(at).find((part) => part.type === "timeZoneName").value.replace("GMT", "UTC") : "";
    return `${!full && year === clock(zone, new Date(), { year: "numeric" }) ? "" : `${year}-`}${sayDay(zone, at)} ${time}${name && ` ${name}`}`;
  }
  // Always the same columns, so that other data never need another drawing: the upper and lower edge first, else the band would cover the line.
  const none = (spec) => new Array(spec.x.length).fill(null);
  const columns = (spec) => [spec.x, spec.high || none(spec), spec.low || none(spec), spec.y, spec.breach || none(spec)];
  function shade(u, spec, colour) {
    const { ctx, bbox } = u;
    const place = (at) => Math.max(bbox.left, Math.min(bbox.left + bbox.width, u.valToPos(at, "x", true)));
    const isShown = ([from, to]) => to >= u.scales.x.min && from <= u.scales.x.max;
    ctx.save();
    if (spec.window && isShown(spec.window)) {
      ctx.globalAlpha = 0.14;
      ctx.fillStyle = colour.muted;
      const left = place(spec.window[0]);
      ctx.fillRect(left, bbox.top, Math.max(place(spec.window[1]) - left, 2), bbox.height);
      ctx.globalAlpha = 1;
      ctx.strokeStyle = colour.muted;
      ctx.lineWidth = devicePixelRatio;
      ctx.strokeRect(left, bbox.top, Math.max(place(spec.window[1]) - left, 2), bbox.height);
    }
    ctx.strokeStyle = colour.control;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const [from, to] of spec.gaps || []) {
      const left = place(from), width = place(to) - left;
      if (width > 1 && isShown([from, to])) ctx.strokeRect(left, bbox.top + devicePixelRatio, width, bbox.height - 2 * devicePixelRatio);
    }
    ctx.restore();
  }
  function mark(u, spec, colour, lane) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif`;
    ctx.textBaseline = "middle";
    const taken = [];
    for (const limit of spec.limits || []) {
      const y = u.valToPos(limit.value, "y", true);
      if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
      ctx.strokeStyle = colour.text;
      ctx.globalAlpha = limit.kind === "clear" ? 0.6 : 1;
      ctx.lineWidth = 1.2 * ratio;
      ctx.setLineDash(limit.kind === "clear" ? [2 * ratio, 4 * ratio] : [6 * ratio, 4 * ratio]);
      ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
      ctx.globalAlpha = 1;
      const width = ctx.measureText(limit.label).width, height = 14 * ratio;
      // Away from where things go wrong: the trouble is at the right end, so labels stand at the left, on the outer side of the line.
      const clear = spec.limits.find((other) => other.kind === "clear"), raise = spec.limits.find((other) => other.kind === "raise");
      const isLow = Boolean(clear && raise && raise.value < clear.value);
      const below = (limit.kind === "clear") !== isLow;
      // The marks have the top edge for themselves: a label that would stand there changes to the other side of its line.
      const least = bbox.top + height / 2 + (spec.marks?.length ? height : 0), under = y + height / 2 + 2 * ratio, over = y - height / 2 - 2 * ratio;
      const wanted = below || over < least ? under : over;
      const above = Math.max(least, Math.min(bbox.top + bbox.height - height / 2, wanted));
      const crowded = taken.some((other) => Math.abs(other - above) < height);
      const left = crowded ? bbox.left + bbox.width / 2 : bbox.left + 6 * ratio;
      taken.push(above);
      ctx.fillStyle = colour.surface;
      ctx.globalAlpha = 0.8;
      ctx.fillRect(left - 2 * ratio, above - height / 2, width + 4 * ratio, height);
      ctx.globalAlpha = 1;
      ctx.fillStyle = colour.text;
      ctx.textAlign = "left";
      ctx.fillText(limit.label, left, above);
    }
    ctx.setLineDash([]);
    for (const { at, kind } of lane) {
      const x = u.valToPos(at, "x", true), y = bbox.top + 5 * ratio, size = 4 * ratio;
      if (x < bbox.left || x > bbox.left + bbox.width || !["VISIT", "SITE"].includes(kind)) continue;
      ctx.fillStyle = colour.text;
      ctx.beginPath();
      if (kind === "VISIT") { ctx.moveTo(x, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x, y + size); ctx.lineTo(x - size, y); } else ctx.rect(x - size, y - size, 2 * size, 2 * size);
      ctx.fill();
    }
    let free = bbox.left - 10 * ratio;
    for (const one of spec.marks || []) {
      const x = u.valToPos(one.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.fillStyle = colour.text;
      ctx.beginPath();
      ctx.moveTo(x - 5 * ratio, bbox.top); ctx.lineTo(x + 5 * ratio, bbox.top); ctx.lineTo(x, bbox.top + 8 * ratio);
      ctx.fill();
      const wide = ctx.measureText(one.label).width + 10 * ratio, isLeft = x + wide > bbox.left + bbox.width;
      ctx.textAlign = isLeft ? "right" : "left";
      const from = isLeft ? x - wide : x - 5 * ratio;
      if (from < free) continue; // its name stands in the list of events
      // Set off from the line that it may stand on.
      ctx.strokeStyle = colour.surface; ctx.lineWidth = 3 * ratio; ctx.lineJoin = "round";
      ctx.strokeText(one.label, x + (isLeft ? -8 : 8) * ratio, bbox.top + 6 * ratio);
      ctx.fillText(one.label, x + (isLeft ? -8 : 8) * ratio, bbox.top + 6 * ratio);
      free = isLeft ? x : x + wide;
    }
    ctx.restore();
  }
  const readColours = () => ({ text: css("--text"), muted: css("--muted"), control: css("--control"), rule: css("--rule"), surface: css("--surface"),
    series: css("--series"), band: css("--band"), breach: css("--breach"), selected: css("--selected") });
  // The decimals of the signal, or as many more as tell a value apart from a limit that it is not at.
  function sayValue(spec, value) {
    let digits = spec.decimals;
    const isUnclear = ({ value: limit }) => (limit === value ? Number(value.toFixed(digits)) !== limit : limit.toFixed(digits) === value.toFixed(digits));
    while (digits < 15 && spec.limits?.some(isUnclear)) digits += 1;
    return value.toFixed(digits);
  }
  function sayPoint(holder, u) {
    const place = u.cursor.idx, { spec } = holder, value = place == null ? null : u.data[3][place];
    if (value == null) return "\u00a0";
    const [low, high] = [u.data[2][place], u.data[1][place]], number = (v) => sayValue(spec, v);
    const spread = spec.bucketed && low != null ? ` (${number(low)} – ${number(high)})` : "";
    return `${number(value)}${spec.unit === "%" ? "" : " "}${spec.unit}${spread} · ${sayMoment(spec.zone, u.data[0][place])}`;
  }
  function draw(host, spec) {
    const plot = host.querySelector(".plot");
    if (!plot || !spec.x.length) return;
    const old = drawn.get(host);
    old?.chart.destroy();
    const holder = old?.holder || { spec, first: spec, view: null, range: spec.range };
    holder.spec = spec;
    const colour = readColours();
    const readout = host.querySelector("[data-readout]");
    const silent = { stroke: "transparent", width: 0, points: { show: false } };
    const dots = { show: (u, series, from, to) => to - from < 60, size: 4, fill: colour.series };
    const series = [{}, { ...silent }, { ...silent },
      { stroke: colour.series, width: 1.6, spanGaps: false, points: dots },
      { stroke: colour.breach, width: 3, spanGaps: false, points: { show: true, size: 5, fill: colour.breach, stroke: colour.breach } }];
    const small = host.classList.contains("small") || host.classList.contains("strip");
    const axis = { stroke: colour.muted, grid: { stroke: colour.rule, width: 1 }, ticks: { stroke: colour.rule, width: 1, size: 4 },
      font: '12px system-ui, "Noto Sans CJK SC", sans-serif' };
    const chart = new uPlot({
      width: Math.max(plot.clientWidth, 200), height: plot.clientHeight || 200,
      legend: { show: false },
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), spec.zone),
      cursor: { drag: { x: false, y: false }, points: { size: 7 }, sync: { key: "charts", scales: ["x", null] } },
      // The window is that of its panels where somebody moved it. The height is never that of the part that is shown:
      // a small wobble drawn as large as a fault says what is not so.
      scales: { x: { time: true, range: () => holder.view || holder.spec.extent || [holder.spec.x[0], holder.spec.x.at(-1)] }, y: { range: () => holder.range } },
      series,
      bands: [{ series: [1, 2], fill: colour.band }],
      axes: [
        { ...axis, size: 28, space: 70, values: (u, splits, i, space, step) => splits.map((s) => sayTime(holder.spec.zone, s, step)) },
        { ...axis, size: GUTTER, space: small ? 20 : 30 },
      ],
      hooks: {
        drawClear: [(u) => shade(u, holder.spec, colour)],
        draw: [(u) => mark(u, holder.spec, colour, panelsOf.get(host.closest(".panels"))?.lane?.items || [])],
        setCursor: [(u) => { if (readout) readout.textContent = sayPoint(holder, u); }],
      },
    }, columns(spec), plot);
    drawn.set(host, { chart, holder, host });
    tellDrawn(host, holder);
  }
  function tellDrawn(host, holder) {
    host.dataset.drawn = String(holder.spec.x.length);
    host.dataset.height = holder.range.join(" ");
  }
  // Other data in the same drawing. `grow`: the height may grow for them, and never shrinks.
  function renew(host, spec, grow = false) {
    const there = drawn.get(host);
    if (!there) { draw(host, spec); return; }
    const { holder } = there;
    holder.range = grow ? [Math.min(holder.range[0], spec.range[0]), Math.max(holder.range[1], spec.range[1])] : spec.range;
    holder.spec = spec;
    there.chart.setData(columns(spec), true);
    tellDrawn(host, holder);
  }

  // The lane of events that all panels share: instants above, then a row of bars for each sort of period.
  const ROW = 18, PERIODS = ["FAULT", "ORDER", "SHELVED"];
  function drawLane(panels) {
    const canvas = panels.querySelector("canvas.lane"), state = panelsOf.get(panels);
    if (!canvas || !state?.lane) return;
    const { items } = state.lane, [from, to] = state.view || state.window;
    const rows = ["", ...PERIODS.filter((kind) => items.some((item) => item.kind === kind))];
    const ratio = devicePixelRatio, width = canvas.parentElement.clientWidth, height = rows.length * ROW + 2;
    canvas.style.height = `${height}px`;
    canvas.width = width * ratio; canvas.height = height * ratio;
    const ctx = canvas.getContext("2d"), colour = readColours(), right = width - state.right, span = right - GUTTER;
    const place = (at) => GUTTER + ((at - from) / (to - from)) * span;
    ctx.scale(ratio, ratio);
    ctx.font = '11px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
    ctx.textBaseline = "middle";
    const spots = [];
    rows.forEach((kind, row) => {
      const middle = row * ROW + ROW / 2 + 1;
      ctx.fillStyle = colour.muted; ctx.textAlign = "right";
      ctx.fillText(words[kind ? `lane.row_${kind}` : "lane.row"], GUTTER - 6, middle, GUTTER - 8);
      ctx.strokeStyle = colour.rule; ctx.lineWidth = 1;
      ctx.beginPath(); ctx.moveTo(GUTTER, row * ROW + ROW + 0.5); ctx.lineTo(right, row * ROW + ROW + 0.5); ctx.stroke();
      ctx.save();
      ctx.beginPath(); ctx.rect(GUTTER, row * ROW, span, ROW + 2); ctx.clip();
      let free = GUTTER - 4;
      for (const item of items) {
        if (kind ? item.kind !== kind : item.period) continue;
        const x = place(item.at), end = item.period ? Math.max(place(item.until ?? Math.max(to, Date.now() / 1000)), x + 3) : x;
        if (end < GUTTER || x > right) continue;
        ctx.textAlign = "left";
        if (kind) {
          const left = Math.max(x, GUTTER - 2), wide = Math.min(end, right + 2) - left;
          ctx.fillStyle = kind === "FAULT" ? colour.breach : kind === "ORDER" ? colour.selected : colour.surface;
          ctx.strokeStyle = kind === "FAULT" ? colour.breach : colour.control;
          ctx.setLineDash(kind === "SHELVED" ? [4, 3] : []);
          const high = kind === "FAULT" ? 6 : 12;
          ctx.fillRect(left, middle - high / 2, wide, high);
          ctx.strokeRect(left + 0.5, middle - high / 2 + 0.5, Math.max(wide - 1, 1), high - 1);
          ctx.setLineDash([]);
          if (kind !== "FAULT" && wide > ctx.measureText(item.label).width + 8) { ctx.fillStyle = colour.text; ctx.fillText(item.label, left + 4, middle); }
        } else {
          ctx.fillStyle = colour.text;
          ctx.beginPath();
          if (item.kind === "FIRMWARE") { ctx.moveTo(x - 5, middle - 4); ctx.lineTo(x + 5, middle - 4); ctx.lineTo(x, middle + 5); }
          else if (item.kind === "VISIT") { ctx.moveTo(x, middle - 5); ctx.lineTo(x + 5, middle); ctx.lineTo(x, middle + 5); ctx.lineTo(x - 5, middle); }
          else if (item.kind === "SITE") ctx.rect(x - 4, middle - 4, 8, 8);
          else ctx.arc(x, middle, 4, 0, 7);
          ctx.fill();
          const wide = ctx.measureText(item.label).width;
          if (item.kind === "FIRMWARE" && x - 7 > free && x + 8 + wide < right) { ctx.fillText(item.label, x + 8, middle); free = x + 14 + wide; }
        }
        spots.push({ left: x - 6, right: end + 6, top: row * ROW, item });
      }
      ctx.restore();
    });
    state.spots = spots;
  }
  function pointAtLane(event) {
    const canvas = event.target.closest?.("canvas.lane");
    if (!canvas) return;
    const found = panelsOf.get(canvas.closest(".panels"))?.spots?.findLast((spot) =>
      event.offsetX >= spot.left && event.offsetX <= spot.right && event.offsetY >= spot.top && event.offsetY < spot.top + ROW);
    canvas.title = found ? `${found.item.says}\n${found.item.when}` : "";
  }

  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const there = drawn.get(entry.target.closest(".chart"));
      if (there && Math.abs(there.chart.width - entry.contentRect.width) > 1) there.chart.setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
      if (entry.target.matches("canvas.lane")) continue;
      const panels = entry.target.closest(".panels");
      if (panels) placeLane(panels);
    }
  });
  // As wide as the plots above it.
  function placeLane(panels) {
    const state = panelsOf.get(panels), first = [...drawn.values()].find(({ host }) => panels.contains(host));
    if (!state || !first) return;
    state.right = Math.max(0, Math.round(first.chart.width - (first.chart.bbox.left + first.chart.bbox.width) / devicePixelRatio));
    drawLane(panels);
  }
  const text = (tag, kind, said) => { const made = document.createElement(tag); if (kind) made.className = kind; made.textContent = said; return made; };
  function listLane(panels) {
    const state = panelsOf.get(panels), place = panels.querySelector("[data-lane-list]");
    if (!place) return;
    place.replaceChildren(...state.lane.items.slice(-100).reverse().map((item) => {
      const line = document.createElement("li"), said = text(item.href ? "a" : "span", "", item.says);
      if (item.href) said.href = item.href;
      line.append(text("span", "mark", item.name), " ", said, " ", text("span", "small muted", item.when));
      return line;
    }));
    panels.querySelector("[data-lane-count]").textContent = (words["lane.list"] || "").replace("{count}", state.lane.items.length);
    const more = panels.querySelector("[data-lane-more]");
    more.textContent = state.lane.more; more.hidden = !state.lane.more;
  }
  function takeLane(panels, lane) {
    const state = panelsOf.get(panels);
    if (!state || !lane) return;
    const isOther = JSON.stringify(lane) !== JSON.stringify(state.lane);
    state.lane = lane;
    if (isOther) listLane(panels);
    drawLane(panels);
  }

  // Zoom, pan, tables of what is shown and pictures are loaded when somebody reaches for them.
  let tools = null;
  const charts = { drawn, panelsOf, words, renew, drawLane, takeLane, placeLane, readColours, sayMoment, sayValue, text, followAgain: () => follow(true) };
  const reach = (panels) => (tools ??= import(panels.dataset.tools).then((found) => found.begin(charts))).then((found) => { found.take(panels); return found; });
  function offer(panels) {
    if (panelsOf.has(panels)) return;
    const source = document.getElementById(panels.dataset.panels), spec = JSON.parse(source.textContent);
    Object.assign(words, spec.words);
    // The page was renewed under it: who had gone somewhere stays there.
    const before = [...panelsOf].find(([other]) => !other.isConnected && other.dataset.panels === panels.dataset.panels)?.[1].view;
    if (before) queueMicrotask(() => reach(panels).then((found) => found.look(panels, before)));
    panels.dataset.settled = spec.window.join("-");
    panelsOf.set(panels, { ...spec, first: spec, view: null, right: 0 });
    for (const tool of panels.querySelectorAll("[data-tools-row][hidden], [data-picture][hidden]")) tool.hidden = false;
    for (const kind of ["pointerenter", "focusin", "touchstart"]) panels.addEventListener(kind, () => reach(panels), { once: true, passive: true });
    // A finger gives no notice: it is ready when the charts come into view.
    if (matchMedia("(pointer: coarse)").matches) {
      const near = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) { near.disconnect(); reach(panels); } });
      near.observe(panels);
    }
    panels.addEventListener("click", (event) => {
      const button = event.target.closest("[data-move], [data-picture]");
      if (button) reach(panels).then((found) => found.press(panels, button));
    });
    panels.addEventListener("keydown", (event) => { if (event.target.closest("summary, a, input, .scroll") || event.ctrlKey || event.metaKey || event.altKey) return;
      const move = MOVES[event.key];
      if (!move) return;
      event.preventDefault(); event.stopPropagation();
      reach(panels).then((found) => found.move(panels, move));
    });
    panels.addEventListener("pointermove", pointAtLane, { passive: true });
  }
  const MOVES = { "+": "in", "=": "in", "-": "out", "_": "out", ArrowLeft: "back", ArrowRight: "on", 0: "home", Home: "home" };

  function drawAll() {
    for (const panels of document.querySelectorAll(".panels[data-panels]")) offer(panels);
    for (const host of document.querySelectorAll(".chart[data-chart]")) {
      const source = document.getElementById(host.dataset.chart);
      if (!source) continue;
      draw(host, JSON.parse(source.textContent));
      resized.observe(host.querySelector(".plot"));
    }
    for (const panels of panelsOf.keys()) { if (panels.isConnected) placeLane(panels); else panelsOf.delete(panels); }
    for (const host of drawn.keys()) if (!host.isConnected) drawn.delete(host);
  }
  const themes = matchMedia("(prefers-color-scheme: dark)");
  themes.addEventListener("change", () => { for (const { host, holder } of [...drawn.values()]) draw(host, holder.spec); for (const panels of panelsOf.keys()) drawLane(panels); });

  // The device page: fetched again every few seconds while somebody looks at the newest time. What is there stays when a
  // fetch fails, marked; and while somebody looks at another time.
  const signals = document.getElementById("signals");
  const source = document.getElementById("signals-data");
  const every = Number(signals?.dataset.everyS || 3) * 1000;
  let failedAt = null, again = 0;
  function showSignals(payload) {
    const state = panelsOf.get(signals);
    if (state?.view) return;
    if (state) { state.window = payload.window; signals.querySelector("[data-window-says]").textContent = payload.says; }
    for (const host of signals.querySelectorAll("[data-signal]")) {
      const spec = payload.signals[host.dataset.signal];
      if (!spec) continue;
      host.querySelector("[data-latest]").textContent = spec.latest;
      host.querySelector("[data-empty]").hidden = spec.x.length > 0;
      if (spec.x.length) { renew(host, spec); resized.observe(host.querySelector(".plot")); }
      if (host.querySelector("details[open] [data-table]")) reach(signals).then((found) => found.fill(host));
    }
    takeLane(signals, payload.lane);
    placeLane(signals);
  }
  async function follow(now = false) {
    clearTimeout(again);
    const stale = document.getElementById("signals-stale");
    const isWatched = document.visibilityState === "visible" && !panelsOf.get(signals)?.view;
    if (isWatched && (now || localStorage.getItem("forewarn.live") !== "paused")) {
      try {
        const answer = await fetch(signals.dataset.liveSignals, { headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(String(answer.status));
        showSignals(await answer.json());
        failedAt = null;
        stale.hidden = true;
      } catch {
        failedAt ??= new Date();
        stale.hidden = false;
        stale.textContent = (words["device.stale"] || "").replace("{at}", failedAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }));
      }
    }
    clearTimeout(again);
    again = setTimeout(() => follow(), failedAt ? Math.max(8000, every) : every);
  }
  drawAll();
  if (signals && source) { showSignals(JSON.parse(source.textContent)); again = setTimeout(() => follow(), every); }
  document.addEventListener("forewarn:shown", drawAll);
})();
