// The inbox: decisions without leaving the page, rows that keep their height and offer what undoes them, previews.
(() => {
  "use strict";
  const words = JSON.parse(document.getElementById("inbox-words").textContent);
  const keysOn = document.documentElement.dataset.keys === "on";
  const form = () => document.getElementById("inbox-form");
  const boxes = () => [...document.querySelectorAll('#inbox-form input[name="order"]')];
  const said = document.getElementById("inbox-said"), undoAll = document.getElementById("inbox-undo");
  const make = (tag, text, more) => Object.assign(document.createElement(tag), { textContent: text, ...more });
  const target = () => boxes().find((box) => box.checked)?.closest("tr") || document.querySelector("tr[data-cursor]") || document.querySelector("#inbox-form tr[data-row]");

  function tell(text, isWrong, canUndo) {
    said.hidden = !text;
    said.className = `notice row ${isWrong ? "wrong" : "done"}`;
    said.querySelector("span").textContent = text;
    undoAll.hidden = !canUndo;
  }
  async function send(address, data) {
    const answer = await fetch(address, { method: "POST", headers: { Accept: "application/json" }, body: data });
    if ((answer.headers.get("content-type") || "").includes("application/json")) return answer.json();
    // Who is not signed in any more is led to the door, as from every page.
    throw new Error(answer.redirected && new URL(answer.url).pathname === "/sign-in" ? words.ended : words.failed);
  }
  // Of a network that is away the browser has words of its own, in its language.
  function tellFailure(failure, canUndo) {
    tell(failure instanceof TypeError ? words.failed : failure.message, true, canUndo);
  }
  // The row stays where it was and as high as it was; it is no row of the list any more.
  function settle(row, one) {
    const rows = [...document.querySelectorAll("#inbox-form tr[data-row]")], at = rows.indexOf(row);
    const next = row.matches("[data-cursor]") ? rows[at + 1] || rows[at - 1] : null;
    closePreview(row);
    row.style.height = `${row.offsetHeight}px`;
    row.dataset.handled = row.dataset.row;
    for (const name of ["id", "data-row", "data-version", "data-href", "data-cursor"]) row.removeAttribute(name);
    row.classList.add("handled");
    if (next) { next.setAttribute("data-cursor", ""); next.querySelector("a")?.focus({ preventScroll: true }); }
    write(row, one);
  }
  function write(row, one) {
    const cell = make("td", "", { colSpan: 8 });
    cell.setAttribute("role", "cell");
    const link = make("a", one.code, { href: `/work-orders/${one.code}` });
    const line = make("span", "", { className: "row" });
    const [before, ...after] = one.text.split(one.code), text = make("span", before);
    text.append(link, after.join(one.code));
    line.append(text);
    if (one.undo) {
      const button = make("button", words.undo, { type: "button" });
      button.dataset.undo = one.undo;
      line.append(button);
    }
    cell.append(line);
    row.replaceChildren(cell);
  }
  // Where somebody goes on who was at what is not there any more: at the button that he pressed (`held`), in the next row;
  // where no row is left, and after an undo, at what takes the decision back, or at what is said of it.
  function land(held, code) {
    const menu = held?.closest("details.menu"), rest = held && document.querySelector("#inbox-form tr[data-row]");
    const row = code ? findHandled(code) : null;
    const places = rest ? [menu && !menu.open ? menu.querySelector("summary") : held, document.querySelector("tr[data-cursor] a"), rest.querySelector("a")] : [row?.querySelector("[data-undo]"), row];
    for (const place of places) {
      if (document.activeElement && document.activeElement !== document.body) return;
      if (place === row && row) row.tabIndex = -1;
      if (place?.isConnected) place.focus({ preventScroll: true });
    }
  }
  // What the page says of all that is to decide, as the server has it after what was decided here.
  function tellLeft({ count, select_all: selectAll, all, confirm, empty }) {
    Object.assign(words, { all, confirm });
    document.getElementById("inbox-count").textContent = count;
    const button = document.querySelector("#all-matching button"), place = document.getElementById("inbox-empty");
    if (button) button.textContent = selectAll;
    if (!place) return;  // the page was looked at anew since, and had nothing
    place.hidden = !empty.length;
    place.replaceChildren(...empty.map((text) => make("p", text)));
  }
  const findHandled = (code) => document.querySelector(`tr[data-handled="${CSS.escape(code)}"]`);
  function refuse(row, one) {
    row.querySelector(".why")?.remove();
    const why = make("span", one.text, { className: "under why wrong" });
    row.querySelector("td.reason")?.append(why);
  }
  function show(answer, find) {
    for (const one of answer.results) {
      const row = find(one.code);
      if (!row) continue;
      if (!one.is_done) refuse(row, one);
      else if (row.dataset.handled) write(row, one);
      else settle(row, one);
    }
    if (answer.left) tellLeft(answer.left);
    document.dispatchEvent(new CustomEvent("forewarn:decided", { detail: answer.results.filter((one) => one.is_done).map((one) => one.code) }));
    const left = answer.results.filter((one) => !one.is_done);
    // Orders that are not on this page have no row to say it in.
    const elsewhere = left.filter((one) => !find(one.code)).map((one) => one.text);
    tell([answer.text, ...elsewhere].filter(Boolean).join(" "), left.length > 0 || !answer.done, Boolean(document.querySelector("[data-undo]")));
    const all = document.getElementById("select-all");
    if (all) all.checked = false;
    boxes()[0]?.dispatchEvent(new Event("change", { bubbles: true }));
  }
  let last = [];
  document.addEventListener("submit", async (event) => {
    if (event.target !== form() || event.defaultPrevented) return;
    event.preventDefault();
    const all = form().elements.everything.value === "1";
    if (all && !confirm(words.confirm)) return;
    const data = new FormData(form(), event.submitter), buttons = [...form().querySelectorAll("button[type=submit]")];
    const held = document.activeElement;
    let decided = "";
    for (const button of buttons) button.disabled = true;
    try {
      const answer = await send(form().getAttribute("action"), data);
      last = answer.results.filter((one) => one.undo).map((one) => one.undo);
      for (const button of document.querySelectorAll("[data-undo]")) button.remove();
      show(answer, (code) => document.getElementById(`row-${code}`));
      // Of all that match, few stand on this page.
      decided = answer.results.findLast((one) => one.is_done && findHandled(one.code))?.code;
      if (answer.done) {
        for (const menu of form().querySelectorAll("details.menu[open]")) menu.open = false;
        if (!answer.results.some((one) => !one.is_done)) for (const field of form().querySelectorAll(".sheet input[type=text]")) field.value = field.defaultValue;
      }
    } catch (failure) { tellFailure(failure, last.length > 0); }
    for (const button of buttons) button.disabled = false;
    land(held, decided);
  });
  async function undo(tokens) {
    const data = new FormData();
    data.set("csrf_token", document.querySelector("input[name=csrf_token]").value);
    for (const token of tokens) data.append("undo", token);
    try {
      // Where nothing is left to decide there is no form; the page looks for what comes with the same filters.
      const address = form()?.getAttribute("action") || document.getElementById("live-body").dataset.versions;
      const answer = await send(`/inbox/undo${new URL(address, location.href).search}`, data);
      last = last.filter((token) => !tokens.includes(token));
      for (const button of document.querySelectorAll("[data-undo]")) if (tokens.includes(button.dataset.undo)) button.remove();
      show(answer, findHandled);
      if (answer.results.length === 1) tell(answer.results[0].text, !answer.results[0].is_done, last.length > 0);
      land(null, answer.results.at(-1)?.code);
    } catch (failure) { tellFailure(failure, true); }
  }
  undoAll.addEventListener("click", () => { if (last.length) undo(last); });
  document.addEventListener("click", (event) => {
    const one = event.target.closest?.("[data-undo]"), preview = event.target.closest?.("[data-preview]");
    if (one) undo([one.dataset.undo]);
    if (preview) toggle(preview.closest("tr"));
    const everything = event.target.closest?.("#all-matching button");
    if (everything) {
      form().elements.everything.value = "1";
      everything.previousElementSibling.textContent = words.all;
      everything.hidden = true;
    }
  });
  document.addEventListener("change", (event) => {
    const place = document.getElementById("all-matching");
    if (!place || !event.target.closest?.("#inbox-form") || event.target.type !== "checkbox") return;
    form().elements.everything.value = "";
    place.querySelector("span").textContent = "";
    place.querySelector("button").hidden = false;
    place.hidden = !boxes().every((box) => box.checked);
  });

  // Previews: what the row has no room for, below it.
  const find = (row) => row.nextElementSibling?.matches("tr.preview") ? row.nextElementSibling : null;
  function closePreview(row) {
    find(row)?.remove();
    row.querySelector("[data-preview]")?.setAttribute("aria-expanded", "false");
  }
  async function toggle(row) {
    const button = row?.querySelector("[data-preview]");
    if (!button) return;
    if (find(row)) { closePreview(row); return; }
    button.setAttribute("aria-expanded", "true");
    const place = make("tr", "", { className: "preview" }), cell = make("td", "…", { colSpan: 8 });
    cell.setAttribute("aria-live", "polite");
    for (const [item, role] of [[place, "row"], [cell, "cell"]]) item.setAttribute("role", role);
    place.append(cell);
    row.after(place);
    try {
      const answer = await fetch(button.dataset.preview, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.statusText);
      cell.innerHTML = await answer.text();
    } catch { cell.textContent = words.failed; }
  }
  document.addEventListener("keydown", (event) => {
    if (!keysOn || event.key !== " " || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.getElementById("keys")?.open) return;
    if (event.target.closest("input, textarea, select, button, summary, [contenteditable]")) return;
    const row = document.querySelector("tr[data-cursor]");
    if (row) { event.preventDefault(); toggle(row); }
  });

  // The open orders of the device that is meant, to link to.
  document.addEventListener("toggle", async (event) => {
    if (event.target.id !== "link" || !event.target.open) return;
    const place = document.getElementById("link-choices"), code = target()?.dataset.row;
    place.replaceChildren();
    if (!code) return;
    try {
      const answer = await fetch(`/inbox/related/${encodeURIComponent(code)}`, { headers: { Accept: "text/html" } });
      if (answer.ok) place.innerHTML = await answer.text();
    } catch { place.textContent = words.failed; }
  }, true);

  // Views were kept in this browser once: what is left of that time moves to the account, and is looked for no more.
  const KEY = "forewarn.views.inbox";
  async function moveViews() {
    const kept = localStorage.getItem(KEY);
    if (!kept) return;
    let old = [];
    try { old = JSON.parse(kept); } catch { /* not ours to keep */ }
    const left = [];
    for (const view of Array.isArray(old) ? old : []) {
      const url = new URL(view.href, location.href), csrf = document.querySelector("meta[name=csrf-token]").content;
      const body = JSON.stringify({ page: "inbox", name: String(view.name).slice(0, 40), query: url.search.slice(1) });
      const answer = await fetch("/api/v1/account/views", { method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf }, body });
      // A name that the account has already was moved before; what has no room stays for when there is.
      if (answer.status === 409 ? (await answer.json()).guard : !answer.ok && answer.status !== 422) left.push(view);
    }
    if (left.length) localStorage.setItem(KEY, JSON.stringify(left)); else localStorage.removeItem(KEY);
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html"), next = page.getElementById("views");
    if (next && !document.getElementById("views")?.open) document.getElementById("views")?.replaceWith(next);
  }
  moveViews().catch(() => { /* tried again with the next page */ });
})();
