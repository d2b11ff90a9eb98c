/**
 * The database's own secrets: columns that hold password hashes, connection strings or options with
 * passwords, and columns that may hold them in the text of a query or a setting.
 *
 * A text that reads such a relation may not mention the column, in whatever way: by name, by `*`, as a whole
 * row, under another name, in a join. Some columns are only refused while something secret is in them, which
 * a probe in the same transaction finds out; pg_stat_activity is one snapshot for a whole transaction
 * (the manual, "The Cumulative Statistics System").
 */
import { CallError } from "../common/errors.ts";
import type { Catalogue, Found, FoundRelation } from "./catalogue.ts";
import { quoteIdentifier } from "./identifier.ts";
import type { References, RelationReference } from "./references.ts";

/**
 * A text with a password or a token in it, as a regular expression of PostgreSQL (`~*`), which takes linear time
 * without back references: a literal given to a keyword or a column of such a name, also behind a comment, or to a
 * function of pgcrypto; a conninfo string; a URL with credentials; a header; what is a secret by its own shape.
 */
const SECRET_TEXT = String
  .raw`(passw(or)?d|passphrase|secret|token|api_?key|credential)\w*['"]?\s*(=|:=|=>|:|\sto\s|\s)\s*(E|U&)?(['"]+[^'"]|\$[^\d])` +
  String.raw`|(passw(or)?d|passphrase|passfile|secret|token|api_?key)=[^\s'"$(]` +
  String.raw`|passw(or)?d\s+(E|U&)?'|identified\s+by\s` +
  String
    .raw`|(passw(or)?d|passphrase|secret|token|api_?key|credential)\w*['"]?\s+(not\s+)?in\s*\([^()]*['$]` +
  String
    .raw`|\([^()]*(passw(or)?d|passphrase|secret|token|api_?key|credential)[^()]*\)\s*values\s*\([^()]*['$]` +
  String.raw`|://[^/\s:@]*:[^/\s@]+@` +
  String
    .raw`|(passw(or)?d|passphrase|secret|token|api_?key|credential)\w*['"]?\s*(=|:=|=>|:|\sto)?\s*(/\*|--)` +
  String.raw`|\m(crypt|hmac|pgp_\w+|encrypt\w*|decrypt\w*)"?\s*\([^;]*('|\$[^\d])` +
  String.raw`|\mauthorization['"]?\s*[:=]|\mbearer\s+['"]?[-\w.~+/]{8,}` +
  String.raw`|\m(akia|asia)[0-9a-z]{16}\M|\maiza[-\w]{35}|-----begin [a-z0-9 ]*private key` +
  String.raw`|\m(gh[opusr]_|github_pat_|glpat-|npm_|sk_live_|rk_live_|xox[abeoprs]-)[-\w]{16}` +
  String.raw`|\meyj[-\w]{5,}\.[-\w]+\.|scram-sha-256\$|\mmd5[0-9a-f]{32}\M`;

/** Names of settings that hold a secret by what they are called. */
const SECRET_SETTING = /passw(or)?d|passphrase|secret|token|api_?key|credential/;
/** … and those that are called so and hold none. */
const PLAIN_SETTING =
  /^(password_encryption|ssl_passphrase_command_supports_reload|passwordcheck\..*|auth_delay\..*|.*token_(ttl|limit|count)|oauth_validator_libraries)$/;

interface Guarded {
  /** Columns that hold the secret. */
  readonly columns: readonly string[];
  /** A query of one boolean `found`: whether something secret is in them now; `$1` is `SECRET_TEXT`. */
  readonly probe?: string;
  /** Who shows the column all the same, what is secret in it masked. */
  readonly instead?: string;
}

const OPTIONS = "(passw(or)?d|secret|token|api_?key|credential|://[^/]*:[^/]*@)";
const SETTINGS_PROBE = `select exists (select from pg_catalog.pg_settings
  where setting ~* $1 or reset_val ~* $1 or (name ~* 'passphrase_command$' and setting <> '')) as found`;
const ROLE_SETTINGS_PROBE = `select exists (select from pg_catalog.pg_db_role_setting, unnest(setconfig) as s
  where s ~* $1 or split_part(s, '=', 1) ~* '(passw(or)?d|passphrase|secret|token|api_?key|credential)'
    and split_part(s, '=', 1) <> 'password_encryption') as found`;
const SERVER_PROBE = `select exists (select from (
    select unnest(srvoptions) as o from pg_catalog.pg_foreign_server
    union all select unnest(ftoptions) from pg_catalog.pg_foreign_table
    union all select unnest(fdwoptions) from pg_catalog.pg_foreign_data_wrapper) x
  where o ~* $1 or split_part(o, '=', 1) ~* '${OPTIONS}' and split_part(o, '=', 1) <> 'password_required') as found`;
