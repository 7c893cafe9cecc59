// A log follows its end while it grows, and stays where the reader scrolled to otherwise.

const NEAR = 40; // pixels from the end that still count as being there

function follow(log) {
  log.scrollTop = log.scrollHeight;
}

export function startLogs() {
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
