/**
 * Whether one function, by what the catalogue says of it, can be called: as it is, never, or if its body
 * passes the guard.
 */
import { CallError } from "../common/errors.ts";
import { type Allowed, allowHint, isAllowed } from "./allowed_functions.ts";
import type { FoundFunction } from "./catalogue.ts";
import { isHarmless, refusedReason } from "./functions.ts";

/** Settings that a function may set for itself while it runs: they change how values look and how queries are planned. */
const OWN_SETTINGS =
  /^(search_path|timezone|datestyle|intervalstyle|extra_float_digits|bytea_output|work_mem|hash_mem_multiplier|jit(_above_cost|_expressions|_(inline|optimize)_above_cost|_tuple_deforming)?|enable_.*|.*_cost|.*_cost_limit|cursor_tuple_fraction|plan_cache_mode|row_security|default_text_search_config|lc_(monetary|numeric|time|messages)|client_min_messages|check_function_bodies|plpgsql\.(variable_conflict|extra_errors|extra_warnings|check_asserts)|pg_trgm\..*|from_collapse_limit|join_collapse_limit|geqo.*|max_parallel_workers_per_gather|parallel_.*|constraint_exclusion|xmloption|xmlbinary|array_nulls|quote_all_identifiers|synchronize_seqscans)$/;

/** `read`: its body must pass the guard. `accept`: nothing more is to be known. */
export type Verdict = "accept" | "read";

/** Throws {@linkcode CallError} `refused` when a function can't be called. `count` is how many arguments it gets, if known. */
export function judge(found: FoundFunction, allowed: Allowed, count: number | undefined): Verdict {
  const isReviewed = found.origin !== "user" &&
    (found.origin === "extension" || found.language !== "plpgsql");
  const reason = isReviewed ? refusedReason(found.name, count ?? found.inputs) : undefined;
  if (reason !== undefined && reason.reads !== true) {
    const instead = reason.instead === undefined ? "" : `${reason.instead}. `;
    throw new CallError("refused", `Cannot call ${found.name} as ${reason.because}`, {
      hint: `${instead}No setting allows it`,
    });
  }
  const isUnknown = isReviewed && reason === undefined && found.volatility === "v" && !isHarmless(found.name);
  // PostgreSQL may bring one of tomorrow under the name of a function that somebody allowed without its schema.
  const needsSchema = isUnknown && found.origin === "builtin";
  if (isAllowed(allowed, found.schema, found.name, found.arguments, { needsSchema })) return "accept";
  const called = `${found.schema}.${found.name}(${found.arguments})`;
  if (count === undefined && found.origin === "builtin" && found.name === "current_setting") {
    // An operator, a cast or an aggregate calls it: with a name that is not in the text.
    throw new CallError(
      "refused",
      "Cannot call current_setting with a computed name as the setting could hold a secret",
    );
  }
  const allow = allowHint(found.schema, found.name, found.arguments);
  if (isReviewed) {
    if (reason !== undefined) {
      throw new CallError("refused", `Cannot call ${found.name} as ${reason.because}`, {
        hint: reason.instead ?? allow,
      });
    }
    if (isUnknown) {
      throw new CallError("refused", `Cannot call ${called} as it is volatile and not known to only read`, {
        hint: allow,
      });
    }
    return "accept";
  }
  if (found.definer) {
    throw new CallError("refused", `Cannot call ${called} as it is SECURITY DEFINER`, { hint: allow });
  }
  for (const setting of found.settings ?? []) {
    const name = setting.slice(0, setting.indexOf("=")).toLowerCase();
    if (!OWN_SETTINGS.test(name)) {
      throw new CallError("refused", `Cannot call ${called} as it sets ${name} while it runs`, {
        hint: allow,
      });
    }
  }
  if (found.makesRange) return "accept";
  if (found.kind === "a") return "accept"; // Its functions are judged each on its own.
  if (found.language !== "sql" && found.language !== "plpgsql") {
    throw new CallError(
      "refused",
      `Cannot call ${called} as it is written in ${found.language}, which can't be checked`,
      { hint: allow },
    );
  }
  return "read";
}

/** The search path that a function sets for itself; null where it runs with the caller's. Throws where it can't be read. */
export function ownPath(found: FoundFunction): readonly string[] | null {
  const setting = found.settings?.find((each) => each.startsWith("search_path="));
  return setting === undefined ? null : readPathSetting(setting.slice("search_path=".length), found);
}

/** One name of a path, and what divides it from the next (SplitIdentifierString in varlena.c). */
const PATH_NAME = /[ \t\n\r\f]*(?:"((?:[^"]|"")+)"|([A-Za-z0-9_$]+))[ \t\n\r\f]*(?:,|$)/y;

function readPathSetting(list: string, found: FoundFunction): string[] {
  if (list.trim() === "" || list === '""') return [];
  const names: string[] = [];
  const { length } = list;
  for (let at = 0; at < length; at = PATH_NAME.lastIndex) {
    PATH_NAME.lastIndex = at;
    const [, quoted, bare = ""] = PATH_NAME.exec(list) ?? [];
    const name = quoted?.replaceAll('""', '"') ?? bare.toLowerCase();
    // PostgreSQL folds and cuts a name by its own encoding.
    const bytes = new TextEncoder().encode(name).length;
    if (name === "" || bytes !== name.length && bytes >= 60) {
      throw new CallError(
        "refused",
        `Cannot call ${found.schema}.${found.name} as its search_path can be read in more than one way`,
      );
    }
    names.push(name.slice(0, 63));
  }
  return names;
}
