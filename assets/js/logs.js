// A log follows its end while it grows, and stays where the reader scrolled to otherwise.

const NEAR = 40; // pixels from the end that still count as being there
const MOST = 1500; // lines that are kept: with more, a browser falls behind a fast log

function follow(log) {
  const lines = log.firstElementChild;
  // A few more may gather, so that not every line that comes has another removed.
  if (lines && lines.childElementCount > MOST * 1.2) {
    const last = lines.children[lines.childElementCount - MOST];
    const range = document.createRange();
    range.setStartBefore(lines.firstChild);
    range.setEndBefore(last);
    range.deleteContents();
  }
  log.scrollTop = log.scrollHeight;
}

const later = () => document.querySelectorAll(".log-panel:has(.log-later)");

// What is about to be searched for in the page has to be in it; the browser itself opens the fold around it.
function onFind({ ctrlKey, metaKey, key }) {
  const isFind = key === "F3" || ((ctrlKey || metaKey) && key.toLowerCase() === "f");
  if (isFind) for (const panel of later()) panel.dispatchEvent(new Event("toggle"));
}

// A link into a log that is folded away opens it; what is linked to is known once it is there.
function openLinked() {
  const id = window.location.hash.slice(1);
  for (const panel of later()) {
    if (!id.startsWith(`${panel.id.slice("log-".length)}-L`)) continue;
    panel.addEventListener("htmx:after:swap", () => window.location.replace(`#${id}`), { once: true });
    panel.open = true;
  }
}

export function startLogs() {
  document.addEventListener("keydown", onFind);
  window.addEventListener("hashchange", openLinked);
  // htmx looks at the page when it is ready, and must have done so.
  document.addEventListener("DOMContentLoaded", () => setTimeout(openLinked));
  for (const log of document.querySelectorAll(".log[data-follow]")) follow(log);
  document.addEventListener(
    "scroll",
    (event) => {
      const log = event.target;
      if (!log.matches?.(".log")) return;
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
      log.toggleAttribute("data-follow", atEnd);
    },
    true,
  );
  const seen = new MutationObserver((records) => {
    for (const log of new Set(records.map((record) => record.target.closest?.(".log")))) {
      if (log?.hasAttribute("data-follow")) follow(log);
    }
  });
  seen.observe(document.body, { childList: true, subtree: true });
}
