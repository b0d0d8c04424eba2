import { existsSync } from "node:fs";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const places = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/** A Chromium or Chrome of this machine, on the path or where macOS has it; undefined when there is none. */
export function findChromium(): string | undefined {
  for (const name of names) {
    const found = Bun.which(name);
    if (found) return found;
  }
  return places.find((place) => existsSync(place));
}
