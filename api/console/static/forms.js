// Forms: what does not fit into a field is said, and what nobody can take now stays where it was written.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("words")?.textContent || "{}");
  const say = (key, params) => Object.entries(params || {}).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), words[key] || "");

  // A browser leaves out what does not fit into a field, of a text that is pasted too, and says nothing.
  const told = new WeakMap();
  const readers = (field) => (field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean);
  function forgive(field) {
    const line = told.get(field);
    if (!line) return;
    told.delete(field);
    line.remove();
    const left = readers(field).filter((id) => id !== line.id).join(" ");
    left ? field.setAttribute("aria-describedby", left) : field.removeAttribute("aria-describedby");
  }
  function tellFull(field) {
    const limit = field.maxLength;
    if (!(limit > 0) || field.type === "password") return;
    if (field.value.length < limit) { forgive(field); return; }
    if (told.has(field)) return;
    const line = Object.assign(document.createElement("span"), { className: "wrong", id: `full-${field.id || field.name}` });
    line.setAttribute("role", "status");
    line.dataset.full = "";
    field.after(line);
    told.set(field, line);
    field.setAttribute("aria-describedby", [...readers(field), line.id].join(" "));
    // Once it stands there: a program that reads aloud hears of what changes, not of what is new.
    setTimeout(() => { line.textContent = say("form.full", { limit: limit.toLocaleString(document.documentElement.lang) }); });
  }
  document.addEventListener("input", (event) => { if (!event.isComposing) tellFull(event.target); });
  document.addEventListener("compositionend", (event) => tellFull(event.target));
  document.addEventListener("reset", (event) => { for (const field of event.target.elements) forgive(field); });

  // A form that nobody can take now would leave the browser's own page where somebody wrote. Where the page does not know
  // that the server is there, it is asked first; a proxy that answers for it does not count. Behind all others: what
  // they send by themselves is theirs.
  const WAIT_MS = 5000, passed = new WeakSet(), asking = new WeakSet();
  const live = document.getElementById("live");
  const answers = () => fetch("/api/v1/health", { cache: "no-store", signal: AbortSignal.timeout?.(WAIT_MS) }).then((answer) => answer.ok, () => false);
  async function ask(form, button) {
    let line = form.querySelector("[data-unsent]");
    if (line) line.textContent = "";
    if (await answers()) {
      line?.remove();
      passed.add(form);
      try { form.requestSubmit(button); } finally { passed.delete(form); }
      return;
    }
    if (!line) form.append(line = Object.assign(document.createElement("p"), { className: "notice wrong" }));
    line.setAttribute("role", "alert");
    line.dataset.unsent = "";
    line.textContent = say("live.unsent");
  }
  window.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || passed.has(form)) return;
    if ((!live || live.dataset.state === "on") && navigator.onLine) return;
    event.preventDefault();
    if (asking.has(form)) return;  // a second click while the answer is waited for
    asking.add(form);
    ask(form, event.submitter).finally(() => asking.delete(form));
  });
})();
