// Components of other parts of the page that are shown here, loaded when they are needed.

const files = import.meta.glob<{ default: unknown }>(["./graph/*.svelte", "../log/LabLog.svelte", "../editor/EditView.svelte"]);

/** By the component's name. */
export const parts: Record<string, (() => Promise<{ default: unknown }>) | undefined> = Object.fromEntries(
  Object.entries(files).map(([path, load]) => [path.slice(path.lastIndexOf("/") + 1, -".svelte".length), load]),
);
