// Dragging: by pointer, so that it works with a finger, too. Within the block it moves an item, into the block it pins
// one there, and into the bin it bans one.

document.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest?.("[data-grip]");
  const block = document.querySelector("[data-block]");
  if (!grip || !block || event.button !== 0 || document.querySelector("main[aria-busy]")) return;
  const row = grip.closest(".row");
  const home = row.parentElement;
  const next = row.nextElementSibling;
  const before = [...block.children];
  const bin = document.querySelector("[data-bin]");
  const held = event.clientY - row.getBoundingClientRect().top;
  const root = document.documentElement; // never moves, so that no pointer is lost
  let [x, y] = [event.clientX, event.clientY];
  let [moved, ended, over] = [false, false, false];

  const within = (element, margin) => {
    const box = element.getBoundingClientRect();
    return y > box.top - margin && y < box.bottom + margin && x > box.left - margin && x < box.right + margin;
  };
  const goHome = () => home.insertBefore(row, next);
  const place = () => {
    const others = [...block.children].filter((other) => other !== row);
    let at = others.findIndex((other) => {
      const box = other.getBoundingClientRect();
      return y < box.top + box.height / 2;
    });
    if (at < 0) at = others.length;
    if (home !== block && "full" in block.dataset) at = Math.min(at, others.length - 1); // behind the last is no place
    if (block.children[at] !== row) block.insertBefore(row, others[at] ?? null);
  };
  const show = () => {
    over = within(bin, 0);
    bin.classList.toggle("is-over", over);
    row.style.transform = "";
    if (home === block || within(block, 12)) place();
    else if (row.parentElement !== home) goHome();
    row.style.transform = `translateY(${y - held - row.getBoundingClientRect().top}px)`;
  };
  const scroll = () => { // near an edge of the screen, there is more beyond it
    if (ended) return;
    const by = y < 110 ? -10 : y > innerHeight - 130 ? 10 : 0;
    if (by && !over) {
      window.scrollBy(0, by);
      show();
    }
    requestAnimationFrame(scroll);
  };
  const move = (at) => {
    [x, y] = [at.clientX, at.clientY];
    if (moved) return show();
    if (Math.abs(y - event.clientY) <= 3) return;
    moved = true;
    root.setPointerCapture(at.pointerId);
    row.classList.add("is-dragged");
    bin.hidden = !row.querySelector("[data-do=ban]");
    show();
    scroll();
  };
  const end = (keep) => {
    ended = true;
    stop.abort();
    row.classList.remove("is-dragged");
    row.style.transform = "";
    bin.hidden = true;
    bin.classList.remove("is-over");
    if (!keep) goHome();
  };
  const drop = () => {
    const ban = moved && over && row.querySelector("[data-do=ban]");
    end(!ban);
    if (ban) {
      row.focus();
      return ban.click();
    }
    const order = [...block.children];
    if (!moved || !order.includes(row) || order.every((item, at) => item === before[at])) return;
    (grip.matches("button") ? grip : row).focus();
    const detail = { id: row.dataset.id, targets: order.map((item) => item.dataset.id) };
    document.dispatchEvent(new CustomEvent("desk:order", { detail }));
  };
  const stop = new AbortController();
  const heard = { signal: stop.signal, capture: true };
  root.addEventListener("pointermove", move, heard);
  root.addEventListener("pointerup", drop, heard);
  root.addEventListener("pointercancel", () => end(false), heard);
  root.addEventListener("keydown", (key) => {
    if (key.key === "Escape") end(false);
    key.preventDefault();
    key.stopPropagation();
  }, heard);
  event.preventDefault(); // no text is marked
});
