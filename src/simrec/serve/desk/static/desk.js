// Makes the desk quicker: forms that do not load the page anew, and keys. Everything works without it.

const main = () => document.getElementById("main");
const rows = () => [...main().querySelectorAll(".row")].filter((row) => row.offsetParent !== null);
const rowOf = (element) => element?.closest?.(".row") ?? null;
const OFF = "simrec-keys-off";

function keysOn() {
  try {
    return localStorage.getItem(OFF) === null;
  } catch {
    return true; // a browser that stores nothing
  }
}

function say(text) {
  const said = document.getElementById("said");
  said.textContent = "";
  requestAnimationFrame(() => { said.textContent = text; });
}

function enhance() {
  for (const time of main().querySelectorAll("time[data-local]")) {
    const moment = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = moment.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  }
  for (const toast of main().querySelectorAll("[data-toast]")) toast.append(closing(toast));
  for (const grip of main().querySelectorAll("[data-grip]")) grip.hidden = false;
  for (const place of document.querySelectorAll("[data-keys-switch]")) {
    place.hidden = false;
    place.querySelector("input").checked = keysOn();
  }
  askAgain();
}

// What was done stands over the page until somebody has had enough of it.
function closing(toast) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "close";
  button.ariaLabel = "Close this note";
  button.textContent = "\u00d7";
  button.addEventListener("click", () => {
    const focused = toast.contains(document.activeElement);
    toast.remove();
    if (focused) main().focus();
  });
  return button;
}

const UNDOING = [".toast [data-undo] button", ".views [data-undo] button", ".log button"];

// Where the focus is, so that it can be found again in the page as it is after an act.
function remember() {
  const focus = document.activeElement;
  const row = rowOf(focus);
  if (!row) {
    const buttons = UNDOING.find((found) => focus.matches(found));
    return buttons && { buttons, at: [...main().querySelectorAll(buttons)].indexOf(focus) };
  }
  const list = row.parentElement;
  return {
    id: row.dataset.id,
    on: focus === row ? "row" : focus.matches("[data-grip]") ? "grip" : focus.dataset.do ?? "link",
    heading: list.closest("section, details")?.getAttribute("aria-labelledby"),
    at: [...list.children].indexOf(row),
  };
}

const OTHER = { pin: "unpin", unpin: "pin", ban: "unban", unban: "ban", accept: "unaccept", unaccept: "accept" };

function restore(place) {
  if (!place) return;
  if (place.buttons) return (main().querySelectorAll(place.buttons)[place.at] ?? main()).focus();
  const same = (row) => row.dataset.id === place.id;
  const section = place.heading && main().querySelector(`[aria-labelledby="${CSS.escape(place.heading)}"]`);
  const within = [...(section || main()).querySelectorAll(".row")];
  let row = within.find(same);
  let on = place.on;
  if (!row) { // it has left its list: go on with the one that has taken its place
    row = within[Math.min(place.at, within.length - 1)] ?? rows().find(same) ?? rows()[0];
    on = "row";
  }
  if (!row) return main().focus();
  const names = [on, OTHER[on]].filter(Boolean).map((name) => `[data-do="${name}"]`).join();
  const target = on === "row" ? row : on === "grip" ? row.querySelector("[data-grip]") : on === "link" ? row.querySelector("a") : row.querySelector(names);
  (target ?? row).focus({ preventScroll: false });
}

let busy = false;

// Why a response is no page: what stands before all pages answers so, where it is asked too often, say.
async function reason(response) {
  try {
    return `${(await response.json()).detail}.`;
  } catch {
    return "";
  }
}

// Puts the page that a response holds into the place of this one; false where the browser has to go there itself.
async function take(response) {
  if (!response.headers.get("content-type")?.startsWith("text/html")) throw new Error(await reason(response));
  const found = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = found.getElementById("main");
  if (!fresh || new URL(response.url).pathname === "/desk/login") {
    location.assign(response.url);
    return false;
  }
  const same = main().dataset.page === fresh.dataset.page;
  const open = same ? [...main().querySelectorAll("details[open][data-keep]")].map((one) => one.dataset.keep) : [];
  main().replaceWith(document.adoptNode(fresh));
  for (const name of open) main().querySelector(`details[data-keep="${CSS.escape(name)}"]`)?.setAttribute("open", "");
  document.title = found.title;
  if (response.redirected) {
    const url = new URL(response.url);
    for (const name of ["done", "waiting", "moved"]) url.searchParams.delete(name);
    history.replaceState(null, "", url);
  }
  enhance();
  return true;
}

