/** Which PostgreSQL server postgres-mcp talks to, and what one call may cost: the `DB_*` variables or `DATABASE_URL`. */
import type { Environment, Secret } from "../common/env.ts";
import { StartError } from "../common/errors.ts";
import { requireAllowable } from "./allowed_functions.ts";
import { readCertificates } from "./certificate_chain.ts";
import { parseConnectionUri } from "./connection_uri.ts";

/** libpq's sslmodes that postgres-mcp knows: https://www.postgresql.org/docs/current/libpq-ssl.html */
export const sslModes = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof sslModes)[number];

/** libpq's target_session_attrs: https://www.postgresql.org/docs/current/libpq-connect.html */
export const sessionAttributes = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
] as const;
export type SessionAttributes = (typeof sessionAttributes)[number];

/** One server, or the folder of its Unix socket when `host` begins with a slash. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** How to reach the database. */
export interface DatabaseSettings {
  readonly hosts: readonly ServerAddress[];
  readonly database: string;
  readonly user: string;
  /** Asked again for each connection, so that a rotated file is picked up. */
  readonly password: Secret;
  readonly sslMode: SslMode;
  /** PEM text of the certificate authorities to trust. */
  readonly sslRootCert: string | undefined;
  readonly targetSessionAttrs: SessionAttributes;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  /** The most rows one call may ask for, and the number it gets when it asks for none. */
  readonly maxRows: number;
  /** Functions and foreign tables that are allowed by name: `name`, `schema.name` or `schema.name(types)`. */
  readonly allowFunctions: readonly string[];
}

const separateVariables = [
  "DB_HOST",
  "DB_PORT",
  "DB_NAME",
  "DB_USER",
  "DB_PASSWORD",
  "DB_PASSWORD_FILE",
] as const;

/** Reads the settings. Throws {@linkcode StartError} for a variable that is set but wrong. */
export function readDatabaseSettings(environment: Environment): DatabaseSettings {
  const url = environment.secret("DATABASE_URL");
  const common = {
    poolSize: environment.integer("DB_POOL_SIZE", { fallback: 4, min: 1, max: 100 }),
    statementTimeoutMs: environment.integer("STATEMENT_TIMEOUT_MS", {
      fallback: 30_000,
      min: 1,
      max: 3_600_000,
    }),
    maxRows: environment.integer("MAX_ROWS", { fallback: 200, min: 1, max: 100_000 }),
    allowFunctions: environment.list("DB_ALLOW_FUNCTIONS"),
  };
  requireAllowable(common.allowFunctions);
  const sslMode = environment.choice("DB_SSLMODE", sslModes, "prefer");
  const sslRootCert = environment.file("DB_SSLROOTCERT");
  if (sslRootCert !== undefined && readCertificates(sslRootCert) === undefined) {
    throw new StartError("DB_SSLROOTCERT names a file without a certificate in PEM form");
  }

  const uri = url();
  if (uri !== undefined) {
    const others = separateVariables.filter((name) => environment.text(name) !== undefined).join(", ");
    if (others !== "") {
      throw new StartError(`DATABASE_URL is set beside ${others}: unset it, or what stands beside it`);
    }
    const parsed = parseConnectionUri(uri);
    if (parsed.sslRootCertPath !== undefined) {
      throw new StartError("DATABASE_URL names sslrootcert: name that file in DB_SSLROOTCERT instead");
    }
    const user = parsed.user ?? "postgres";
    return {
      ...common,
      hosts: parsed.hosts,
      database: parsed.database ?? user,
      user,
      // The whole URL may come from a file that is rotated.
      password: () => {
        const current = url();
        return current === undefined ? undefined : parseConnectionUri(current).password;
      },
      sslMode: parsed.sslMode ?? sslMode,
      sslRootCert,
      targetSessionAttrs: parsed.targetSessionAttrs ?? "any",
    };
  }
  return {
    ...common,
    hosts: [{
      host: hostName(environment),
      port: environment.integer("DB_PORT", { fallback: 5432, min: 1, max: 65_535 }),
    }],
    database: trimmed(environment, "DB_NAME") ?? "tododb",
    user: trimmed(environment, "DB_USER") ?? "postgres",
    password: environment.secret("DB_PASSWORD"),
    sslMode,
    sslRootCert,
    targetSessionAttrs: "any",
  };
}

/** A name that is not edged by blanks, which come from pasting and can't be seen in an error. */
function trimmed(environment: Environment, name: string): string | undefined {
  const value = environment.text(name);
  if (value !== undefined && value !== value.trim()) {
    throw new StartError(`${name} begins or ends with a blank`);
  }
  return value;
}

/** A host's name or address, or a socket's folder; a URL would be repeated in messages, with its password. */
function hostName(environment: Environment): string {
  const host = trimmed(environment, "DB_HOST") ?? "localhost";
  // An IPv6 address has two colons at least; one stands before a port.
  const isAddress = /^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[\w.-]+)?$/.test(host);
  if (host.startsWith("/") || isAddress || /^[\p{L}\p{N}_.-]+$/u.test(host)) return host;
  throw new StartError(
    "DB_HOST must be the name or the address of a host, without a port: the port goes into DB_PORT, a URL into DATABASE_URL",
  );
}
