/** How `to_char` writes a time of UTC as JavaScript does: ISO 8601 with milliseconds. */
export const iso = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"';