// Asks again for a page that is not whole yet, unless somebody is at work on it.
let tries = 0;

function askAgain() {
  if (!main().matches("[data-again]") || tries++ > 60) return;
  setTimeout(async () => {
    const typing = main().contains(document.activeElement) && document.activeElement.matches("input");
    if (busy || typing) return askAgain();
    const place = remember();
    try {
      const response = await fetch(location.href, { credentials: "same-origin" });
      if (!busy && await take(response)) {
        restore(place);
        if (!main().matches("[data-again]")) say("It is ready.");
      }
    } catch {
      askAgain();
    }
  }, 1500);
}

async function swap(form, submitter, extra = []) {
  if (busy) return;
  busy = true;
  main().setAttribute("aria-busy", "true");
  const place = remember();
  const data = new FormData(form, submitter);
  for (const [name, value] of extra) data.append(name, value);
  try {
    const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(data), credentials: "same-origin" });
    if (!await take(response)) return;
    if (main().matches(".narrow, .trial")) {
      main().focus();
      window.scrollTo(0, 0);
    } else {
      restore(place);
    }
    const words = main().querySelector("[data-say]");
    say(words ? words.textContent.trim() : "Done.");
  } catch (error) {
    const note = document.createElement("p");
    note.className = "alert";
    note.dataset.say = "";
    const why = error instanceof TypeError ? "" : error.message; // a TypeError is the network's
    note.textContent = `${why || "The desk did not answer."} Load the page again to see how it stands.`;
    main().prepend(note);
    say(note.textContent);
  } finally {
    busy = false;
    main().removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-swap]")) return;
  event.preventDefault();
  swap(form, event.submitter);
});

document.addEventListener("change", (event) => {
  if (!event.target.closest("[data-keys-switch]")) return;
  try {
    if (event.target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  } catch { /* a browser that stores nothing */ }
  enhance();
});

// In a comparison, an article that stands on both sides is marked on both, as good or as bad.
document.addEventListener("change", (event) => {
  const mark = event.target;
  if (!mark.matches("[data-trial] [type=checkbox]")) return;
  for (const other of main().querySelectorAll("[type=checkbox]")) {
    if (other.value !== mark.value) continue;
    if (other.name === mark.name) other.checked = mark.checked;
    else if (mark.checked) other.checked = false;
  }
});

// Keys.

function press(row, ...names) {
  for (const name of names) {
    const button = row?.querySelector(`[data-do="${name}"]`);
    if (button) return button.click();
  }
  say(row ? "That cannot be done with this article." : "Choose an article first, with j and k.");
}

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(rowOf(document.activeElement));
  const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  p: (row) => press(row, "pin", "unpin"),
  b: (row) => press(row, "ban", "unban"),
  a: (row) => press(row, "accept", "unaccept"),
  o: (row) => row?.querySelector("a")?.click(),
  u: () => {
    const form = main().querySelector(".views [data-undo]") ?? main().querySelector("[data-toast=said] [data-undo]");
    if (form) form.requestSubmit();
    else say("There is nothing to undo on this page.");
  },
  "/": () => document.getElementById("q").select(),
  "?": () => document.getElementById("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return main().querySelector(".toast .close")?.click();
  const focus = document.activeElement;
  const row = rowOf(focus);
  const by = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  if (by && row?.matches(".block") && (event.altKey || focus.matches("[data-grip]"))) {
    event.preventDefault();
    return press(row, by);
  }
  if (event.altKey || focus.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") || !keysOn()) return;
  const verdict = main().matches("[data-trial]") && main().querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  const act = verdict ? () => verdict.click() : KEYS[event.key];
  if (!act || (event.key === "/" && !document.getElementById("q"))) return;
  event.preventDefault();
  act(row);
});

// What was dragged: drag.js says so.

document.addEventListener("desk:order", (event) => {
  const { id, targets } = event.detail;
  swap(document.getElementById("acts"), null, [["do", `order ${id}`], ...targets.map((target) => ["targets", target])]);
});

enhance();
const first = main().querySelector("[data-toast] [data-say], .alert[data-say]");
if (first) say(first.textContent.trim());
