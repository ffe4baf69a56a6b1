// Files for the server: modules, world files, bundles.

import { api } from "../api/client";

export type Uploaded = { kind: "world"; id: string; name: string } | { kind: "module"; id: string; name: string };

/** A world file by its name, a bundle by its name or its beginning, and anything else is a module. */
export async function upload(file: File): Promise<Uploaded> {
  const name = file.name.toLowerCase();
  if (name.endsWith(".toml") || name.endsWith(".bundle")) {
    const world = await api.uploadWorld(file, name.endsWith(".bundle"));
    return { kind: "world", id: world.id, name: world.name };
  }
  const module = await api.uploadModule(file, file.name);
  return { kind: "module", id: module.id, name: module.name };
}
