// Ctrl-K: the server finds, the arrow keys choose. Without a script the same is at /search.

export function startPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const options = () => [...dialog.querySelectorAll("[role=option]")];

  function choose(step) {
    const all = options();
    if (!all.length) return;
    const at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    const next = (at + step + all.length) % all.length;
    all.forEach((one, index) => one.setAttribute("aria-selected", String(index === next)));
    input.setAttribute("aria-activedescendant", all[next].id);
    all[next].scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      dialog.showModal();
      input.select();
    } else if (event.key === "/" && !event.target.matches("input, textarea, select")) {
      const search = document.querySelector("main input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      const all = options();
      const chosen = all.find((one) => one.getAttribute("aria-selected") === "true") ?? all[0];
      if (chosen) {
        event.preventDefault();
        window.location.assign(chosen.getAttribute("href"));
      }
    }
  });
}
