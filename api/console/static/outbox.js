// What a technician writes and photographs is kept on the phone first and sent when there is a network: nothing typed and
// no picture is lost, nothing is sent twice, and what is refused says why and stays until somebody removes it.
(() => {
  "use strict";
  const root = () => document.getElementById("outbox");
  if (!root()) return;
  const { say: words, guards, fields, wrongs, rights, most } = JSON.parse(document.getElementById("outbox-words").textContent);
  const who = root().dataset.who;
  const fill = (text, params) => Object.entries(params || {}).reduce((filled, [name, value]) => filled.replaceAll(`{${name}}`, value), text);
  const say = (key, params) => fill(words[key] || key, params);
  // A clock that is off by more than the service allows would have every visit refused.
  // A page that was kept says when it was made and not what time it is: then what was found last counts.
  const isKept = document.documentElement.dataset.keptAt !== undefined, CLOCK = "forewarn.clock";
  const ahead = isKept ? Number(localStorage.getItem(CLOCK)) || 0 : Date.now() - Date.parse(root().dataset.now);
  if (!isKept) localStorage.setItem(CLOCK, String(ahead));
  const stamp = () => new Date(Date.now() - (Math.abs(ahead) > 120000 ? ahead : 0)).toISOString();
  const makeKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // The store. Where the browser gives none (some private windows), what is written lives as long as the page, and it says so.
  let memory = null, nextId = 1;
  const opening = new Promise((resolve, reject) => {
    const wish = indexedDB.open("forewarn-outbox", 1);
    wish.onupgradeneeded = () => {
      wish.result.createObjectStore("entries", { keyPath: "id", autoIncrement: true });
      wish.result.createObjectStore("drafts", { keyPath: "key" });
    };
    wish.onsuccess = () => resolve(wish.result);
    wish.onerror = () => reject(wish.error);
  }).catch(() => { memory = { entries: new Map(), drafts: new Map() }; return null; });
  async function write(work) {
    const base = await opening;
    if (!base) { work({ entries: inMemory("entries"), drafts: inMemory("drafts") }); return; }
    await new Promise((resolve, reject) => {
      const step = base.transaction(["entries", "drafts"], "readwrite", { durability: "strict" });
      step.oncomplete = resolve;
      step.onabort = () => reject(step.error);
      work({ entries: step.objectStore("entries"), drafts: step.objectStore("drafts") });
    });
  }
  const inMemory = (name) => ({
    put: (value) => { if (name === "entries") value.id ??= nextId++; memory[name].set(value.id ?? value.key, value); },
    delete: (key) => memory[name].delete(key),
  });
  async function readAll(name) {
    const base = await opening;
    if (!base) return [...memory[name].values()];
    return new Promise((resolve, reject) => {
      const wish = base.transaction(name).objectStore(name).getAll();
      wish.onsuccess = () => resolve(wish.result);
      wish.onerror = () => reject(wish.error);
    });
  }
  const own = async () => (await readAll("entries")).filter((entry) => entry.who === who);

  // Drafts: every text of a form that is sent from here, until it was; or for half a year.
  const OLD_MS = 180 * 86400000;
  const forms = "form[data-outbox], form[data-online], .online form";
  const isText = (field) => field.name && (field.tagName === "TEXTAREA" || ["text", "search", "date", "datetime-local"].includes(field.type)) && field.name !== "csrf_token";
  const draftKey = (form, field) => [who, form.dataset.code || form.getAttribute("action"), form.dataset.draft || form.closest("details")?.id || form.id, field.name].join("|");
  const textsOf = (form) => [...form.elements].filter(isText);
  document.addEventListener("input", (event) => {
    const field = event.target, form = field.form;
    if (!form?.matches(forms) || !isText(field)) return;
    const key = draftKey(form, field);
    write(({ drafts }) => field.value === field.defaultValue ? drafts.delete(key) : drafts.put({ key, value: field.value, at: Date.now() })).catch(() => {});
  });
  async function restoreDrafts() {
    const kept = await readAll("drafts").catch(() => []), old = kept.filter((draft) => draft.at < Date.now() - OLD_MS);
    if (old.length) write(({ drafts }) => { for (const draft of old) drafts.delete(draft.key); }).catch(() => {});
    const drafts = new Map(kept.map((draft) => [draft.key, draft.value]));
    for (const form of document.querySelectorAll(forms)) {
      for (const field of textsOf(form)) {
        const value = drafts.get(draftKey(form, field));
        if (value !== undefined && field.value === field.defaultValue) { field.value = value; field.closest("details")?.setAttribute("open", ""); judge(form); }
      }
    }
  }
  const dropDrafts = (drafts, form) => { for (const field of textsOf(form)) drafts.delete(draftKey(form, field)); };

  // Into the store first; the form is emptied when it is there.
  async function keep(form, entries, isDone = true) {
    const at = stamp();
    hold(1);
    try {
      await write((step) => {
        for (const entry of entries) step.entries.put({ who, key: makeKey(), code: form.dataset.code, label: form.dataset.label, at, state: "waiting", ...entry });
        if (isDone) dropDrafts(step.drafts, form);
      });
    } catch (problem) {
      warn(say("not_kept", { why: problem?.name || "" }));
      return false;
    } finally { hold(-1); }
    navigator.storage?.persist?.();
    if (form.dataset.outbox === "answer") settle(form);
    else if (isDone) { form.reset(); judge(form); }
    tries = 0;
    await show();
    flush();
    return true;
  }
  // An answer stays where it was given; it is no longer something that somebody is writing.
  function settle(form) {
    for (const field of form.elements) {
      if (field.type === "radio") field.defaultChecked = field.checked;
      else if (isText(field)) field.defaultValue = field.value;
      else if (field.type === "file") field.value = "";
    }
  }
  const read = (form) => Object.fromEntries([...new FormData(form)].filter(([name, value]) => typeof value === "string" && value.trim() !== "" && name !== "csrf_token"));
  async function keepFiles(form, files, more = {}) {
    notice = "";
    const given = read(form), entries = [], tooLarge = [];
    for (const file of files) {
      if (file.size > most) { tooLarge.push(file.name); continue; }
      const bytes = await file.arrayBuffer();
      const query = { kind: given.kind || "PHOTO", visibility: given.visibility || "INTERNAL", file_name: file.name, captured_at: stamp(), ...(given.note ? { note: given.note } : {}) };
      // Only where the page came over HTTPS can a browser hash; the service hashes in any case.
      if (crypto.subtle) query.sha256 = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      entries.push({ path: form.dataset.path, bytes, type: file.type, query, text: file.name, ...more });
    }
    if (tooLarge.length) warn(say("too_large", { names: tooLarge.join(", "), most: Math.floor(most / 1e6) }));
    return entries.length ? keep(form, entries) : false;
  }
  // Blanks are no number, where the language has them for 0; nor is more than any number can be.
  function readNumber(text) {
    const said = (text || "").trim(), number = said ? Number(said.replace(",", ".")) : NaN;
    return Number.isFinite(number) ? number : NaN;
  }
  // Said where it stands as well: the line may be far from what the page says of all that is sent.
  function refuseNumber(field) {
    warn(say("no_number"));
    field.setCustomValidity(say("no_number"));
    field.reportValidity();
    field.addEventListener("input", () => field.setCustomValidity(""), { once: true });
  }
  function makeEntry(form) {
    const given = read(form);
    if (form.dataset.stamp) given[form.dataset.stamp] = stamp();
    if (form.dataset.outbox !== "answer") return { path: form.dataset.path, body: given, text: given.body || given.item || "" };
    const value = form.dataset.kind === "check" ? given.value === "true" : form.dataset.kind === "number" ? readNumber(given.value) : given.value;
    return { path: form.dataset.path, body: { answers: [{ item: form.dataset.item, value, remark: given.remark || "" }] }, text: [given.value, given.remark].filter(Boolean).join(" · ") };
  }
  // A remark is asked for where the answer needs one, and nowhere else.
  function judge(form) {
    const place = form.querySelector?.("[data-remark]");
    if (!place) return;
    const text = new FormData(form).get("value") || "", number = readNumber(text);
    const { low, high, kind } = form.dataset;
    const isWrong = kind === "check" ? text === "false" : kind === "number" && text !== "" && (Number.isNaN(number) || (low && number < Number(low)) || (high && number > Number(high)));
    place.hidden = !isWrong && !place.querySelector("textarea").value;
    place.querySelector("textarea").required = Boolean(isWrong);
  }
  document.addEventListener("change", (event) => {
    const field = event.target, form = field.form;
    if (!form?.dataset.outbox) return;
    if (field.type === "file" && (form.dataset.outbox === "photo" || form.dataset.kind === "photo")) {
      const then = form.dataset.kind === "photo" ? { path: form.dataset.upload, then: { path: form.dataset.path, item: form.dataset.item } } : {};
      if (field.files.length) keepFiles(form, [...field.files], then);
      return;
    }
    judge(form);
    // "Yes" says all there is to say.
    if (form.dataset.outbox === "answer" && form.dataset.kind === "check" && field.name === "value" && field.value === "true") form.requestSubmit();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    notice = "";
    if (form.dataset.outbox) {
      event.preventDefault();
      if (form.dataset.outbox === "answer" && form.dataset.kind === "number" && Number.isNaN(readNumber(new FormData(form).get("value")))) { refuseNumber(form.elements.value); return; }
      const file = form.querySelector("input[type=file]");
      if (file) { if (file.files.length) keepFiles(form, [...file.files]); } else keep(form, [makeEntry(form)]);
    } else if (form.matches("form[data-online], .online form")) {
      event.preventDefault();
      sendOnline(form, event.submitter);
    }
  });

  // What is signed, and what moves the order, is decided by the service at once or not at all; what was typed stays.
  async function sendOnline(form, button) {
    if (form.dataset.busy) return;
    form.dataset.busy = "1";
    button?.setAttribute("disabled", "");
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" } });
      if (answer.status >= 500) throw new Error(answer.statusText);
      if (answer.ok && answer.redirected) {
        if (!new URL(answer.url).pathname.startsWith("/sign-in")) await write(({ drafts }) => dropDrafts(drafts, form)).catch(() => {});
        location.assign(answer.url);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.getElementById("main").replaceWith(page.getElementById("main"));
      document.dispatchEvent(new CustomEvent("forewarn:shown"));
      // A browser heeds this word of a page that it loads, not of one that is put in its place.
      const landing = document.querySelector("#main [autofocus]") || document.querySelector("[role=alert]");
      landing?.scrollIntoView({ block: "center" });
      landing?.focus({ preventScroll: true });
    } catch {
      warn(say("needs_network"));
    } finally {
      delete form.dataset.busy;
      button?.removeAttribute("disabled");
    }
  }

  // Sending: in the order in which it was written, one at a time in all windows of this browser.
  const FIRST_MS = 1000, LONGEST_MS = 60000;
  let tries = 0, timer = 0, isSending = false, isSignedOut = false, isAgain = false;
  const csrf = () => document.querySelector("meta[name=csrf-token]").content;
  // While something is on its way into the store or out of it, or lives as long as the page, that shall not go by itself.
  let held = 0;
  function hold(by) {
    held += by;
    document.documentElement.dataset.sending = held || memory?.entries.size ? "1" : "";
  }
  async function flush() {
    if (isSending) { isAgain = true; return; }
    isSending = true;
    hold(1);
    clearTimeout(timer);
    let sent = 0;
    try {
      do {
        isAgain = false;
        sent += navigator.locks ? await navigator.locks.request("forewarn-outbox", sendAll) : await sendAll();
      } while (isAgain);
      tries = 0;
      isSignedOut = false;
    } catch (problem) {
      sent = problem.sent || 0;
      isSignedOut = problem.name === "SignedOut";
      timer = setTimeout(flush, Math.min(FIRST_MS * 2 ** tries++, LONGEST_MS));
    }
    isSending = false;
    if (sent && notice === say("needs_network")) notice = "";  // it is back
    hold(-1);
    await show();
    document.dispatchEvent(new CustomEvent("forewarn:attempted"));
    if (sent) refresh().then(() => document.dispatchEvent(new CustomEvent("forewarn:sent")));
  }
  async function sendAll() {
    let sent = 0;
    for (;;) {
      const entry = (await own()).find((one) => one.state === "waiting");
      if (!entry) return sent;
      try { await sendOne(entry); } catch (problem) { problem.sent = sent; throw problem; }
      if (entry.state === "waiting") { sent += 1; tries = 0; }
    }
  }
  const wait = (name) => { const problem = new Error(name); problem.name = name; return problem; };
  async function sendOne(entry) {
    let path = entry.path;
    if (path.includes("{visit}")) {
      // The visit was begun without a network, so that its number was not known when it was ended.
      const answer = await request("GET", path.replace(/\/\{visit\}.*/, ""));
      if (answer.status !== 200) throw wait("Unavailable");
      const visit = (await answer.json()).items.find((one) => one.left_at === null && one.technician === who);
      if (!visit) { await refuse(entry, 409, { guard: "visit_over" }); return; }
      path = entry.path = path.replace("{visit}", visit.id);
      await write(({ entries }) => entries.put(entry));
    }
    const body = entry.bytes ? new Blob([entry.bytes], { type: entry.type || "application/octet-stream" }) : JSON.stringify(entry.body);
    const address = entry.query ? `${path}?${new URLSearchParams(entry.query)}` : path;
    const send = () => request("POST", address, body, { "Content-Type": entry.bytes ? entry.type || "application/octet-stream" : "application/json", "Idempotency-Key": entry.key });
    let answer = await send();
    if (answer.status === 403 && (await problemOf(answer)).type?.endsWith(":csrf")) { await renew(); answer = await send(); }
    if (answer.status === 401) throw wait("SignedOut");
    if ([408, 425, 429].includes(answer.status) || answer.status >= 500) throw wait("Unavailable");
    if (!answer.ok) { await refuse(entry, answer.status, await problemOf(answer)); return; }
    const made = entry.then ? await answer.json() : null;
    await write(({ entries }) => {
      entries.delete(entry.id);
      const { code, label, at, text, then } = entry;
      if (made) entries.put({ who, code, label, at, text, state: "waiting", key: makeKey(), path: then.path, body: { answers: [{ item: then.item, value: made.id, remark: "" }] } });
    });
  }
  // The API says its reasons in English and names them by codes: what is said here is said by those, in any language.
  const nameField = (path) => fields[path.split(/[.[\]]+/).findLast((part) => fields[part])] || path;
  const tellFault = ({ field, code, limit }) => say("field_wrong", { field: nameField(field), why: fill(wrongs[code] || wrongs.unusable, { limit: limit?.toLocaleString("en") }) });
  function tellWhy({ status, guard, right, type, faults }) {
    if (!guards[guard] && status === 422 && faults.length) return say("fields_wrong", { fields: [...new Set(faults.map(tellFault))].join(words.comma) });
    const known = guards[guard] || rights[right] || words[`why_${type}`] || words[`why_${status}_${faults[0]?.field}`] || words[`why_${status}`];
    return known ? fill(known, { most: Math.floor(most / 1e6) }) : say("why_other", { status });
  }
  // What was refused by an earlier version of this page has its sentence.
  const findWhy = (entry) => entry.refusal ? tellWhy(entry.refusal) : entry.why;
  const problemOf = (answer) => answer.clone().json().catch(() => ({}));
  async function refuse(entry, status, { guard, permission, type, errors }) {
    Object.assign(entry, { state: "refused", refusal: { status, guard, right: permission, type: type?.split(":").pop().replaceAll("-", "_"), faults: errors || [] } });
    await write(({ entries }) => entries.put(entry));
  }
  // A connection that hangs is none: a note has half a minute, a picture five.
  const request = (method, address, body, headers = {}) => fetch(address, { method, body, signal: AbortSignal.timeout?.(body instanceof Blob ? 300000 : 30000), headers: { Accept: "application/json", ...(method === "GET" ? {} : { "X-CSRF-Token": csrf() }), ...headers } });
  // Signed in anew since this page was made: the token is that of the new session, if it is the same person.
  async function renew() {
    const answer = await fetch("/my", { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (page.getElementById("outbox")?.dataset.who !== who) throw wait("SignedOut");
    document.querySelector("meta[name=csrf-token]").content = page.querySelector("meta[name=csrf-token]").content;
  }

  // What is here, for eyes and screen readers.
  function tell(text) {
    const place = document.getElementById("outbox-says");
    root().hidden = false;
    place.textContent = text;
  }
  // Beside what is not sent, which is told again at every try: until somebody sends something else.
  let notice = "";
  function warn(text) {
    notice = text;
    tell(text);
    show().catch(() => {});
  }
  const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text, ...more });
  const MOST_SHOWN = 160; // characters of what was written, which tell it from the rest
  const shorten = (text) => text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
  async function show() {
    const entries = await own(), waiting = entries.filter((one) => one.state === "waiting"), refused = entries.filter((one) => one.state === "refused");
    const parts = [waiting.length ? say("waiting", { count: waiting.length }) : "", refused.length ? say("refused", { count: refused.length }) : ""].filter(Boolean);
    const place = document.getElementById("outbox-list");
    root().hidden = !entries.length && !document.getElementById("outbox-says").textContent;
    if (entries.length) tell([...parts, notice].filter(Boolean).join(" · ") + (isSignedOut ? ` · ${say("signed_out")}` : memory ? ` · ${say("memory")}` : ""));
    else if (root().dataset.had || notice) tell([root().dataset.had ? say("all_sent") : "", notice].filter(Boolean).join(" · "));
    root().dataset.had = entries.length ? "1" : "";
    for (const badge of document.querySelectorAll("[data-outbox-count]")) badge.textContent = parts.join(" · ");
    place.replaceChildren(...entries.map((entry) => {
      const line = make("li", ""), at = new Date(entry.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
      line.append(make("strong", `${entry.label} · ${entry.code}`), make("span", ` ${at} ${shorten(entry.text || "")}`, { translate: false }));
      if (entry.state === "refused") {
        const again = make("button", say("again"), { type: "button" }), remove = make("button", say("remove"), { type: "button" });
        again.addEventListener("click", async () => { Object.assign(entry, { state: "waiting", refusal: null, key: makeKey() }); await write(({ entries: all }) => all.put(entry)); await show(); flush(); });
        remove.addEventListener("click", async () => { if (confirm(say("remove_sure"))) { await write(({ entries: all }) => all.delete(entry.id)); await show(); } });
        line.append(make("p", say("because", { why: findWhy(entry) }), { className: "wrong" }), again, remove);
      }
      return line;
    }));
    showVisits(entries);
    for (const form of document.querySelectorAll('form[data-outbox="answer"]')) {
      const entry = entries.find((one) => (one.path === form.dataset.path && one.body?.answers[0].item === form.dataset.item) || (one.then?.path === form.dataset.path && one.then.item === form.dataset.item));
      form.querySelector("[data-pending]").textContent = !entry ? "" : entry.state === "refused" ? say("because", { why: findWhy(entry) }) : say("pending");
    }
  }
  // Arrived without a network: from then on one can leave.
  function showVisits(entries) {
    for (const place of document.querySelectorAll("[data-visits]")) {
      let isThere = place.dataset.visits === "there";
      for (const entry of entries) if (entry.code === place.dataset.code && entry.state === "waiting" && entry.path.includes("/visits")) isThere = !entry.path.includes("/departure");
      for (const form of place.querySelectorAll("form[data-visit]")) form.hidden = (form.dataset.visit === "leave") !== isThere;
    }
  }
  // Records as they are now, wherever nobody is writing.
  const isBusy = (place) => place.contains(document.activeElement) && (isText(document.activeElement) || document.activeElement.tagName === "SELECT") || [...place.querySelectorAll("textarea, input")].some((field) => isText(field) && (field.value !== field.defaultValue || "cameBack" in field.dataset) || field.type === "file" && field.files.length);
  async function refresh() {
    try {
      for (const place of document.querySelectorAll("details[data-section][open]")) {
        const body = place.querySelector(".section-body");
        if (!isBusy(body)) { body.innerHTML = await (await fetch(place.dataset.section)).text(); htmx.process(body); }
      }
      const places = [...document.querySelectorAll("[data-refresh]")];
      if (places.length) {
        const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
        const focused = document.activeElement?.id;
        for (const place of places) { const next = page.getElementById(place.id); if (next && !isBusy(place)) place.replaceWith(next); }
        if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
      }
      await show();
    } catch { /* what is shown is as old as it was; what was sent is sent */ }
  }

  // Where the browser stores nothing, what is not sent is gone with the page.
  window.addEventListener("beforeunload", (event) => { if (memory && [...memory.entries.values()].some((entry) => entry.who === who)) event.preventDefault(); });
  // A page that loads itself anew says what the one before would have said.
  const SENT = "forewarn.sent";
  document.addEventListener("forewarn:leaving", () => { if (document.getElementById("outbox-says").textContent === say("all_sent")) sessionStorage.setItem(SENT, "1"); });
  if (sessionStorage.getItem(SENT)) root().dataset.had = "1";
  sessionStorage.removeItem(SENT);
  const flushAnew = () => { tries = 0; flush(); };
  window.addEventListener("online", flushAnew);
  document.addEventListener("forewarn:live", (event) => { if (event.detail === "on") flushAnew(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });
  document.addEventListener("forewarn:shown", () => { restoreDrafts(); show(); });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    const panel = opener && document.getElementById(opener.dataset.open);
    if (panel) { panel.open = true; panel.scrollIntoView({ block: "start" }); panel.querySelector("input:not([type=hidden]), select, textarea")?.focus({ preventScroll: true }); event.preventDefault(); }
  });
  // The maps of Apple's phones do not know geo: addresses.
  if (/iPhone|iPad|iPod/.test(navigator.userAgent)) for (const link of document.querySelectorAll("a[data-map]")) link.href = `maps:?q=${encodeURIComponent(link.dataset.map)}`;
  restoreDrafts();
  show().then(flush);
  root().dataset.begun = "";
})();
