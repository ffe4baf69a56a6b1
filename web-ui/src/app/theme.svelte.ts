// Light, dark, or as the system has it. The choice is kept in this browser.

export type Theme = "system" | "light" | "dark";

const KEY = "lcd.theme";

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

class Themed {
  choice: Theme = $state(kept());
  /** Goes up when colours have changed: for what paints by itself (canvas). */
  revision = $state(0);

  constructor() {
    this.#apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.revision++);
  }

  choose(theme: Theme) {
    this.choice = theme;
    this.#apply();
    this.revision++;
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Without storage the choice lasts as long as the page does.
    }
  }

  #apply() {
    if (this.choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

export const theme = new Themed();

/** A token's colour as it is now, for a canvas. */
export function colour(token: string): string {
  const probe = document.createElement("span");
  probe.style.setProperty("color", `var(${token})`);
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
