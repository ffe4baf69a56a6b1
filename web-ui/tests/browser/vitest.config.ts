import { defineConfig } from "vitest/config";

// Tests of the page in a browser; `test.sh` runs them. One file after the other: they share the
// processors with the browser, the simulator and the server.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: [process.env.LCD_BENCH ? "*.bench.ts" : process.env.LCD_BLESS ? "pictures.test.ts" : "*.test.ts"],
    cache: false,
    globalSetup: ["fixture/setup.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["verbose"],
  },
});
