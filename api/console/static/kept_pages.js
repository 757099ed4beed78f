// The day's jobs for times without a network: kept when the list is looked at, in a store of this session alone. A page that
// came from there says so, and as of when.
(() => {
  "use strict";
  const place = document.getElementById("kept"), facts = JSON.parse(document.getElementById("kept-facts")?.textContent || "null");
  if (!place || !facts) return;
  const say = (key, params) => Object.entries(params || {}).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), facts.say[key] || key);
  const home = document.documentElement, at = home.dataset.keptAt;
  const FRESH_MS = 900000, LARGEST = 2000000, name = `forewarn-my-${facts.owner}`;

  // What comes from the network begins anew: the next page that does not may catch up.
  const CAUGHT_UP = "forewarn.caught-up", isSecond = sessionStorage.getItem(CAUGHT_UP) === location.pathname;
  sessionStorage.removeItem(CAUGHT_UP);
  if (at) {
    const read = new Date(at), isToday = read.toDateString() === new Date().toDateString();
    const time = read.toLocaleString([], { ...(isToday ? {} : { month: "2-digit", day: "2-digit" }), hour: "2-digit", minute: "2-digit", hour12: false });
    const again = Object.assign(document.createElement("button"), { type: "button", textContent: say("again") });
    again.addEventListener("click", () => location.reload());
    const line = place.querySelector("p"), instead = home.hasAttribute("data-kept-instead") ? say("not_this") : "";
    const tell = (isBack) => {
      const text = [instead, say(isBack ? "back" : "as_of", { at: time })].filter(Boolean).join(" ");
      if (line.textContent !== text) line.textContent = text;  // what is written anew is read aloud anew
    };
    place.hidden = false;
    tell(false);
    place.append(again);
    catchUp(tell);
    return;
  }
  if (!facts.owner || !navigator.serviceWorker || !window.caches) return;

  async function keep(path, version) {
    const answer = await fetch(path, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (answer.status !== 200 || answer.headers.get("X-Kept-Owner") !== facts.owner) return;
    const headers = new Headers(answer.headers), text = await answer.text();
    if (text.length > LARGEST) return;
    for (const gone of ["Content-Encoding", "Content-Length"]) headers.delete(gone);
    headers.set("X-Kept-At", new Date().toISOString());
    headers.set("X-Kept-Version", version);
    await (await caches.open(name)).put(path, new Response(text, { headers }));
  }
  async function keepJobs() {
    const cache = await caches.open(name), wanted = new Map([["/my", ""], ...facts.jobs.map((job) => [job.path, job.version])]);
    for (const request of await cache.keys()) if (!wanted.has(new URL(request.url).pathname)) await cache.delete(request);
    for (const [path, version] of wanted) {
      const kept = await cache.match(path, { ignoreVary: true });
      const isFresh = kept && kept.headers.get("X-Kept-Version") === version && Date.now() - Date.parse(kept.headers.get("X-Kept-At")) < FRESH_MS;
      if (!isFresh) await keep(path, version);
    }
    (await navigator.serviceWorker.ready).active?.postMessage("sweep");
    home.dataset.kept = String(wanted.size - 1);
  }
  const isList = location.pathname === "/my", first = performance.getEntriesByType("navigation")[0]?.name || location.href;
  const keepThis = () => keep(location.pathname, facts.jobs[0]?.version || "").catch(() => {});
  async function begin() {
    const registration = await navigator.serviceWorker.register(facts.worker, { scope: "/my", updateViaCache: "none" });
    registration.update().catch(() => {});
    await navigator.serviceWorker.ready;
    if (isList) await keepJobs();
    // The worker keeps what it sees; it does not see the first page, nor keep one that says what was just done.
    else if (!navigator.serviceWorker.controller || new URL(first).search) await keepThis();
  }
  // A kept page loads itself anew when the service is really heard again: once, not over what somebody writes or has open,
  // not while the outbox sends, and not where news are paused. Then it says that the connection is back.
  function catchUp(tell) {
    const live = document.getElementById("live"), WAIT_MS = 30000, LATE_MS = 2000, NOTED_MS = 2000;
    let isBack = false, isSignedIn = false, isOver = isSecond, isGoing = false, isAgain = false, asking = null, askedAt = 0;
    function isTyped(field) {
      if (field.type === "file") return field.files.length > 0;
      if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
      if (field.tagName === "SELECT") return field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
      return field.type !== "hidden" && field.value !== field.defaultValue;
    }
    const isOpen = () => document.querySelector("dialog[open], details[open], .top[data-open], form[data-busy]") !== null;
    const isWriting = () => document.activeElement?.matches("input, textarea, select, [contenteditable]");
    const isInUse = () => isOpen() || isWriting() || [...document.querySelectorAll("input, textarea, select")].some(isTyped);
    const mayGo = () => isBack && isSignedIn && !isOver && !home.dataset.sending && live?.dataset.state !== "paused" && !isInUse();
    // A message and a navigation reach the worker by ways of their own: without its receipt the page may be there first.
    function tellWorker() {
      const worker = navigator.serviceWorker?.controller, channel = new MessageChannel();
      return new Promise((resolve) => {
        if (!worker) { resolve(); return; }
        channel.port1.onmessage = resolve;
        setTimeout(resolve, NOTED_MS);
        worker.postMessage({ heard: location.pathname }, [channel.port2]);
      });
    }
    async function goOn() {
      if (isGoing || !mayGo()) return;
      isGoing = true;
      await tellWorker();
      isGoing = false;
      // Meanwhile somebody may have begun to write, or the service be gone again.
      if (!mayGo()) return;
      isOver = true;
      sessionStorage.setItem(CAUGHT_UP, location.pathname);
      document.dispatchEvent(new CustomEvent("forewarn:leaving"));
      location.reload();
      // Until the new page is there, this one is in use: whoever begins to write stays.
      for (const kind of ["focusin", "input", "toggle"]) document.addEventListener(kind, stay, true);
    }
    function stay() {
      if (!isWriting() && !isInUse()) return;
      for (const kind of ["focusin", "input", "toggle"]) document.removeEventListener(kind, stay, true);
      window.stop();
      isOver = false;
      sessionStorage.removeItem(CAUGHT_UP);
    }
    // A proxy that answers for the service does not count; and whom it leads to the door keeps what can be read here.
    async function ask() {
      asking = new AbortController();
      askedAt = Date.now();
      const timer = setTimeout(() => asking.abort(), WAIT_MS);
      try {
        const answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, cache: "no-store", signal: asking.signal });
        isBack = answer.ok || answer.status === 404;
        isSignedIn = !new URL(answer.url).pathname.startsWith("/sign-in");
      } catch { isBack = false; }
      clearTimeout(timer);
      asking = null;
    }
    // Asked again while it asks, it asks once more if that fails; one that hangs on a lost connection is not waited for.
    async function look() {
      if (asking) {
        isAgain = true;
        if (Date.now() - askedAt > LATE_MS) asking.abort();
        return;
      }
      do { isAgain = false; await ask(); } while (isAgain && !isBack);
      tell(isBack);
      goOn();
    }
    function lose() { isBack = false; tell(false); }
    window.addEventListener("online", look);
    window.addEventListener("offline", lose);
    document.addEventListener("visibilitychange", () => { if (!document.hidden && !isBack) look(); });
    document.addEventListener("forewarn:live", (event) => { if (event.detail === "on") look(); else if (event.detail === "stale") lose(); });
    document.addEventListener("forewarn:sent", look);
    document.addEventListener("forewarn:attempted", goOn);
    // What came since was put in its place: it is not of then any more.
    document.addEventListener("forewarn:shown", () => { isOver = true; place.hidden = true; });
    if (live?.dataset.state === "on") look();
  }
  const start = () => begin().catch(() => { /* a browser that keeps nothing works as before, with a network */ });
  document.addEventListener("forewarn:sent", () => { if (!isList) keepThis(); });
  if (document.readyState === "complete") start(); else window.addEventListener("load", start);
})();
