// Streams begin once their page is seen: a tab that was opened in the background costs nothing.

function begin() {
  if (document.hidden) return;
  document.removeEventListener("visibilitychange", begin);
  for (const stream of document.querySelectorAll("[hx-sse\\:connect]")) {
    stream.dispatchEvent(new CustomEvent("seen"));
  }
}

export function startStreams() {
  document.addEventListener("visibilitychange", begin);
  // htmx looks at the page when it is ready, and must have done so.
  document.addEventListener("DOMContentLoaded", () => setTimeout(begin));
}
