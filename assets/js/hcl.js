// Fields in which HCL is typed. Beneath it stays a textarea, which is what the form sends, screen readers
// read, and Tab leaves; without scripts it is all there is.
import { createEditor } from "prism-code-editor";
import { editorCommands, indentSelectedLines, insertLineAndIndent } from "prism-code-editor/commands";
import { highlightBracketPairs } from "prism-code-editor/highlight-brackets";
import { matchBrackets } from "prism-code-editor/match-brackets";
import "prism-code-editor/languages/hcl";
import "prism-code-editor/prism/languages/hcl";

const LONGEST = 150_000; // characters that are coloured; more is a file for an editor of one's own
const KEYS = {
  Enter: insertLineAndIndent,
  "Mod+]": (editor) => indentSelectedLines(editor),
  "Mod+[": (editor) => indentSelectedLines(editor, true),
};
const KEPT = ["id", "name", "rows", "placeholder", "spellcheck", "autocapitalize", "autocomplete"];

// A page may have hundreds of variables, most of them folded away: an editor is made once it is near.
const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) target.begin();
  },
  { rootMargin: "200px" },
);

class HclEditor extends HTMLElement {
  connectedCallback() {
    if (!this.editor) near.observe(this);
  }

  begin() {
    near.unobserve(this);
    const plain = this.querySelector(":scope > textarea");
    if (this.editor || !plain) return;
    const { selectionStart, selectionEnd } = plain;
    const hasFocus = document.activeElement === plain;
    const editor = createEditor(null, { language: "text", value: plain.value, wordWrap: true, lineNumbers: false });
    const field = editor.textarea;
    for (const { name, value } of plain.attributes) {
      if (KEPT.includes(name) || name.startsWith("aria-")) field.setAttribute(name, value);
    }
    field.removeAttribute("aria-readonly");
    field.defaultValue = plain.defaultValue;
    field.value = plain.value;
    editor.addExtensions(editorCommands(KEYS, []), matchBrackets(false), highlightBracketPairs());
    editor.on("update", () => this.#suit());
    this.editor = editor;
    plain.replaceWith(editor.container);
    if (hasFocus) field.focus();
    field.setSelectionRange(selectionStart, selectionEnd);
    editor.container.addEventListener("click", (event) => {
      if (event.target === editor.container) field.focus();
    });
    this.#by = this.dataset.by ? document.getElementById(this.dataset.by) : null;
    this.#by?.addEventListener("change", this.#suit);
    this.#said = document.getElementById(`${field.id}-said`);
    if (this.#said) new MutationObserver(this.#mark).observe(this.#said, { childList: true, subtree: true });
    this.#suit();
    this.#mark();
  }

  // The page changed beneath: what is typed stays, as keep.js sees to, in the editor that is there.
  follow(fresh) {
    const field = this.editor.textarea;
    const isTyped = field.value !== field.defaultValue;
    field.defaultValue = fresh.defaultValue;
    if (!isTyped && field !== document.activeElement) field.value = fresh.defaultValue;
  }

  settle() {
    const field = this.editor.textarea;
    if (this.editor.value !== field.value) this.editor.update();
    if (field.value !== field.defaultValue && !this.#said?.childElementCount) {
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  #by = null;
  #said = null;

  // Plain text, or HCL; line numbers where there are lines.
  #suit = () => {
    const { editor } = this;
    const on = this.#by ? this.#by.checked : true;
    const language = on && editor.value.length <= LONGEST ? "hcl" : "text";
    const lineNumbers = editor.value.includes("\n");
    if (editor.options.language === language && editor.options.lineNumbers === lineNumbers) return;
    editor.setOptions({ language, lineNumbers });
  };

  // The line that the server found to be wrong.
  #mark = () => {
    const line = Number(this.#said?.querySelector("[data-line]")?.dataset.line ?? 0);
    const wrong = this.#said?.querySelector(".said-bad") != null;
    this.editor.textarea.setAttribute("aria-invalid", String(wrong));
    this.classList.toggle("is-wrong", wrong);
    for (const each of this.querySelectorAll(".wrong-line")) each.classList.remove("wrong-line");
    if (line) this.editor.lines[line]?.classList.add("wrong-line");
  };
}

customElements.define("hcl-editor", HclEditor);

window.htmx.registerExtension("hcl-editor", {
  htmx_before_morph_node(oldNode, { newNode }) {
    const fresh = newNode.querySelector?.(":scope > textarea");
    if (!(oldNode instanceof HclEditor && oldNode.editor && fresh)) return true;
    oldNode.follow(fresh);
    return false;
  },
});
document.addEventListener("htmx:sse:after:message", () => {
  for (const each of document.querySelectorAll("hcl-editor")) if (each.editor) each.settle();
});
