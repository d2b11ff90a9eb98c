/** npm:postgres for the log-in (SCRAM, MD5), on a socket that it believes to be real. */
import { EventEmitter } from "node:events";
import postgres from "postgres";
import type { ConnectionIdentity } from "./database_errors.ts";

/** What npm:postgres uses of a socket. */
export class Wire extends EventEmitter {
  readonly readyState = "open";
  readonly write: (bytes: Uint8Array) => boolean;
  readonly destroy: () => void;
  readonly end: () => void;

  constructor(write: (bytes: Uint8Array) => void, destroy: () => void) {
    super();
    this.write = (bytes) => {
      write(bytes);
      return true;
    };
    this.destroy = destroy;
    this.end = destroy;
  }
}

/**
 * npm:postgres for one connection over our own socket. An object with `shared` is what its own option parser
 * returns (3.4.9, src/index.js): given as such, no `PG*` variable and no default of its own has a say. Without
 * parsers and serializers, text stays the text it is.
 */
export function client(wire: Wire, identity: ConnectionIdentity, password: () => string): postgres.Sql {
  const options = {
    host: [identity.address.host],
    port: [identity.address.port],
    path: false,
    database: identity.database,
    user: identity.user,
    pass: password,
    max: 1,
    ssl: false,
    sslnegotiation: null,
    idle_timeout: null,
    connect_timeout: null,
    max_lifetime: null,
    max_pipeline: 100,
    backoff: 0,
    keep_alive: null,
    prepare: false,
    // Not what it sounds like: without it, each failed statement's text is kept in memory for good.
    debug: true,
    fetch_types: false,
    publications: "",
    target_session_attrs: null,
    connection: { application_name: "postgres-mcp" },
    types: {},
    parsers: {},
    serializers: {},
    onnotice: () => {},
    onparameter: () => {},
    socket: () => wire,
    transform: { undefined: undefined, column: {}, value: {}, row: {} },
    parameters: {},
    shared: { retries: 0, typeArrayMap: {} },
    no_subscribe: true,
  };
  // Its types describe what a user writes, not what its parser returns.
  return postgres(options as unknown as postgres.Options<Record<never, never>>);
}
