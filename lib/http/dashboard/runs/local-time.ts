/* Times as `<input type="datetime-local">` has them, which is in the reader's zone. */

/** "2026-01-31T12:00" in the reader's zone; empty without a time. */
export function localOf(iso: string | undefined): string {
  if (iso === undefined) return "";
  const at = new Date(iso);
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

/** The moment that such a field says, ISO 8601, UTC; undefined while it is empty. */
export function momentOf(local: string): string | undefined {
  const at = local === "" ? Number.NaN : new Date(local).getTime();
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
