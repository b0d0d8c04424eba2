import { afterAll } from "bun:test";
import { closeKeeper, openKeeper } from "./servers.ts";

openKeeper();

// A hook of a preloaded file runs once, after the last test file. Servers get half a minute each to end.
afterAll(closeKeeper, 90_000);
