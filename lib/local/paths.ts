import { join, resolve } from "node:path";

/** The folder that holds package.json. */
export const projectDir = resolve(import.meta.dir, "../..");

/** Where the data of the local servers lies unless told otherwise. */
export const defaultHome = join(projectDir, ".local");

/** Jars and class archives depend on the project's version alone, so every home shares them. */
export const jarsDir = join(defaultHome, "jars");
export const archivesDir = join(defaultHome, "archives");
