// Answers for the technician's list and jobs when the network does not, from what this phone kept while it did. Nothing but
// GET of these pages and of named files is looked at: whatever decides or signs goes to the service, or fails.
"use strict";
const FILES_CACHE = `forewarn-files-${FACTS.release}`, PAGES = "forewarn-my-";
const PATIENCE_MS = 5000, HEARD_MS = 30000, AGAIN_MS = 500, AGAIN_TIMES = 10, LARGEST = 2000000;
const heard = new Map();  // when the service was heard, by the path of the page that heard it
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds, null));

self.addEventListener("install", (event) => event.waitUntil((async () => {
  await (await caches.open(FILES_CACHE)).addAll(FACTS.files);
  await self.skipWaiting();
})()));
self.addEventListener("activate", (event) => event.waitUntil((async () => { await sweep(); await self.clients.claim(); })()));
self.addEventListener("message", (event) => {
  if (event.data === "sweep") event.waitUntil(sweep());
  if (event.data.heard) { heard.set(event.data.heard, Date.now()); event.ports[0].postMessage("noted"); }
});
self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && /^\/my(\/[^/]+)?$/.test(url.pathname)) event.respondWith(openPage(event, url));
  else if (url.pathname.startsWith("/static/") && url.searchParams.has("v")) event.respondWith(openFile(request));
});

// A file that carries its hash never changes.
async function openFile(request) {
  return (await caches.match(request, { ignoreVary: true })) || fetch(request);
}

// While a network comes back, what is asked for over it may fail at first.
async function ask(request, times) {
  try { return await fetch(request); } catch (problem) {
    if (times === 0) throw problem;
    await wait(AGAIN_MS);
    return ask(request, times - 1);
  }
}

async function openPage(event, url) {
  // A page that has just heard the service loads itself anew: it has what is kept already, and wants better.
  const isHeard = Date.now() - heard.get(url.pathname) < HEARD_MS, network = ask(event.request, isHeard ? AGAIN_TIMES : 0);
  heard.delete(url.pathname);
  // Kept beside: the page is shown as it comes.
  event.waitUntil(network.then((answer) => take(url, answer.clone())).catch(() => {}));
  let answer = null;
  try {
    answer = await Promise.race([network, wait(isHeard ? HEARD_MS : PATIENCE_MS)]);
  } catch { /* there is no network */ }
  if (answer && ![502, 503, 504].includes(answer.status)) return answer;
  const own = await findKept(url.pathname), kept = own || (await findKept("/my"));
  return kept ? serve(kept, !own) : answer || network;
}

// What came over the network is kept, or ends what was kept: a way to the sign-in, a right that is gone.
async function take(url, answer) {
  if (answer.status === 401 || answer.status === 403 || (answer.type === "opaqueredirect" && url.pathname === "/my")) return forget();
  if (answer.type === "opaqueredirect" || answer.status === 404) return remove(url.pathname);
  const owner = answer.headers.get("X-Kept-Owner");
  if (answer.status !== 200 || !owner || url.search) return;
  const text = await answer.text();
  if (text.length > LARGEST) return;
  await forget(owner);
  const headers = new Headers(answer.headers);
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name);
  headers.set("X-Kept-At", new Date().toISOString());
  const cache = await caches.open(PAGES + owner);
  await cache.put(url.pathname, new Response(text, { headers }));
  const pages = await cache.keys();
  for (const page of pages.filter((one) => new URL(one.url).pathname !== "/my").slice(0, Math.max(0, pages.length - 1 - FACTS.most))) await cache.delete(page);
}
async function forget(butOf) {
  for (const name of await caches.keys()) if (name.startsWith(PAGES) && name !== PAGES + butOf) await caches.delete(name);
}
async function remove(path) {
  for (const name of await caches.keys()) if (name.startsWith(PAGES)) await (await caches.open(name)).delete(path, { ignoreVary: true });
}

async function findKept(path) {
  for (const name of await caches.keys()) {
    if (!name.startsWith(PAGES)) continue;
    const page = await (await caches.open(name)).match(path, { ignoreVary: true });
    if (!page) continue;
    // The session that it was read with is over: so is what was read.
    if (!(Date.parse(page.headers.get("X-Kept-Until")) > Date.now())) { await caches.delete(name); continue; }
    return page;
  }
  return null;
}
async function serve(page, isAnother) {
  const marks = `data-kept-at="${page.headers.get("X-Kept-At")}"${isAnother ? " data-kept-instead" : ""}`;
  return new Response((await page.text()).replace("<html ", `<html ${marks} `), { headers: page.headers });
}

// Files of earlier releases stay as long as a kept page asks for them.
async function sweep() {
  const used = new Set([FILES_CACHE]);
  for (const name of await caches.keys()) {
    if (!name.startsWith(PAGES)) continue;
    const cache = await caches.open(name);
    for (const request of await cache.keys()) used.add(`forewarn-files-${(await cache.match(request, { ignoreVary: true })).headers.get("X-Kept-Release")}`);
  }
  for (const name of await caches.keys()) if (name.startsWith("forewarn-files-") && !used.has(name)) await caches.delete(name);
}
