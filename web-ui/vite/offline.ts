// Makes `sw.js`: `src/offline/worker.ts` with the list of files that were built, and a version that
// changes when any of them does. Nothing in it depends on when or where it was built.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const WORKER = "sw.js";
const PLACEHOLDER = "__BUILT__";

export function offline(): Plugin {
  let publicDir = "";
  return {
    name: "offline",
    apply: "build",
    enforce: "post",
    configResolved: (config) => {
      publicDir = config.publicDir;
    },
    buildStart() {
      this.emitFile({ type: "chunk", id: "src/offline/worker.ts", fileName: WORKER });
    },
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const contents = new Map<string, string | Uint8Array>();
        for (const name of readdirSync(publicDir)) contents.set(name, readFileSync(join(publicDir, name)));
        for (const [name, made] of Object.entries(bundle)) {
          if (name !== WORKER) contents.set(name, made.type === "chunk" ? made.code : made.source);
        }
        const files = [...contents.keys()].sort();
        const worker = bundle[WORKER];
        if (worker?.type !== "chunk" || !worker.code.includes(PLACEHOLDER)) {
          return this.error(`${WORKER} was not built, or does not use ${PLACEHOLDER}`);
        }
        if (worker.imports.length + worker.dynamicImports.length > 0) {
          return this.error(`${WORKER} has to be a single file, but it imports others`);
        }
        const hash = createHash("sha256").update(worker.code);
        for (const name of files) {
          hash.update(`\0${name}\0`).update(contents.get(name) ?? "");
        }
        const built = JSON.stringify({ version: hash.digest("hex").slice(0, 16), files });
        worker.code = worker.code.replace(PLACEHOLDER, () => built);
      },
    },
  };
}
