// Campaigns, with counts that follow their runs.

import { changes } from "../api/changes.svelte";
import { api } from "../api/client";
import { problemOf, type Problem } from "../app/problem";
import type { Campaign } from "../api/types";

const AT_ONCE = 50;
/** Runs of a campaign end faster than anybody reads. */
const REST_MS = 800;

export class CampaignList {
  campaigns: Campaign[] = $state.raw([]);
  next: string | undefined = $state();
  loading = $state(false);
  loaded = $state(false);
  problem: Problem | undefined = $state.raw();
  #limit: number;
  #turn = 0;
  #stale = new Set<number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(limit = AT_ONCE) {
    this.#limit = limit;
  }

  /** Loads and follows until the returned function is called. */
  show(): () => void {
    void this.load();
    const quiet = changes.listen({
      run: ({ campaign }) => campaign && this.#renew(campaign),
      reset: () => void this.load(),
    });
    return () => {
      quiet();
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  async load(before?: string) {
    const turn = ++this.#turn;
    this.loading = true;
    try {
      const page = await api.campaigns({ limit: this.#limit, before });
      if (turn !== this.#turn) return;
      this.campaigns = before === undefined ? page.items : [...this.campaigns, ...page.items];
      this.next = page.next ?? undefined;
      this.loaded = true;
      this.problem = undefined;
    } catch (error) {
      if (turn === this.#turn) this.problem = problemOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  #renew(id: number) {
    this.#stale.add(id);
    this.#timer ??= setTimeout(async () => {
      const ids = [...this.#stale];
      this.#stale.clear();
      const renewed = await Promise.all(ids.map((each) => api.campaign(each).catch(() => undefined)));
      this.#timer = undefined;
      for (const campaign of renewed) if (campaign) this.#put(campaign);
      const [more] = this.#stale;
      if (more !== undefined) this.#renew(more);
    }, REST_MS);
  }

  #put(campaign: Campaign) {
    const at = this.campaigns.findIndex((each) => each.id === campaign.id);
    if (at >= 0) this.campaigns = this.campaigns.with(at, campaign);
    else if (this.loaded && !this.campaigns.some((each) => each.id > campaign.id)) this.campaigns = [campaign, ...this.campaigns];
  }
}
