/** What to write for a name that is no column, or no table of FROM. */
import { parseStatements, tokens } from "./parser.ts";
import { selectAlias } from "./select_alias.ts";
import { parameters } from "./unparsed_dialects.ts";

const variables: Readonly<Record<string, string>> = {
  sysdate: "PostgreSQL has now() and current_date",
  getdate: "PostgreSQL has now()",
  rownum: "PostgreSQL has LIMIT n at the end, and row_number() OVER ()",
};

const types: Readonly<Record<string, string>> = {
  varchar: "text",
  nvarchar: "text",
  char: "text",
  int: "int",
  bigint: "bigint",
  decimal: "numeric",
  float: "float8",
  date: "date",
  datetime: "timestamp",
  signed: "bigint",
  unsigned: "bigint",
};

const inDays = "b::date - a::date, in days";
const aged = "age(b, a), an interval";
const timed = "b::timestamp - a::timestamp, an interval";

const differences: Readonly<Record<string, string>> = {
  day: inDays,
  dd: inDays,
  week: inDays,
  month: aged,
  mm: aged,
  quarter: aged,
  year: aged,
  yy: aged,
  yyyy: aged,
  hour: timed,
  hh: timed,
  minute: timed,
  mi: timed,
  second: timed,
  ss: timed,
};

/** For a column that does not exist and nothing like it. `before`: the statement up to its name. */
export function columnHint(name: string, before: string): string | undefined {
  if (Object.hasOwn(variables, name)) return variables[name];
  if (name === "version" && before.endsWith("@@")) return "PostgreSQL has version()";
  if (/(?:^|[^-+*/<>=~!@#%^&|`?]|[\s\w"')](?:[<>!]?=|<>|>))@$/.test(before)) return parameters;
  if (/\bdatediff\s*\(\s*$/i.test(before) && Object.hasOwn(differences, name)) {
    return `PostgreSQL has ${differences[name]}`;
  }
  if (
    /\bdatepart\s*\(\s*$/i.test(before) && /^(?:year|quarter|month|week|day|hour|minute|second)$/.test(name)
  ) {
    return `PostgreSQL has extract(${name} FROM time)`;
  }
  if (/\bdateadd\s*\(\s*$/i.test(before)) {
    const unit = /^(?:day|week|month|year|hour|minute|second)$/.test(name) ? name : "day";
    return `PostgreSQL has time + n * interval '1 ${unit}'`;
  }
  if (/\bconvert\s*\((?:[^()]*,)?\s*$/i.test(before) && Object.hasOwn(types, name)) {
    return `PostgreSQL has value::${types[name]}`;
  }
  return undefined;
}

/** Where it is an alias of the SELECT list. */
export function aliasHint(name: string, sql: string, before: string): string | undefined {
  return attempt(() => selectAlias(parseStatements(sql), name, new TextEncoder().encode(before).length));
}

/**
 * PostgreSQL's own hint for a column, its names written as SQL: `products."displayName"`. The server gives both names
 * between one pair of quotes, which is a column of that long name.
 */
export function referenceHint(message: string, hint: string): string | undefined {
  const meant = [...hint.matchAll(/column "([^".]+)\.([^".]+)"/g)];
  if (meant.length === 0 || !hint.startsWith("Perhaps you meant to reference the column ")) return undefined;
  const names = meant.map(([, table = "", column = ""]) => `${quoted(table)}.${quoted(column)}`);
  const sent = /^column (?:"([^]+)"|([^"]+)) does not exist$/.exec(message);
  const [, table = "", column = ""] = meant[0] ?? [];
  if (meant.length === 1 && sent?.[1] === `${table}.${column}`) {
    return `write ${names[0]}, without quotes around both`;
  }
  const last = sent?.[1] ?? sent?.[2]?.split(".").at(-1);
  if (meant.length === 1 && last?.toLowerCase() === column.toLowerCase() && last !== column) {
    return `write ${names[0]}`;
  }
  return `Perhaps you meant to reference the column ${
    names.join(" or ")
  }; look at the table's columns with describe_table`;
}

function quoted(name: string): string {
  if (/^[a-z_][a-z0-9_]*$/.test(name) && attempt(() => tokens(name)[0]?.text) === name && !isReserved(name)) {
    return name;
  }
  return `"${name}"`;
}

function isReserved(name: string): boolean {
  return attempt(() => parseStatements(`select 1 from a as ${name} where ${name}.b`)) === undefined;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
