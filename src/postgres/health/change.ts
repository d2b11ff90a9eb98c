/** How a setting of the server is changed, which depends on where its value comes from. */
import type { Transaction } from "../database.ts";

/** A setting as the session has it. */
export interface Setting {
  readonly value: string;
  readonly pendingRestart: boolean;
  /** What changes it to `value`; nothing where it has that. */
  to(value: string): Change;
}

/** Statements for a person, or why there are none. */
export interface Change {
  readonly statements: readonly string[];
  readonly caution?: string;
}

const settingsSql = `
select name, setting, source, pending_restart, quote_ident(session_user) as role,
  quote_ident(current_database()) as database, current_setting('allow_alter_system', true) as allowed
from pg_catalog.pg_settings where name = any(string_to_array($1, ',')) or pending_restart`;

/** The settings of these names, and those that wait for a restart. */
export async function readSettings(
  transaction: Transaction,
  names: readonly string[],
): Promise<ReadonlyMap<string, Setting>> {
  const rows = await transaction.query(settingsSql, [names.join(",")]);
  return new Map(rows.map((row) => {
    const name = row.name ?? "";
    return [name, {
      value: row.setting ?? "",
      pendingRestart: row.pending_restart === "t",
      to: (value) => value === row.setting ? { statements: [] } : change(name, value, row),
    }];
  }));
}

type Row = Awaited<ReturnType<Transaction["query"]>>[number];

function change(name: string, value: string, { source, role, database, allowed }: Row): Change {
  // What is set nearer to the session comes before the configuration, which is all that ALTER SYSTEM writes.
  const owner: Readonly<Record<string, string>> = {
    global: "ROLE ALL",
    database: `DATABASE ${database}`,
    user: `ROLE ${role}`,
    "database user": `ROLE ${role} IN DATABASE ${database}`,
  };
  const from = source ?? "";
  if (Object.hasOwn(owner, from)) return { statements: [`ALTER ${owner[from]} SET ${name} = ${value};`] };
  if (from === "command line") {
    return {
      statements: [],
      caution:
        `${name} is set on the server's command line, which ALTER SYSTEM does not override: change it there and restart`,
    };
  }
  if (!["default", "environment variable", "configuration file"].includes(from)) {
    return {
      statements: [],
      caution: `the source of ${name} is "${from}", which ALTER SYSTEM does not override`,
    };
  }
  return allowed === "off"
    ? {
      statements: [],
      caution:
        `this server does not allow ALTER SYSTEM: set ${name} in its configuration, and have that read again`,
    }
    : { statements: [`ALTER SYSTEM SET ${name} = ${value};`, "SELECT pg_reload_conf();"] };
}
