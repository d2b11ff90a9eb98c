/**
 * Whether one function, by what the catalogue says of it, can be called: as it is, never, or if its body
 * passes the guard.
 */
import { CallError } from "../common/errors.ts";
import type { FoundFunction } from "./catalogue.ts";
import { isHarmless, refusedReason } from "./functions.ts";

/** What stands allowed by name: `name`, `schema.name` or `schema.name(argument types)`. */
export type Allowed = ReadonlySet<string>;

/** Allowed names as they are compared: without spaces, in lower case unless quoted. */
export function allowedNames(names: readonly string[]): Allowed {
  return new Set(names.map(normal).filter((name) => name !== ""));
}

/** Whether an object is allowed by name. */
export function isAllowed(allowed: Allowed, schema: string, name: string, argumentTypes?: string): boolean {
  if (allowed.size === 0) return false;
  const long = `${schema}.${name}`;
  return [
    name,
    long,
    ...(argumentTypes === undefined ? [] : [`${name}(${argumentTypes})`, `${long}(${argumentTypes})`]),
  ]
    .some((each) => allowed.has(plain(each)) || allowed.has(each.replace(/\s/g, "")));
}

function normal(name: string): string {
  return name.includes('"') ? name.replaceAll('"', "").replace(/\s/g, "") : plain(name);
}

function plain(name: string): string {
  return name.replace(/\s/g, "").toLowerCase();
}

/** Settings that a function may set for itself while it runs: they change how values look and how queries are planned. */
const OWN_SETTINGS =
  /^(search_path|timezone|datestyle|intervalstyle|extra_float_digits|bytea_output|work_mem|hash_mem_multiplier|jit.*|enable_.*|.*_cost|.*_cost_limit|cursor_tuple_fraction|plan_cache_mode|row_security|default_text_search_config|lc_(monetary|numeric|time|messages)|client_min_messages|check_function_bodies|plpgsql\.(variable_conflict|extra_errors|extra_warnings|check_asserts)|pg_trgm\..*|from_collapse_limit|join_collapse_limit|geqo.*|max_parallel_workers_per_gather|parallel_.*|constraint_exclusion|temp_file_limit|xmloption|xmlbinary|array_nulls|quote_all_identifiers|synchronize_seqscans)$/;

/** `read`: its body must pass the guard. `accept`: nothing more is to be known. */
export type Verdict = "accept" | "read";

/** Throws {@linkcode CallError} `refused` when a function can't be called. `count` is how many arguments it gets, if known. */
export function judge(found: FoundFunction, allowed: Allowed, count: number | undefined): Verdict {
  if (isAllowed(allowed, found.schema, found.name, found.arguments)) return "accept";
  const called = `${found.schema}.${found.name}(${found.arguments})`;
  const byName =
    `A person who knows that it only reads can allow it: DB_ALLOW_FUNCTIONS=${found.schema}.${found.name}`;
  if (found.origin !== "user" && (found.origin === "extension" || found.language !== "plpgsql")) {
    const reason = refusedReason(found.name, count ?? found.inputs);
    if (reason !== undefined) {
      throw new CallError("refused", `Cannot call ${found.name} as ${reason.because}`, {
        hint: reason.instead ?? byName,
      });
    }
    if (found.volatility === "v" && !isHarmless(found.name)) {
      throw new CallError("refused", `Cannot call ${called} as it is volatile and not known to only read`, {
        hint: byName,
      });
    }
    return "accept";
  }
  if (found.definer) {
    throw new CallError("refused", `Cannot call ${called} as it is SECURITY DEFINER`, { hint: byName });
  }
  for (const setting of found.settings ?? []) {
    const name = setting.slice(0, setting.indexOf("=")).toLowerCase();
    if (!OWN_SETTINGS.test(name)) {
      throw new CallError("refused", `Cannot call ${called} as it sets ${name} while it runs`, {
        hint: byName,
      });
    }
  }
  if (found.kind === "a") return "accept"; // Its functions are judged each on its own.
  if (found.language !== "sql" && found.language !== "plpgsql") {
    throw new CallError(
      "refused",
      `Cannot call ${called} as it is written in ${found.language}, which can't be checked`,
      { hint: byName },
    );
  }
  return "read";
}

/** The search path that a function sets for itself; null where it runs with the caller's. */
export function ownPath(found: FoundFunction): readonly string[] | null {
  const setting = found.settings?.find((each) => each.startsWith("search_path="));
  if (setting === undefined) return null;
  const list = setting.slice("search_path=".length);
  return [...list.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)].map(([, quoted, bare]) =>
    quoted === undefined ? (bare ?? "").toLowerCase() : quoted.replaceAll('""', '"')
  ).filter((name) => name !== "");
}
