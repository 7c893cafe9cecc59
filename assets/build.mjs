// Builds what the pages need into src/landform/web/static, which is committed: users need no Node.
import { execFileSync } from "node:child_process";
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
