// The token that a server may want. It is kept for this tab only.

const KEY = "lcd.token";

class Token {
  value: string | undefined = $state(kept());
  /** Somebody waits for the reader to type it. */
  asked = $state(false);
  /** The one that was tried was not right. */
  refused = $state(false);
  #waiting: ((given: boolean) => void)[] = [];

  /** Asks the reader; says whether there is a new one. `tried` was refused. */
  ask(tried: string | undefined): Promise<boolean> {
    // Somebody else has asked in the meantime, and got another.
    if (this.value !== tried) return Promise.resolve(this.value !== undefined);
    this.refused = tried !== undefined;
    this.asked = true;
    return new Promise((done) => this.#waiting.push(done));
  }

  give(value: string | undefined) {
    this.asked = false;
    if (value) {
      this.value = value;
      try {
        sessionStorage.setItem(KEY, value);
      } catch {
        // Then it lasts as long as this page does.
      }
    }
    for (const done of this.#waiting.splice(0)) done(Boolean(value));
  }

  forget() {
    this.value = undefined;
    try {
      sessionStorage.removeItem(KEY);
    } catch {
      // It was not kept either.
    }
  }
}

function kept(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

export const token = new Token();