const STATISTICS_PROBE = `select exists (select from pg_catalog.pg_stats where schemaname = 'pg_catalog'
  and (tablename, attname) in (('pg_authid', 'rolpassword'), ('pg_subscription', 'subconninfo'), ('pg_user_mapping', 'umoptions'),
    ('pg_foreign_server', 'srvoptions'), ('pg_db_role_setting', 'setconfig')) and coalesce(most_common_vals::text, histogram_bounds::text, most_common_elems::text) is not null and $1 <> '') as found`;

const GUARDED: ReadonlyMap<string, Guarded | readonly Guarded[]> = new Map<
  string,
  Guarded | readonly Guarded[]
>([
  ["pg_catalog.pg_authid", { columns: ["rolpassword"] }],
  ["pg_catalog.pg_shadow", [{ columns: ["passwd"] }, { columns: ["useconfig"], probe: ROLE_SETTINGS_PROBE }]],
  ["pg_catalog.pg_user_mapping", { columns: ["umoptions"] }],
  ["pg_catalog.pg_user_mappings", { columns: ["umoptions"] }],
  ["information_schema.user_mapping_options", { columns: ["option_value"] }],
  ["information_schema._pg_user_mappings", { columns: ["umoptions"] }],
  ["pg_catalog.pg_subscription", { columns: ["subconninfo"] }],
  ["pg_catalog.pg_hba_file_rules", { columns: ["options"] }],
  ["pg_catalog.pg_file_settings", { columns: ["setting"] }],
  ["pg_catalog.pg_stat_activity", {
    columns: ["query"],
    probe:
      "select exists (select from pg_catalog.pg_stat_activity where pid <> pg_backend_pid() and query ~* $1) as found",
    instead: "database_health shows what long and blocking sessions run, masked. ",
  }],
  ["pg_stat_monitor", {
    columns: ["query"],
    probe: "select exists (select from %relation% where query ~* $1) as found",
  }],
  ["pg_stat_statements", {
    columns: ["query"],
    probe: "select exists (select from %relation% where query ~* $1) as found",
    instead: "top_queries shows the statements, masked, each with its queryid. ",
  }],
  ["pg_catalog.pg_settings", { columns: ["setting", "boot_val", "reset_val"], probe: SETTINGS_PROBE }],
  ["pg_catalog.pg_db_role_setting", { columns: ["setconfig"], probe: ROLE_SETTINGS_PROBE }],
  ["pg_catalog.pg_roles", { columns: ["rolconfig"], probe: ROLE_SETTINGS_PROBE }],
  ["pg_catalog.pg_user", { columns: ["useconfig"], probe: ROLE_SETTINGS_PROBE }],
  ["pg_catalog.pg_foreign_server", { columns: ["srvoptions"], probe: SERVER_PROBE }],
  ["pg_catalog.pg_foreign_table", { columns: ["ftoptions"], probe: SERVER_PROBE }],
  ["pg_catalog.pg_foreign_data_wrapper", { columns: ["fdwoptions"], probe: SERVER_PROBE }],
  ["information_schema.foreign_server_options", { columns: ["option_value"], probe: SERVER_PROBE }],
  ["information_schema.foreign_table_options", { columns: ["option_value"], probe: SERVER_PROBE }],
  ["information_schema.foreign_data_wrapper_options", { columns: ["option_value"], probe: SERVER_PROBE }],
  ["information_schema._pg_foreign_servers", { columns: ["srvoptions"], probe: SERVER_PROBE }],
  ["information_schema._pg_foreign_tables", { columns: ["ftoptions"], probe: SERVER_PROBE }],
  ["information_schema._pg_foreign_data_wrappers", { columns: ["fdwoptions"], probe: SERVER_PROBE }],
  ["pg_catalog.pg_stats", {
    columns: ["most_common_vals", "histogram_bounds", "most_common_elems"],
    probe: STATISTICS_PROBE,
  }],
  ["pg_catalog.pg_statistic", {
    columns: ["stavalues1", "stavalues2", "stavalues3", "stavalues4", "stavalues5"],
    probe: STATISTICS_PROBE,
  }],
]);

