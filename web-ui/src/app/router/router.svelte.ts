// Where the reader is. Faces read `router.route` and move with `go`.

import { parse, type Route } from "./routes";

class Router {
  route: Route = $state.raw(parse(location.hash));
  /** Set by a face that knows a better title than the route does. */
  title: string | undefined = $state();

  constructor() {
    addEventListener("hashchange", () => this.#moved());
  }

  #moved() {
    this.title = undefined;
    this.route = parse(location.hash);
  }

  /** To an address, `#/…`. With `replace` the way back does not lead here. */
  go(hash: string, options: { replace?: boolean } = {}) {
    if (hash === location.hash) return;
    if (!options.replace) location.hash = hash;
    else {
      history.replaceState(history.state, "", hash);
      this.#moved();
    }
  }
}

export const router = new Router();
