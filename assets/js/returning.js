// Who was signed out while filling in a form finds it as they left it; one that is refused comes back
// filled in.
//
// It is kept in this tab alone, from sending until the next page; never what may be a secret.

const KEY = "landform.sent";
// `url` is the address of a chat, which is all that it takes to write there.
const SECRET = /^url$|secret(?!_expires_at$)|private|password|token|certificate|value|tfvars|code/;
const FIELDS = "input:not([type=hidden], [type=password], [type=file]), select, textarea";

const isBox = (field) => field.type === "checkbox" || field.type === "radio";
const here = () => window.location.pathname + window.location.search;
const who = () => document.querySelector("summary[aria-label^='Account of']")?.ariaLabel ?? "";
const hiddenOf = (form) => [...form.querySelectorAll("input[type=hidden]")].filter((each) => each.name !== "form_token").map((each) => `${each.name}=${each.value}`);
const nameOf = (form) => [form.getAttribute("action") ?? "", ...hiddenOf(form)].join(" ");
const fieldsOf = (form) => [...form.elements].filter((each) => each.matches(FIELDS) && each.name && !SECRET.test(each.name));

function take() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  } finally {
    sessionStorage.removeItem(KEY);
  }
}

function keep(sent) {
  sessionStorage.setItem(KEY, JSON.stringify(sent));
}

function onSubmit({ target: form, defaultPrevented }) {
  if (defaultPrevented || form.method !== "post" || window.location.pathname.startsWith("/login")) return;
  const fields = fieldsOf(form).map((each) => [each.name, each.value, isBox(each) ? each.checked : null]);
  if (fields.length) keep({ who: who(), at: here(), form: nameOf(form), fields });
}

function fill({ form: name, fields }) {
  for (const form of document.querySelectorAll("form[method=post]")) {
    if (nameOf(form) !== name) continue;
    const left = [...fields];
    for (const field of fieldsOf(form)) {
      const at = left.findIndex(([name, value]) => name === field.name && (!isBox(field) || value === field.value));
      if (at < 0) continue;
      const [, value, checked] = left.splice(at, 1)[0];
      if (isBox(field)) field.checked = checked;
      else field.value = value;
      const fold = field.closest("details:not([open])");
      if (fold && value !== field.defaultValue) fold.open = true;
    }
    return left.length < fields.length;
  }
  return false;
}

function onSignIn(sent) {
  for (const then of document.querySelectorAll("input[name=then]")) then.value = sent.at;
  for (const door of document.querySelectorAll('a[href^="/login/with/"]')) {
    door.href = `${door.getAttribute("href").split("?")[0]}?${new URLSearchParams({ then: sent.at })}`;
  }
  keep({ ...sent, isOut: true });
}

export function startReturning() {
  const sent = take();
  document.addEventListener("submit", onSubmit);
  if (!sent) return;
  const isBack = sent.who === who() && sent.at.split("?")[0] === window.location.pathname;
  if (window.location.pathname.startsWith("/login")) onSignIn(sent);
  else if (isBack && sent.isOut && fill(sent)) {
    const note = document.createElement("p");
    note.className = "alert alert-warning alert-soft mb-5 block";
    note.setAttribute("role", "status");
    note.textContent = "What you had filled in before you were signed out is back, but for secrets. It is not sent yet.";
    document.getElementById("page")?.before(note);
  }
}
