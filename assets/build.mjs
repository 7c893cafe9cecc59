// Builds what the pages need into src/landform/web/static, which is committed: users need no Node.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const out = "../src/landform/web/static";
execFileSync("node_modules/.bin/tailwindcss", ["-i", "app.css", "-o", `${out}/app.css`, "--minify"], {
  stdio: "inherit",
});
await build({
  entryPoints: ["js/app.js"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  banner: { js: "/* htmx 4.0.1, 0BSD, https://htmx.org; the rest: see LICENSE and /assets */" },
});
// Only the page of a graph loads this one. Both of its libraries are under the MIT license.
const licenses = ["cytoscape", "@dagrejs/dagre"].map(
  (name) => `${name}:\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}`,
);
await build({
  entryPoints: ["js/graph.js"],
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  banner: { js: `/* ${licenses.join("\n\n")}\n*/` },
});
// Only pages with a field for HCL load these. prism-code-editor is under the MIT license.
const license = readFileSync("node_modules/prism-code-editor/LICENSE", "utf8").trim();
await build({
  entryPoints: ["js/hcl.js", "hcl.css"],
  outdir: out,
  entryNames: "[name]",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  banner: { js: `/* prism-code-editor:\n${license}\n*/`, css: `/* prism-code-editor:\n${license}\n*/` },
});
