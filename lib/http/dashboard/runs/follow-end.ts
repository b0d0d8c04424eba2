import { say } from "../dom.ts";
import { button } from "../parts.ts";

/** So near to the end one counts as being there. */
const endPx = 24;

/**
 * Keeps a box scrolled to its end, where lines are added. It pauses when somebody scrolls up or presses
 * the button, and goes on when they scroll to the end or press again.
 */
export function followEnd(box: HTMLElement) {
  let following = true;
  const toggle = button("", () => set(!following), { kind: "small" });
  function set(on: boolean): void {
    following = on;
    say(toggle, on ? "Pause following" : "Follow");
    if (on) box.scrollTop = box.scrollHeight;
  }
  const onScroll = () => {
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < endPx;
    if (atEnd !== following) set(atEnd);
  };
  box.addEventListener("scroll", onScroll, { passive: true });
  set(true);
  return {
    button: toggle,
    /** There is more: shows it, if it follows. */
    added: () => {
      if (following) box.scrollTop = box.scrollHeight;
    },
  };
}
