// Copies what the gallery serves from node_modules/ into nb2prod/server/static/vendor/.
// Run by `npm run vendor` after `npm ci`: nothing in a page comes from another host.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const target = join(root, "nb2prod", "server", "static", "vendor");

const FILES = [
  ["htmx.org/dist/htmx.min.js", "htmx/htmx.min.js"],
  ["htmx.org/LICENSE", "htmx/LICENSE"],
  ["katex/dist/katex.min.js", "katex/katex.min.js"],
  ["katex/LICENSE", "katex/LICENSE"],
];

async function copy(from, to) {
  const path = join(target, to);
  await mkdir(dirname(path), { recursive: true });
  await cp(join(modules, from), path);
}

// Every browser that knows light-dark() reads woff2, so the older formats stay at home.
async function copyKatexStyle() {
  const css = await readFile(join(modules, "katex/dist/katex.min.css"), "utf8");
  const modern = css.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)/g, "");
  if (/\.(?:woff|ttf)\)/.test(modern)) {
    throw new Error("katex.min.css still names a font that is not vendored");
  }
  await writeFile(join(target, "katex/katex.min.css"), modern);
  for (const font of await readdir(join(modules, "katex/dist/fonts"))) {
    if (font.endsWith(".woff2")) {
      await copy(`katex/dist/fonts/${font}`, `katex/fonts/${font}`);
    }
  }
}

await rm(target, { recursive: true, force: true });
for (const [from, to] of FILES) {
  await copy(from, to);
}
await copyKatexStyle();
console.log(`Copied htmx and KaTeX into ${target}`);
