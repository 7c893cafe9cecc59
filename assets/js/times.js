// Relative times go on being true: the server wrote them once, the browser counts on.
const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [86400 * 30, "day", 86400],
  [86400 * 365, "month", 86400 * 30],
  [Infinity, "year", 86400 * 365],
];

function ago(seconds) {
  if (seconds < 5) return "just now";
  const [, unit, size] = STEPS.find(([limit]) => seconds < limit);
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function refresh() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    time.textContent = ago((now - Date.parse(time.dateTime)) / 1000);
  }
  for (const time of document.querySelectorAll("[data-since]")) {
    time.textContent = duration((now - Date.parse(time.dataset.since)) / 1000);
  }
}

export function startTimes() {
  refresh();
  setInterval(() => {
    if (!document.hidden) refresh();
  }, 1000);
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
}
