// Links to a moment: what they say of a laboratory.

import * as permalink from "../permalink";
import { isView, type Arrangement } from "./arrangement.svelte";
import type { Laboratory } from "./laboratory";
import { empty } from "./stops";

/** The address of the present moment. */
export async function link(lab: Laboratory, views?: string[]): Promise<string> {
  const { opening, state } = lab;
  if (!opening || !state) throw new Error("Nothing is open.");
  if (!opening.shown) throw new Error("What is open here cannot be named in a link.");
  const hash = await permalink.write({
    shown: opening.shown,
    moment: state.position,
    focus: { ...lab.focus },
    ...(!empty(lab.stops) && { stops: JSON.parse(JSON.stringify(lab.stops)) as typeof lab.stops }),
    ...(views && { views: [...views] }),
    ...(opening.seed !== undefined && { seed: opening.seed }),
  });
  return new URL(hash, location.href).href;
}

/** Goes to where a link leads, once what it shows is open. */
export async function follow(lab: Laboratory, linked: permalink.Linked, arrangement: Arrangement): Promise<void> {
  if (linked.views) arrangement.set(linked.views.filter(isView));
  if (linked.stops) lab.stops = linked.stops;
  if (linked.moment) await lab.goTo(linked.moment);
  if (linked.focus) lab.focus = linked.focus;
}
