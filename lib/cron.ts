import { Cron } from "croner";

/** True for a cron expression of 5 fields, or 6 with seconds first, that ever comes true. */
export function isCron(pattern: string): boolean {
  try {
    const fields = pattern.trim().split(/\s+/).length;
    return (fields === 5 || fields === 6) && new Cron(pattern, { paused: true }).nextRun() !== null;
  } catch {
    return false;
  }
}

/** True for the name of an IANA time zone. */
export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
