// The console in the browser: ages that keep true, keys, selection, and live changes that wait to be shown. No state but the page's own.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
  const keysOn = document.documentElement.dataset.keys === "on";
  const say = (key, params) => Object.entries(params || {}).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), words[key] || "");
  const count = (key, n) => say(n === 1 && words[`${key}.one`] ? `${key}.one` : key, { count: n });

  // Ages. The server wrote them; they are kept true while the page stays open.
  function span(seconds) {
    const minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600), days = Math.floor(seconds / 86400);
    if (seconds < 60) return say("duration.s", { s: Math.floor(seconds) });
    if (seconds < 3600) return say("duration.min", { min: minutes });
    if (seconds < 86400) return say("duration.h", { h: Math.round(seconds / 3600) });
    const rest = hours % 24;
    return rest && days < 4 ? say("duration.d_h", { d: days, h: rest }) : say("duration.d", { d: days });
  }
  function tellAges() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      const text = Math.abs(seconds) < 5 ? say("ago.now") : say(seconds > 0 ? "ago.past" : "ago.future", { span: span(Math.abs(seconds)) });
      if (time.textContent !== text) time.textContent = text;
    }
  }
  setInterval(tellAges, 15000);

  // Preferences: "mine" is the zone of this browser.
  for (const button of document.querySelectorAll("[data-my-zone]")) button.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

  // Filters apply as they are chosen; without this script a button does it.
  function bind(root) {
    for (const form of root.querySelectorAll("form[data-auto]")) {
      for (const button of form.querySelectorAll("[data-auto-hide]")) button.hidden = true;
      form.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") form.requestSubmit(); });
      form.addEventListener("submit", () => { for (const field of form.elements) if (field.name && field.value === "") field.disabled = true; });
    }
    const all = root.querySelector("#select-all");
    if (all) all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; tellSelected(); });
    for (const box of boxes()) box.addEventListener("change", tellSelected);
    const form = root.querySelector("#inbox-form");
    if (form) form.addEventListener("submit", (event) => {
      // Nothing ticked: the row under the cursor is meant.
      if (!boxes().some((box) => box.checked)) { const row = cursor() || rows()[0]; const box = row?.querySelector('input[name="order"]'); if (box) box.checked = true; }
      if (event.submitter?.value === "shelve") { const reason = form.elements.shelve_reason; if (!reason.value.trim()) { event.preventDefault(); reason.focus(); reason.setAttribute("aria-invalid", "true"); } }
    });
    const pending = root.querySelector("#pending button");
    if (pending) pending.addEventListener("click", show);
    tellSelected();
  }
  const boxes = () => [...document.querySelectorAll('#inbox-form input[name="order"]')];
  function tellSelected() {
    const place = document.getElementById("selected-count");
    if (!place) return;
    const n = boxes().filter((box) => box.checked).length;
    place.textContent = n ? count("inbox.selected", n) : "";
  }

  // Keys: off when the person says so, silent while typing or composing.
  const rows = () => [...document.querySelectorAll("tr[data-row]")];
  const cursor = () => document.querySelector("tr[data-cursor]");
  function moveTo(row) {
    if (!row) return;
    cursor()?.removeAttribute("data-cursor");
    row.setAttribute("data-cursor", "");
    const link = row.querySelector("a");
    if (link) link.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  function step(by) {
    const list = rows();
    if (!list.length) return;
    const at = list.indexOf(cursor());
    moveTo(list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, at + by))]);
  }
  // On a phone the places and the search are a sheet below the bar.
  const places = document.getElementById("places-toggle");
  function openPlaces(isOpen) {
    if (!places) return;
    places.closest(".top").toggleAttribute("data-open", isOpen);
    places.setAttribute("aria-expanded", String(isOpen));
  }
  places?.addEventListener("click", () => openPlaces(places.getAttribute("aria-expanded") !== "true"));
  let prefix = "", prefixAt = 0;
  const dialog = document.getElementById("keys");
  document.getElementById("show-keys")?.addEventListener("click", () => dialog.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const open of document.querySelectorAll("details.menu[open]")) { open.open = false; open.querySelector("summary").focus(); }
      if (places?.getAttribute("aria-expanded") === "true") { openPlaces(false); places.focus(); }
    }
    if (!keysOn || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.keyCode === 229) return;
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (typing || dialog?.open) return;
    const key = event.key;
    if (prefix === "g" && Date.now() - prefixAt < 1500) {
      prefix = "";
      const link = document.querySelector(`.nav a[data-key="${CSS.escape(key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (key === "g") { prefix = "g"; prefixAt = Date.now(); return; }
    const take = () => event.preventDefault();
    if (key === "j") { take(); step(1); }
    else if (key === "k") { take(); step(-1); }
    else if (key === "x") { const box = cursor()?.querySelector('input[type="checkbox"]'); if (box) { take(); box.checked = !box.checked; tellSelected(); } }
    else if (key === "Enter" && cursor() && (event.target === document.body || event.target.closest("main") === event.target)) { take(); location.assign(cursor().dataset.href); }
    else if (key === "/") { take(); openPlaces(true); document.getElementById("find")?.focus(); }
    else if (key === "?") { take(); dialog?.showModal(); }
    else if (key === ".") { if (!document.getElementById("pending")?.hidden) { take(); show(); } }
    else {
      const target = [...document.querySelectorAll("main [data-key]")].find((item) => item.dataset.key.toLowerCase() === key.toLowerCase());
      if (!target) return;
      take();
      if (target.tagName === "TEXTAREA") target.focus();
      else {
        target.click();
        const panel = target.closest("details");
        if (panel) panel.open && panel.querySelector(".panel input:not([type=hidden]), .panel select, .panel textarea, .sheet input, .panel button")?.focus();
      }
    }
  });
  // A section that needs a script of its own brings it along when it is opened.
  function fetchScript(section) {
    const address = section.dataset?.script;
    if (address && section.open && !document.querySelector(`script[src="${address}"]`)) document.head.append(Object.assign(document.createElement("script"), { src: address }));
  }
  document.addEventListener("toggle", (event) => fetchScript(event.target), true);
  document.querySelectorAll("details[data-script][open]").forEach(fetchScript);
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("tr[data-row]");
    if (row && row !== cursor()) { cursor()?.removeAttribute("data-cursor"); row.setAttribute("data-cursor", ""); }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#places, #places-toggle")) openPlaces(false);
    for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(event.target)) open.open = false;
  });

  // Live. What changed waits behind one line, so that nothing moves under a hand. The server's page is compared with what
  // is shown, so the line says exactly what there is to see.
  const live = document.getElementById("live");
  const pause = document.getElementById("live-pause");
  const body = () => document.getElementById("live-body");
  const stamps = (root) => new Map([...root.querySelectorAll("tr[data-row], li[data-row]")].map((row) => [row.dataset.row, row.dataset.version || ""]));
  function tellPending(text) {
    const place = document.getElementById("pending");
    if (!place) return;
    place.hidden = !text;
    place.querySelector("button").textContent = text ? say("live.show", { what: text }) : "";
  }
  // A change that is heard of while a page is under way may be missing from it: then it is fetched once more. So it is
  // when the server could not give it, after a while that grows.
  // Many pages look at once: each after a moment of its own, and none oftener than the server answers easily.
  const LOOK_MS = 300, LONGEST_MS = 60000;
  let lookAt = 0, lookIn = LOOK_MS, heard = 0, shown = 0, told = 0, toldRows = null;
  function look() {
    heard += 1;
    if (!lookAt && body() && !document.hidden) lookAt = setTimeout(compare, LOOK_MS + Math.random() * lookIn);
  }
  async function compare() {
    const before = [heard, shown], beganAt = performance.now(), versions = body()?.dataset.versions;
    try {
      const answer = await fetch(versions || location.href, { headers: { Accept: versions ? "application/json" : "text/html" } });
      if (answer.status >= 500) throw new Error(answer.statusText);
      const next = !answer.ok ? null : versions ? await answer.json() : new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live-body");
      if (next && body() && shown === before[1]) versions ? tellRows(new Map(Object.entries(next.rows))) : tellDifference(next);
      lookIn = Math.min(LONGEST_MS, Math.max(LOOK_MS, 4 * (performance.now() - beganAt), Number(answer.headers.get("X-Look-After")) || 0));
      if (live?.dataset.state === "stale" && stream?.readyState === EventSource.OPEN) tellLive("on");
    } catch {
      heard += 1;
      lookIn = Math.min(4 * lookIn, LONGEST_MS);
      if (stream) tellLive("stale");
    }
    lookAt = 0;
    if (heard !== before[0] || shown !== before[1]) look();
  }
  function tellDifference(next) {
    if (body().dataset.watch) { tellPending(next.dataset.version !== body().dataset.version ? say("live.this_changed") : ""); return; }
    tellRows(stamps(next));
  }
  let there = null;  // what the server has, as far as is known; null: what is shown
  function tellRows(next) {
    const here = stamps(body());
    there = next;
    const fresh = [...there.keys()].filter((id) => !here.has(id)).length;
    const changed = [...here.keys()].filter((id) => there.get(id) !== here.get(id)).length;
    tellPending([fresh ? count("live.new", fresh) : "", changed ? count("live.changed", changed) : ""].filter(Boolean).join(words["list.comma"] || ", "));
  }
  // What was decided here is no news here.
  document.addEventListener("forewarn:decided", (event) => {
    if (!there) return;
    const known = new Map(there);
    for (const code of event.detail) known.delete(code);
    tellRows(known);
  });
  // A row that is shown has changed: the event says enough.
  function hear(event) {
    const { id, version } = JSON.parse(event.data), here = stamps(body());
    const known = new Map(there || here);
    if (here.has(id) && known.has(id) && version > Number(known.get(id))) { known.set(id, String(version)); tellRows(known); }
  }
  const isDirty = () => [...document.querySelectorAll("#live-body form[method=post]")].some((form) =>
    [...form.elements].some((field) => !["hidden", "checkbox", "select-one", "submit"].includes(field.type) && "defaultValue" in field && (field.value !== field.defaultValue || (field.value && "cameBack" in field.dataset))));
  function show() {
    const place = body();
    if (!place) return;
    if (isDirty()) { document.querySelector("#pending button").textContent = say("live.dirty"); return; }
    const picked = boxes().filter((box) => box.checked).map((box) => box.id);
    const row = cursor()?.id, toldBefore = told;
    htmx.ajax("GET", location.pathname + location.search, { source: place, target: place, select: "#live-body", swap: "outerHTML" }).then(() => {
      shown += 1;
      there = null;
      bind(body());
      for (const id of picked) { const box = document.getElementById(id); if (box) box.checked = true; }
      (document.getElementById(row) || rows()[0])?.setAttribute("data-cursor", "");
      tellSelected(); tellPending(""); tellAges();
      document.dispatchEvent(new CustomEvent("forewarn:shown"));
      if (!pushed()) look();
      else if (told !== toldBefore) tellRows(toldRows);  // while the page was under way: it may not have it
    });
  }
  // The inbox is told what it would show, by a stream that lies beside its versions: it asks nobody.
  const pushed = () => body()?.dataset.versions?.replace("/versions", "/events/stream");
  function takeRows(event) {
    if (!pushed()) return;
    told += 1;
    toldRows = new Map(Object.entries(JSON.parse(event.data).rows));
    tellRows(toldRows);
  }
  function take(event) {
    if (pushed()) { if (event.type === "work_order") hear(event); return; }
    const entities = (body()?.dataset.entities || "").split(" ");
    if (event.type === "reset" || event.type === "ready") { lookIn = Math.max(LOOK_MS, JSON.parse(event.data).look_after || 0); look(); return; }
    if (!entities.includes(event.type)) return;
    // A page of one record: what becomes of another one does not change it.
    const watched = body().dataset.watch;
    if (!watched || JSON.parse(event.data).id === watched) look();
  }
  // What came while nobody looked at this window is looked for when somebody does.
  let seen = 0;
  document.addEventListener("visibilitychange", () => { if (document.hidden) seen = heard; else if (heard !== seen) look(); });
  const LISTEN_MS = 1000;
  let stream = null, lastAt = new Date(), listenIn = LISTEN_MS;
  function tellLive(state) {
    if (!live) return;
    const isNew = live.dataset.state !== state;
    live.hidden = false;
    live.dataset.state = state;
    if (isNew) document.dispatchEvent(new CustomEvent("forewarn:live", { detail: state }));
    live.textContent = state === "on" ? say("live.on") : state === "paused" ? say("live.paused") :
      say("live.stale", { at: lastAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false }) });
  }
  function listen() {
    stream?.close();
    stream = null;
    if (localStorage.getItem("forewarn.live") === "paused") { tellLive("paused"); return; }
    const own = stream = new EventSource(pushed() || "/api/v1/events/stream");
    stream.addEventListener("open", () => { lastAt = new Date(); listenIn = LISTEN_MS; tellLive("on"); });
    stream.addEventListener("error", () => {
      tellLive("stale");
      // A stream that broke is opened again by the browser; one that the server refused (it is starting, or full) is not.
      if (own.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { if (stream === own) listen(); }, listenIn);
      listenIn = Math.min(2 * listenIn, LONGEST_MS);
    });
    stream.addEventListener("rows", (event) => { lastAt = new Date(); takeRows(event); });
    for (const name of ["ready", "reset", "work_order", "capa", "breach", "device", "complaint", "approval_request", "field_action", "firmware_record"]) stream.addEventListener(name, (event) => { lastAt = new Date(); take(event); });
  }
  if (pause) {
    pause.hidden = false;
    const tell = () => { const off = localStorage.getItem("forewarn.live") === "paused"; pause.setAttribute("aria-pressed", String(off)); pause.textContent = say(off ? "live.go_on" : "live.pause"); };
    pause.addEventListener("click", () => {
      localStorage.setItem("forewarn.live", localStorage.getItem("forewarn.live") === "paused" ? "on" : "paused");
      tell(); listen();
      document.dispatchEvent(new CustomEvent("forewarn:pause"));
    });
    tell();
    if (window.EventSource) listen();
  }
  window.addEventListener("pagehide", () => stream?.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted && pause) listen(); });

  // A form that was refused was answered where it was sent; a reload shall show its page and not send it again.
  if (document.documentElement.dataset.home) history.replaceState(null, "", document.documentElement.dataset.home);
  // "?done=…" has been said: a reload shall not say it again.
  const url = new URL(location.href);
  if (url.searchParams.has("done")) { for (const name of ["done", "n"]) url.searchParams.delete(name); history.replaceState(null, "", url); }
  bind(document);
  if (document.querySelector("#inbox-form, tr[data-href]")) rows()[0]?.setAttribute("data-cursor", "");
})();
