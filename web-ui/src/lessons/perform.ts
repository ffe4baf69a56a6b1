// Does in the laboratory what a link in a text says.

import type { Arrangement } from "../lab/arrangement.svelte";
import { isView } from "../lab/arrangement.svelte";
import type { Laboratory } from "../lab/laboratory";
import { namesOf } from "../lab/names";
import { hasAddress, toggleAddress } from "../lab/stops";
import type { Action } from "./actions";

export interface Place {
  lab: Laboratory;
  arrangement: Arrangement;
  /** Brings a part of the lesson to the front. */
  show(part: "machine" | "compare"): void;
  edit(file: string): void;
}

/** A sentence, if it could not be done. */
export async function perform(action: Action, place: Place): Promise<string | undefined> {
  const { lab, arrangement } = place;
  const domain = "domain" in action && action.domain !== undefined ? domainNamed(lab, action.domain) : lab.focus.domain;
  if (domain === undefined) return `There is no domain called ${"domain" in action ? action.domain : ""} at this moment: run a little further.`;
  const see = (view: string) => {
    place.show("machine");
    if (isView(view)) arrangement.show(view);
  };
  switch (action.does) {
    case "run":
      await lab.run();
      return undefined;
    case "pause":
      lab.pause();
      return undefined;
    case "start":
    case "end":
      await lab.goTo(action.does);
      return undefined;
    case "step":
      await lab.step(action.kind);
      return undefined;
    case "back":
      await lab.back(action.kind);
      return undefined;
    case "event":
      await lab.goTo({ events: action.event + 1 });
      lab.focus.event = action.event;
      see("log");
      return undefined;
    case "why": {
      const newest = (await lab.troubles(1))[0];
      if (newest === undefined) return "Nothing was refused so far: run it first.";
      lab.focus.event = newest;
      see("refusal");
      return undefined;
    }
    case "memory":
    case "walk":
      lookAt(lab, domain);
      lab.focus.address = action.address;
      see(action.does);
      return undefined;
    case "slot":
      lookAt(lab, domain);
      lab.focus.slot = action.slot;
      see("graph");
      return undefined;
    case "domain":
      lookAt(lab, domain);
      place.show("machine");
      return undefined;
    case "break": {
      const names = namesOf(await lab.program(domain));
      const symbol = names.named(action.label);
      if (!symbol) return `The program has no label ${action.label}.`;
      if (!hasAddress(lab.stops, domain, symbol.address)) {
        lab.stops = toggleAddress(lab.stops, domain, `0x${symbol.address.toString(16)}`);
      }
      see("code");
      return undefined;
    }
    case "view":
      if (action.view === "compare") place.show("compare");
      else see(action.view);
      return undefined;
    case "edit":
      place.edit(action.file);
      return undefined;
  }
}

const domainNamed = (lab: Laboratory, name: string): number | undefined =>
  lab.state?.domains.find((domain) => domain.name === name)?.id;

function lookAt(lab: Laboratory, domain: number): void {
  if (lab.focus.domain === domain) return;
  lab.focus.domain = domain;
  lab.focus.thread = lab.state?.threads.find((thread) => thread.domain === domain)?.id;
}
