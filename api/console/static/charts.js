// Charts: one signal each. Band first, then the readings, then what lies beyond the limit; gaps stay open; limits are dashed.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
  const drawn = new Map();
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const formats = new Map();
  function format(zone, options) {
    const key = zone + JSON.stringify(options);
    if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
    return formats.get(key);
  }
  function sayTime(zone, seconds, step) {
    const at = new Date(seconds * 1000);
    if (step >= 86400) return format(zone, { month: "2-digit", day: "2-digit" }).format(at).split("/").reverse().join("-");
    return format(zone, step < 60 ? { hour: "2-digit", minute: "2-digit", second: "2-digit" } : { hour: "2-digit", minute: "2-digit" }).format(at);
  }
  const columns = (spec) => {
    const data = [spec.x];
    if (spec.high) data.push(spec.high, spec.low);
    data.push(spec.y);
    if (spec.breach) data.push(spec.breach);
    return data;
  };
  function shade(u, spec, colour) {
    const { ctx, bbox } = u;
    const place = (at) => Math.max(bbox.left, Math.min(bbox.left + bbox.width, u.valToPos(at, "x", true)));
    ctx.save();
    if (spec.window) {
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
      if (width > 1) ctx.strokeRect(left, bbox.top + devicePixelRatio, width, bbox.height - 2 * devicePixelRatio);
    }
    ctx.restore();
  }
  function mark(u, spec, colour) {
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
      const wanted = below ? y + height / 2 + 2 * ratio : y - height / 2 - 2 * ratio;
      const above = Math.max(bbox.top + height / 2, Math.min(bbox.top + bbox.height - height / 2, wanted));
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
    for (const one of spec.marks || []) {
      const x = u.valToPos(one.at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.fillStyle = colour.text;
      ctx.beginPath();
      ctx.moveTo(x - 5 * ratio, bbox.top); ctx.lineTo(x + 5 * ratio, bbox.top); ctx.lineTo(x, bbox.top + 8 * ratio);
      ctx.fill();
      ctx.textAlign = x > bbox.left + bbox.width - 60 * ratio ? "right" : "left";
      ctx.fillText(one.label, x + (ctx.textAlign === "left" ? 8 : -8) * ratio, bbox.top + 6 * ratio);
    }
    ctx.restore();
  }
  function draw(host, spec) {
    const plot = host.querySelector(".plot");
    if (!plot || !spec.x.length) return;
    const old = drawn.get(host);
    old?.chart.destroy();
    const holder = { spec };
    const colour = { text: css("--text"), muted: css("--muted"), control: css("--control"), rule: css("--rule"), surface: css("--surface"),
      series: css("--series"), band: css("--band"), breach: css("--breach") };
    const readout = host.querySelector("[data-readout]");
    const series = [{}];
    const hasBand = Boolean(spec.high);
    const silent = { stroke: "transparent", width: 0, points: { show: false } };
    if (hasBand) series.push({ ...silent }, { ...silent });
    const few = spec.y.length < 60;
    series.push({ stroke: colour.series, width: 1.6, spanGaps: false, points: { show: few, size: 4, fill: colour.series } });
    if (spec.breach) series.push({ stroke: colour.breach, width: 3, spanGaps: false, points: { show: true, size: 5, fill: colour.breach, stroke: colour.breach } });
    const small = host.classList.contains("small");
    const axis = { stroke: colour.muted, grid: { stroke: colour.rule, width: 1 }, ticks: { stroke: colour.rule, width: 1, size: 4 },
      font: '12px system-ui, "Noto Sans CJK SC", sans-serif' };
    const at = hasBand ? 3 : 1;
    const chart = new uPlot({
      width: Math.max(plot.clientWidth, 200), height: plot.clientHeight || 200,
      legend: { show: false },
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), spec.zone),
      cursor: { drag: { x: false, y: false }, points: { size: 7 }, ...(small ? { sync: { key: "signals" } } : {}) },
      scales: { x: { time: true, range: () => holder.spec.extent || [holder.spec.x[0], holder.spec.x.at(-1)] }, y: { range: () => holder.spec.range } },
      series,
      bands: hasBand ? [{ series: [1, 2], fill: colour.band }] : undefined,
      axes: [
        { ...axis, size: 28, space: 70, values: (u, splits, i, space, step) => splits.map((s) => sayTime(spec.zone, s, step)) },
        { ...axis, size: 56, space: small ? 20 : 30 },
      ],
      hooks: {
        drawClear: [(u) => shade(u, holder.spec, colour)],
        draw: [(u) => mark(u, holder.spec, colour)],
        setCursor: [(u) => {
          if (!readout) return;
          const place = u.cursor.idx, value = place == null ? null : u.data[at][place];
          readout.textContent = value == null ? "\u00a0" : `${value.toFixed(holder.spec.decimals)} ${holder.spec.unit} · ${sayTime(holder.spec.zone, u.data[0][place], 1)}`;
        }],
      },
    }, columns(spec), plot);
    drawn.set(host, { chart, holder, host });
    host.dataset.drawn = String(spec.x.length);
  }
  function renew(host, spec) {
    const there = drawn.get(host);
    if (!there || Boolean(there.holder.spec.high) !== Boolean(spec.high) || Boolean(there.holder.spec.breach) !== Boolean(spec.breach)) { draw(host, spec); return; }
    there.holder.spec = spec;
    there.chart.setData(columns(spec), true);
    host.dataset.drawn = String(spec.x.length);
  }
  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const there = drawn.get(entry.target.closest(".chart"));
      if (there && Math.abs(there.chart.width - entry.contentRect.width) > 1) there.chart.setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    }
  });
  function drawAll() {
    for (const host of document.querySelectorAll(".chart[data-chart]")) {
      const source = document.getElementById(host.dataset.chart);
      if (!source) continue;
      draw(host, JSON.parse(source.textContent));
      resized.observe(host.querySelector(".plot"));
    }
  }
  const themes = matchMedia("(prefers-color-scheme: dark)");
  themes.addEventListener("change", () => { for (const { host, holder } of [...drawn.values()]) draw(host, holder.spec); });

  // The device page: fetched again every few seconds while somebody looks. What is there stays when a fetch fails, marked.
  const signals = document.getElementById("signals");
  const source = document.getElementById("signals-data");
  let failedAt = null;
  function showSignals(payload) {
    for (const host of signals.querySelectorAll("[data-signal]")) {
      const spec = payload.signals[host.dataset.signal];
      if (!spec) continue;
      host.querySelector("[data-latest]").textContent = spec.latest;
      host.querySelector("[data-empty]").hidden = spec.x.length > 0;
      if (spec.x.length) { renew(host, spec); resized.observe(host.querySelector(".plot")); }
      const table = host.querySelector("details[open] [data-table] tbody");
      if (table) table.replaceChildren(...spec.table.map((line) => {
        const row = document.createElement("tr");
        for (const [text, kind] of [[line.at, "nowrap"], [line.value, "number"]]) { const cell = document.createElement("td"); cell.className = kind; cell.textContent = text; row.append(cell); }
        return row;
      }));
    }
  }
  async function follow() {
    const stale = document.getElementById("signals-stale");
    if (document.visibilityState === "visible" && localStorage.getItem("forewarn.live") !== "paused") {
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
    setTimeout(follow, failedAt ? 8000 : 3000);
  }
  drawAll();
  if (signals && source) { showSignals(JSON.parse(source.textContent)); setTimeout(follow, 3000); }
  document.addEventListener("forewarn:shown", drawAll);
})();
