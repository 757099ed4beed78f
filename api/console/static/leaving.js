// Leaving: what was written on this phone and is not sent is named before the session ends; what was kept of it goes with it.
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
})();