/** Columns that every table has, and nobody asks for (the manual, "System Columns"). */
const SYSTEM_COLUMNS = new Set(["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]);

/** Refuses a text that reads a secret. Throws {@linkcode CallError} `refused`. */
export async function refuseSecrets(
  references: References,
  { relations, operators }: Pick<Found, "relations" | "operators">,
  catalogue: Catalogue,
): Promise<void> {
  // One of a user's own may let every table pass for the one that is named.
  const equal = !operators.some(({ name, builtinOperands }) => name === "=" && builtinOperands > 0);

  for (const relation of relations) {
    const reference = references.relations[relation.index - 1];
    if (relation.schema === "pg_toast" && relation.origin === "builtin") {
      throw new CallError(
        "refused",
        `Cannot read ${relation.schema}.${relation.name} as it holds long values of the database's own catalogues`,
        { hint: "Ask for the columns of the catalogue itself" },
      );
    }
    if (relation.origin === "user" || relation.child || reference === undefined) continue;
    const key = relation.origin === "extension" ? relation.name : `${relation.schema}.${relation.name}`;
    for (const guarded of [GUARDED.get(key) ?? []].flat()) {
      if (guarded.probe === STATISTICS_PROBE && equal && isOfOtherTables(reference)) continue;
      const column = mentioned(guarded.columns, relation, reference, references);
      if (column === undefined) continue;
      if (guarded.probe !== undefined && !await probe(guarded.probe, relation, catalogue)) continue;
      const others = (relation.columns ?? []).filter((name) =>
        !guarded.columns.includes(name) && !SYSTEM_COLUMNS.has(name)
      );
      throw new CallError(
        "refused",
        `Cannot read ${relation.name}.${column} as it ${
          guarded.probe === undefined ? "holds" : "now holds"
        } secrets of the database`,
        {
          hint: (guarded.probe === STATISTICS_PROBE
            ? "Ask for the statistics of one table: … from pg_stats where tablename = 'name' and …; in inner joins s.tablename = 'name'. "
            : guarded.instead ?? "") +
            `These columns of ${relation.name} can be asked for by name, without * or the whole row: ${
              others.join(", ")
            }`,
        },
      );
    }
  }
  await refuseSettings(references.settings, catalogue);
}

/** Statistics of tables that are named and none of PostgreSQL's own, which hold its secrets. */
function isOfOtherTables({ statisticsOf }: RelationReference): boolean {
  return statisticsOf?.every((table) => !table.startsWith("pg_")) === true;
}

/** The guarded column that a text may read of a relation; undefined if none. */
function mentioned(
  guarded: readonly string[],
  relation: FoundRelation,
  reference: RelationReference,
  references: References,
): string | undefined {
  const first = guarded[0];
  if (reference.whole || reference.renamed) return first;
  const names = new Set([reference.alias, ...references.joinAliases]);
  const qualifies = (name: string | undefined) =>
    name !== undefined && (names.has(name) || name === relation.name);
  for (const { fields, star } of references.columns) {
    const last = fields.at(-1);
    if (last === undefined) continue;
    const qualifier = fields.at(-2);
    if (star) {
      if (qualifies(last)) return first;
      continue;
    }
    if (qualifier === undefined) {
      if (guarded.includes(last)) return last;
      if (names.has(last)) return first;
      continue;
    }
    if (qualifies(qualifier)) {
      if (guarded.includes(last)) return last;
      // Not a column: x.f calls f on the whole row. Under a join's name other columns are possible.
      const known = relation.columns?.includes(last) === true;
      if (!known && (qualifier === reference.alias || qualifier === relation.name)) return first;
    }
    // schema.relation is the whole row, too.
    if (last === relation.name && qualifier === relation.schema) return first;
  }
  return undefined;
}

async function probe(sql: string, relation: FoundRelation, catalogue: Catalogue): Promise<boolean> {
  const name = [relation.schema, relation.name].map(quoteIdentifier).join(".");
  const [row] = await catalogue.query(sql.replace("%relation%", name), [SECRET_TEXT]);
  return truth(row?.["found"]);
}

async function refuseSettings(settings: References["settings"], catalogue: Catalogue): Promise<void> {
  if (settings.length === 0) return;
  for (const name of settings) {
    if (name !== undefined && SECRET_SETTING.test(name) && !PLAIN_SETTING.test(name)) {
      throw new CallError("refused", `Cannot show the setting ${name} as by its name it holds a secret`);
    }
  }
  if (settings.includes(undefined)) {
    // The custom settings of a session (app.jwt_secret) are listed nowhere: they can't be probed.
    throw new CallError(
      "refused",
      "Cannot call current_setting with a computed name as the setting could hold a secret",
      {
        hint: "Name the setting as a literal, current_setting('work_mem'), or read the view pg_settings",
      },
    );
  }
  const all = settings.includes("all");
  const names = settings.filter((name) => name !== "all");
  const [row] = all ? await catalogue.query(SETTINGS_PROBE, [SECRET_TEXT]) : await catalogue.query(
    `select exists (
      select from pg_catalog.pg_settings where lower(name) in (select jsonb_array_elements_text(($2::text)::jsonb)) and setting ~* $1
      union all
      select from jsonb_array_elements_text(($2::text)::jsonb) as s(name)
      where name like '%.%' and current_setting(name, true) ~* $1) as found`,
    [SECRET_TEXT, JSON.stringify(names)],
  );
  if (truth(row?.["found"])) {
    throw new CallError(
      "refused",
      `Cannot show ${all ? "every setting" : names.join(", ")} as a password is in ${
        all ? "one of them" : "it"
      }`,
      {
        hint: "Ask for one setting by name: SHOW name, or current_setting('name')",
      },
    );
  }
}

/** PostgreSQL's text format or a client's own idea of a boolean. */
function truth(value: unknown): boolean {
  return value !== "f" && value !== "false" && value !== false;
}
