// A box that a picture is scrolled in: zoomed about its middle or the pointer, dragged with the mouse.

import { tick } from "svelte";

const SMALLEST = 0.15;
const LARGEST = 3;

export class Scroller {
  scale = $state(1);
  /** Of the box. */
  width = $state(0);
  #element: HTMLElement | undefined;
  #begun = false;

  attach = (element: HTMLElement): (() => void) => {
    this.#element = element;
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
    };
    const pressed = (event: PointerEvent): void => this.#drag(event);
    element.addEventListener("wheel", wheel, { passive: false });
    element.addEventListener("pointerdown", pressed);
    const observer = new ResizeObserver(() => (this.width = element.clientWidth));
    observer.observe(element);
    return () => {
      observer.disconnect();
      element.removeEventListener("wheel", wheel);
      element.removeEventListener("pointerdown", pressed);
      this.#element = undefined;
      this.#begun = false;
    };
  };

  #drag(event: PointerEvent): void {
    const element = this.#element;
    if (!element || event.pointerType !== "mouse" || event.button !== 0) return;
    if ((event.target as Element).closest("[data-stop]")) return;
    let [x, y] = [event.clientX, event.clientY];
    const moved = (next: PointerEvent): void => {
      element.scrollBy(x - next.clientX, y - next.clientY);
      [x, y] = [next.clientX, next.clientY];
    };
    const done = (): void => {
      window.removeEventListener("pointermove", moved);
      window.removeEventListener("pointerup", done);
      window.removeEventListener("pointercancel", done);
    };
    window.addEventListener("pointermove", moved);
    window.addEventListener("pointerup", done);
    window.addEventListener("pointercancel", done);
  }

  /** By a factor; what is at a point of the box stays there. */
  async zoom(by: number, x?: number, y?: number): Promise<void> {
    const element = this.#element;
    if (!element) return;
    const [atX, atY] = [x ?? element.clientWidth / 2, y ?? element.clientHeight / 2];
    const before = this.scale;
    this.scale = Math.min(LARGEST, Math.max(SMALLEST, before * by));
    const factor = this.scale / before;
    const left = (element.scrollLeft + atX) * factor - atX;
    const top = (element.scrollTop + atY) * factor - atY;
    await tick();
    element.scrollTo({ left, top, behavior: "instant" });
  }

  /** All of a picture. */
  fit(width: number, height: number): void {
    const element = this.#element;
    if (!element) return;
    const scale = Math.min(element.clientWidth / width, element.clientHeight / height, 1.4);
    this.scale = Math.max(SMALLEST, scale);
    element.scrollTo({ left: 0, top: 0, behavior: "instant" });
  }

  /** The first time that there is a picture: as large as can be read, and not larger. */
  begin(width: number, height: number): void {
    const element = this.#element;
    if (!element || this.#begun) return;
    this.#begun = true;
    this.fit(width, height);
    this.scale = Math.max(this.scale, Math.min(0.8, element.clientWidth / width), 0.55);
  }

  /** Scrolls so that a place of the picture can be seen: once all that changes has changed, before it
   * is drawn. */
  show(x: number, y: number, width: number, height: number): void {
    cancelAnimationFrame(this.#showing);
    this.#showing = requestAnimationFrame(() => this.#show(x, y, width, height));
  }

  #showing = 0;

  #show(x: number, y: number, width: number, height: number): void {
    const element = this.#element;
    if (!element) return;
    const { scale } = this;
    const along = (at: number, size: number, from: number, view: number): number => {
      const [start, end] = [at * scale - 12, (at + size) * scale + 12];
      if (start >= from && end <= from + view) return from;
      return end - start > view ? start : Math.max(0, (start + end - view) / 2);
    };
    const left = along(x, width, element.scrollLeft, element.clientWidth);
    const top = along(y, height, element.scrollTop, element.clientHeight);
    if (left !== element.scrollLeft || top !== element.scrollTop) element.scrollTo({ left, top });
  }
}
