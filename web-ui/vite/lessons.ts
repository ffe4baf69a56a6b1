// Lessons as modules. `…/lesson.toml` is the whole lesson, a chunk of its own; `…/lesson.toml?summary`
// is what the list of lessons shows of it.

import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";
import { readLesson } from "./lesson.ts";

const FILE = /[\\/]lesson\.toml(\?summary)?$/;

export function lessons(): Plugin {
  return {
    name: "lcd-lessons",
    enforce: "pre",
    load(id) {
      const kind = FILE.exec(id);
      if (!kind) return undefined;
      const directory = dirname(id.replace(/\?.*/, ""));
      for (const file of readdirSync(directory)) this.addWatchFile(join(directory, file));
      const { modules, recorded, ...lesson } = readLesson(directory);
      if (kind[1]) {
        const { name, title, summary, order, steps, tasks } = lesson;
        return `export default ${JSON.stringify({ name, title, summary, order, steps, tasks })};`;
      }
      const files = [...modules, ...(recorded ? [recorded] : [])];
      const imports = files.map((file, number) => `import url${number} from ${JSON.stringify(`./${file}?url`)};`);
      const listed = modules.map((file, number) => `{ name: ${JSON.stringify(file)}, url: url${number} }`);
      const log = recorded ? `, recorded: { name: ${JSON.stringify(recorded)}, url: url${modules.length} }` : "";
      return `${imports.join("\n")}\nexport default { ...${JSON.stringify(lesson)}, modules: [${listed.join()}]${log} };`;
    },
  };
}
