import { configDefaults, defineConfig } from "vitest/config";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { lessons } from "./vite/lessons.ts";
import { offline } from "./vite/offline.ts";
import { policy } from "./vite/policy.ts";

// Relative addresses, so that the same files work under any path, and without a server of ours.
export default defineConfig({
  base: "./",
  plugins: [lessons(), svelte(), policy(), offline()],
  build: {
    target: "es2023",
    // `light-dark()` is understood by all of these.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    sourcemap: false,
    // Nothing is put into the page itself: its policy allows no inline scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { index: "index.html", embed: "embed.html" } },
  },
  worker: { format: "es" },
  // Those in a browser have their own configuration and are started by test.sh.
  test: { exclude: [...configDefaults.exclude, "tests/browser/**"], passWithNoTests: true },
});
