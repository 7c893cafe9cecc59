// Small conveniences; every form also works without them.

function onClick(event) {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = copy.dataset.copy || document.getElementById(copy.dataset.copyFrom)?.textContent || "";
    navigator.clipboard.writeText(text.trim()).then(() => {
      const before = copy.textContent;
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = before), 1500);
    });
    return;
  }
  const opener = event.target.closest("[data-open]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.open);
    if (dialog?.showModal) {
      event.preventDefault();
      dialog.showModal();
    }
    return;
  }
  if (event.target.closest("[data-close]")) {
    event.target.closest("dialog")?.close();
    return;
  }
  if (event.target.matches?.("dialog.sheet")) event.target.close();
  for (const open of document.querySelectorAll("details.pop[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
}

function onChange(event) {
  const file = event.target;
  if (file.matches?.("input[type=file][data-into]") && file.files[0]) {
    file.files[0].text().then((text) => {
      const into = document.getElementById(file.dataset.into);
      into.value = text;
      into.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
  if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit();
  if (event.target.matches?.("[data-select-all]")) {
    for (const box of document.querySelectorAll(event.target.dataset.selectAll)) {
      box.checked = event.target.checked;
    }
  }
}

function count() {
  const chosen = document.querySelectorAll("#live-list input[name=workspace]:checked").length;
  const all = document.querySelector("#live-list input[name=all]:checked");
  for (const place of document.querySelectorAll("[data-chosen]")) {
    place.textContent = all ? "All that match are chosen" : `${chosen} chosen`;
  }
}

export function startForms() {
  count();
  document.addEventListener("change", () => setTimeout(count));
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details.pop[open]")) {
      open.open = false;
      open.querySelector("summary")?.focus();
    }
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  document.querySelector("form[data-submit-now]")?.requestSubmit();
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}
