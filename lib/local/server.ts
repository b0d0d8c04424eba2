import type { Java, PendingArchive } from "./java.ts";

export type ServerName = "kafka" | "cassandra" | "postgres";

/** What `servers.ts` needs to know of a server to start and stop it. */
export interface Server {
  readonly name: ServerName;
  /** The format of its data: what one version wrote another may not read. */
  readonly dataVersion: string;
  readonly defaultPort: number;
  /** Resident memory once it has run for a while, as measured, rounded up. */
  readonly memoryMb: number;
  readonly stopSignal: "SIGTERM" | "SIGINT";
  readonly needsJava: boolean;
  /** The folder of its data, made by nobody yet. */
  dataDir(home: string): Promise<string>;
  /** Writes its configuration, and its empty data the first time. */
  prepare(place: Place): Promise<Launch>;
  /** True when it answers as it does when it serves clients, not only when its port is open. */
  answers(port: number): Promise<boolean>;
}

export interface Place {
  readonly dataDir: string;
  readonly port: number;
  /** Where its parts talk among themselves: Kafka's controller, Cassandra's storage port. */
  readonly innerPort: number;
  /** Settings over ours, by the server's own names. */
  readonly settings: Readonly<Record<string, string>>;
  readonly java: Java | undefined;
  /** Ends the server when the process that started it ends, however that ends. Linux only. */
  readonly dieWithParent: boolean;
}

export interface Launch {
  readonly command: readonly string[];
  readonly archive?: PendingArchive;
}
