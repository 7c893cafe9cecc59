// A step that a run does not offer any more takes its dialog away: what is typed there is left to say.

function leave(text) {
  const form = document.querySelector("#run-comments form");
  const body = form.elements.body;
  body.value = [body.value, text].filter(Boolean).join("\n");
  form.querySelector("[data-meanwhile]")?.remove();
  const note = document.createElement("p");
  note.className = "hint";
  note.dataset.meanwhile = "";
  note.setAttribute("role", "status");
  note.textContent = "Somebody was quicker, and this run cannot do that any more. What you typed for it is here, and not sent.";
  body.closest("label").after(note);
  body.focus();
}

function before({ target, detail: { message } }) {
  if (target.id !== "live" || message.event || !message.data) return;
  const box = document.createElement("template");
  box.innerHTML = message.data;
  const fresh = box.content.querySelector('hx-partial[hx-target="#run-head"]');
  if (!fresh) return;
  for (const dialog of document.querySelectorAll("#run-head dialog[open]")) {
    const text = dialog.querySelector("[name=comment]")?.value.trim();
    const isSent = dialog.querySelector("form").dataset.sent;
    if (!text || isSent || fresh.querySelector(`[id="${dialog.id}"]`)) continue;
    dialog.close();
    leave(text);
  }
}

export function startSteps() {
  document.addEventListener("htmx:sse:before:message", before);
}
