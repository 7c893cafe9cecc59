// A page that is followed changes under its reader: what they typed stays, everything else comes true.
//
// A form is known by where it is sent and by its hidden fields, so that a row that moves takes along
// what is typed in it. A field that somebody else changed while it was typed in says so. Where a form
// that is typed in would go away, nothing is changed, and that is said.

const NAMED = "form:";
const LONGEST = 80; // characters of another's value
const FIELDS = "input:not([type=hidden], [type=submit], [type=button], [type=reset]), select, textarea";

let typed = null; // what to put back after the swap that is under way
let held = null; // a message that would have taken away what is typed
const seen = new WeakMap(); // field → what stood there when typing began

const page = () => document.getElementById("page");
const isBox = (field) => field.type === "checkbox" || field.type === "radio";

function first(select) {
  const marked = [...select.options].filter((option) => option.defaultSelected);
  return marked.at(-1) ?? (select.multiple ? undefined : [...select.options].find((option) => !option.disabled));
}

function given(field) {
  if (isBox(field)) return String(field.defaultChecked);
  if (field.type === "file") return "";
  if (field.tagName === "SELECT") return first(field)?.value ?? "";
  return field.defaultValue;
}

function now(field) {
  if (isBox(field)) return String(field.checked);
  return field.value;
}

function put(field, value) {
  if (isBox(field)) field.checked = value === "true";
  else if (field.type !== "file") field.value = value;
}

const isTyped = (field) => now(field) !== given(field);

// Forms by what they are for; those that look the same, by their order.
function nameForms(root) {
  const counts = new Map();
  for (const form of root.querySelectorAll("form")) {
    const id = form.getAttribute("id") ?? "";
    if (id && !id.startsWith(NAMED)) continue;
    const hidden = [...form.querySelectorAll("input[type=hidden]")].filter((each) => each.name !== "form_token");
    const what = [form.getAttribute("action") ?? "", ...hidden.map((each) => `${each.name}=${each.getAttribute("value")}`)].join(" ");
    const count = counts.get(what) ?? 0;
    counts.set(what, count + 1);
    form.setAttribute("id", `${NAMED}${what}:${count}`);
  }
}

// Fields by their form, their name and, where several have it, their value or order.
function fieldsOf(root) {
  const found = new Map();
  for (const field of root.querySelectorAll(FIELDS)) {
    const form = field.getAttribute("form") ?? field.closest("form")?.getAttribute("id") ?? "";
    const base = [form, field.getAttribute("name") ?? field.id, isBox(field) ? field.getAttribute("value") : ""].join("\n");
    let key = base;
    for (let count = 1; found.has(key); count += 1) key = `${base}\n${count}`;
    found.set(key, field);
  }
  return found;
}

function say(text) {
  const note = document.createElement("p");
  note.dataset.meanwhile = "";
  note.setAttribute("role", "status");
  note.textContent = text;
  return note;
}

function sayHeld() {
  sayAbove("Somebody has changed meanwhile what you are about to change. What you typed is still here; ", "load the page again to see what is there now.");
}

function sayAbove(text, link) {
  const note = say(text);
  note.className = "alert alert-warning alert-soft mb-5 block";
  note.dataset.meanwhile = "page";
  const again = document.createElement("a");
  again.className = "link";
  again.href = window.location.href;
  again.textContent = link;
  note.append(again);
  page().before(note);
}

function forget() {
  held = null;
  document.querySelector("[data-meanwhile=page]")?.remove();
}

function before({ target, detail }) {
  const { message } = detail;
  if (!target.matches?.("[data-follows]") || message.event || !message.data) return;
  typed = null;
  const box = document.createElement("template");
  box.innerHTML = message.data;
  const part = box.content.querySelector('hx-partial[hx-target="#page"]');
  if (!part) return;
  nameForms(page());
  nameForms(part);
  const [old, fresh] = [fieldsOf(page()), fieldsOf(part)];
  const kept = [...old].filter(([, field]) => isTyped(field));
  forget();
  if (kept.some(([key]) => !fresh.has(key))) {
    held = { stream: target, text: message.data };
    detail.cancelled = true;
    sayHeld();
    return;
  }
  typed = kept.map(([key, field]) => {
    if (!seen.has(field)) seen.set(field, given(field));
    return { key, field, value: now(field), was: seen.get(field) };
  });
  message.data = box.innerHTML;
}

function after({ target }) {
  if (!typed || !target.matches?.("[data-follows]")) return;
  for (const note of page().querySelectorAll("[data-meanwhile]")) note.remove();
  const fields = fieldsOf(page());
  const back = new Map(typed.map((each) => [each.key, each]));
  for (const [key, field] of fields) {
    const one = back.get(key);
    if (!one) {
      if (isTyped(field)) put(field, given(field));
      continue;
    }
    if (field !== document.activeElement) put(field, one.value);
    seen.set(field, one.was);
    if (given(field) !== one.was) tell(field);
  }
  typed = null;
}

function tell(field) {
  const value = isBox(field) || field.tagName === "SELECT" ? "" : given(field);
  const to = value ? ` to “${value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value}”` : "";
  const note = say(`Somebody has changed this meanwhile${to}. What you typed is still here.`);
  note.className = "hint mt-1";
  (field.closest("label, hcl-editor") ?? field).after(note);
}

// What was held back comes once nothing is typed any more.
async function release() {
  if (!held || [...fieldsOf(page()).values()].some(isTyped)) return;
  const { stream, text } = held;
  forget();
  typed = [];
  await window.htmx.swap({ sourceElement: stream, target: stream, swap: "none", text });
  after({ target: stream });
}

// Who is signed out, or sees another part now, has a page that no stream of this browser's keeps true.
function cut({ detail }) {
  if (detail.status !== 401 && detail.status !== 404) return;
  forget();
  sayAbove("You are signed out, or what you may see is other than before; ", "load the page again.");
}

export function startKeeping() {
  document.addEventListener("htmx:sse:before:message", before);
  document.addEventListener("htmx:sse:after:message", after);
  document.addEventListener("htmx:sse:error", cut);
  document.addEventListener("input", () => setTimeout(release));
  document.addEventListener("reset", () => setTimeout(release));
}
