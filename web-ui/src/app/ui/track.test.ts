import { describe, expect, test } from "vitest";
import { Track } from "./track";

describe("a track", () => {
  test("as high as the rows if they fit", () => {
    const track = new Track(5000, 400);
    expect(track.height).toBe(5000);
    expect(track.rows(1234)).toBe(1234);
    expect(track.moved(100, 100, 140)).toBe(140);
  });

  const view = 400;
  const track = new Track(24_000_000, view, 8_000_000);

  test("both ends can be reached, and there and back is the same place", () => {
    expect(track.height).toBe(8_000_000);
    expect(track.rows(0)).toBe(0);
    expect(track.rows(8_000_000 - view)).toBe(24_000_000 - view);
    for (const rows of [0, 1, 999_999, 1_000_001, 12_345_678, 22_999_000, 23_999_600])
      expect(track.rows(track.top(rows))).toBeCloseTo(rows, 3);
  });

  test("further down is further on", () => {
    let last = -1;
    for (let top = 0; top <= 8_000_000 - view; top += 39_998) {
      const rows = track.rows(top);
      expect(rows).toBeGreaterThan(last);
      last = rows;
    }
  });

  test("a turn of the wheel moves rows by as much, also where the track is compressed", () => {
    const before = track.top(12_000_000);
    expect(track.moved(12_000_000, before, before + 100)).toBe(12_000_100);
    expect(track.moved(12_000_000, before, before - 100)).toBe(11_999_900);
    const far = before + 100_000;
    expect(track.moved(12_000_000, before, far)).toBe(track.rows(far));
  });
});
