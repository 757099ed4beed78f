// Leaving: what was written on this phone and is not sent is named before the session ends; what was kept of it goes with it.
// What is written in a form and not sent is not left without the browser's question, not by sending another form either.
(() => {
  "use strict";
  const home = document.documentElement, PAGES = "forewarn-my-";
  async function forget(butOf) {
    if (!window.caches) return;
    for (const name of await caches.keys()) if (name.startsWith(PAGES) && name !== PAGES + butOf) await caches.delete(name);
  }
  // At the door nobody is signed in; elsewhere only what this session kept may stay.
  if (home.dataset.owner) forget(home.dataset.owner).catch(() => {});
  else if (location.pathname.startsWith("/sign-in")) forget().catch(() => {});

  // What this person wrote here and the service has not; where nothing was ever kept, nothing is made.
  const findUnsent = (who) => new Promise((resolve) => {
    const wish = indexedDB.open("forewarn-outbox");
    wish.onupgradeneeded = () => wish.transaction.abort();
    wish.onerror = () => resolve([]);
    wish.onsuccess = () => {
      const all = wish.result.transaction("entries").objectStore("entries").getAll();
      all.onsuccess = () => { wish.result.close(); resolve(all.result.filter((entry) => entry.who === who)); };
      all.onerror = () => resolve([]);
    };
  }).catch(() => []);
  const dialog = document.getElementById("leave");
  function ask(entries) {
    const make = (entry) => Object.assign(document.createElement("li"), { textContent: [entry.label, entry.code, entry.text].filter(Boolean).join(" · ") });
    document.getElementById("leave-list").replaceChildren(...entries.map(make));
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "leave"), { once: true }));
  }
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.getAttribute("action") !== "/sign-out") return;
    event.preventDefault();
    const entries = await findUnsent(dialog.dataset.who);
    if (entries.length && !(await ask(entries))) return;
    await forget().catch(() => {});
    form.submit();
  });

  // A phone keeps what is written into its forms by itself, and the form that is on its way is not left behind.
  const written = new Set(), KEPT = "form[data-outbox], form[data-online], .online form";
  const isText = (field) => field.tagName === "TEXTAREA" || (field.tagName === "INPUT" && field.type === "text");
  const isOwn = (field) => field.value.trim() && (field.value !== field.defaultValue || "cameBack" in field.dataset);
  let sent = null;
  const isUnsent = (form) => form !== sent && form.isConnected && [...form.elements].some((field) => isText(field) && isOwn(field));
  // What was refused comes back as if the service had it: it is known by what this window sent last.
  const SENT = "forewarn.sent-texts", findTexts = (form) => [...form.elements].filter((field) => field.name && "defaultValue" in field && !["hidden", "checkbox", "radio", "password", "file"].includes(field.type));
  function remember(form) {
    try { sessionStorage.setItem(SENT, JSON.stringify({ action: form.getAttribute("action"), texts: findTexts(form).filter(isOwn).map((field) => [field.name, field.value.trim()]) })); } catch { /* there is no room: nothing comes back */ }
  }
  function findCameBack() {
    const { action, texts } = JSON.parse(sessionStorage.getItem(SENT) || "{}");
    sessionStorage.removeItem(SENT);
    if (!home.hasAttribute("data-home") || !texts?.length) return;
    for (const form of document.querySelectorAll("form[method=post]")) {
      if (form.getAttribute("action") !== action) continue;
      const back = findTexts(form).filter((field) => texts.some(([name, text]) => field.name === name && field.value.trim() === text));
      for (const field of back) field.dataset.cameBack = "";
      if (back.length && !form.matches(KEPT)) written.add(form);
    }
  }
  findCameBack();
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    sent = null;
    if (form?.method === "post" && !form.matches(KEPT) && isText(event.target)) written.add(form);
  });
  window.addEventListener("submit", (event) => { if (event.defaultPrevented) return; sent = event.target; if (sent.method === "post") remember(sent); });
  window.addEventListener("beforeunload", (event) => {
    if (home.dataset.owner && [...written].some(isUnsent)) event.preventDefault();
    setTimeout(() => { sent = null; });  // who stays has sent nothing
  });
})();
