// The day's jobs for times without a network: kept when the list is looked at, in a store of this session alone. A page that
// came from there says so, and as of when.
(() => {
  "use strict";
  const place = document.getElementById("kept"), facts = JSON.parse(document.getElementById("kept-facts")?.textContent || "null");
  if (!place || !facts) return;
  const say = (key, params) => Object.entries(params || {}).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), facts.say[key] || key);
  const home = document.documentElement, at = home.dataset.keptAt;
  const FRESH_MS = 900000, LARGEST = 2000000, name = `forewarn-my-${facts.owner}`;

  if (at) {
    const read = new Date(at), isToday = read.toDateString() === new Date().toDateString();
    const time = read.toLocaleString([], { ...(isToday ? {} : { month: "2-digit", day: "2-digit" }), hour: "2-digit", minute: "2-digit", hour12: false });
    const again = Object.assign(document.createElement("button"), { type: "button", textContent: say("again") });
    again.addEventListener("click", () => location.reload());
    place.hidden = false;
    place.querySelector("p").textContent = [home.hasAttribute("data-kept-instead") ? say("not_this") : "", say("as_of", { at: time })].filter(Boolean).join(" ");
    place.append(again);
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
  const start = () => begin().catch(() => { /* a browser that keeps nothing works as before, with a network */ });
  document.addEventListener("forewarn:sent", () => { if (!isList) keepThis(); });
  if (document.readyState === "complete") start(); else window.addEventListener("load", start);
})();
