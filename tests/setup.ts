import { afterAll } from "bun:test";
import { stopTestServers } from "./servers.ts";

// A hook of a preloaded file runs once, after the last test file. Servers get half a minute each to end.
afterAll(stopTestServers, 90_000);
