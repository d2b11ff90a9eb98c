/** What PostgreSQL has for functions of other databases. */

const coalesce = "coalesce(a, b)";
const when = "CASE WHEN … THEN … ELSE … END";
const strpos = "strpos(text, part)";
const joined = "string_agg(value, ', ')";
const formatted = "to_char(time, 'YYYY-MM-DD')";

const equivalents: Readonly<Record<string, string>> = {
  ifnull: coalesce,
  nvl: coalesce,
  if: when,
  iif: when,
  nvl2: when,
  group_concat: joined,
  listagg: joined,
  len: "length(text)",
  ucase: "upper(text)",
  lcase: "lower(text)",
  instr: strpos,
  charindex: strpos,
  locate: strpos,
  substring_index: "split_part(text, delimiter, n)",
  rand: "random()",
  getdate: "now()",
  sysdate: "now()",
  curdate: "current_date",
  curtime: "current_time",
  date_format: formatted,
  strftime: formatted,
  str_to_date: "to_date(text, 'YYYY-MM-DD') or to_timestamp(…)",
  datediff: "a::date - b::date, in days",
  date_add: "time + interval '1 day'",
  dateadd: "time + interval '1 day'",
  date_sub: "time - interval '1 day'",
  year: "extract(year FROM time)",
  month: "extract(month FROM time)",
  day: "extract(day FROM time)",
  hour: "extract(hour FROM time)",
  from_unixtime: "to_timestamp(seconds)",
  unix_timestamp: "extract(epoch FROM time)",
  json_extract: "value -> 'key', or value #> '{a,b}'",
  database: "current_database()",
  median: "percentile_cont(0.5) WITHIN GROUP (ORDER BY value)",
  countif: "count(*) FILTER (WHERE condition)",
  count_if: "count(*) FILTER (WHERE condition)",
  top: "LIMIT n, at the end",
  nvarchar: "value::varchar(n)",
};

/** Of PostgreSQL's `function ifnull(text, unknown) does not exist`: its name, and its arguments' types. */
export function missingFunction(
  message: string,
): { readonly name: string; readonly types: readonly string[] } | undefined {
  const [, name, types = ""] = /^function (\w+)\(([^]*)\) does not exist$/.exec(message) ?? [];
  return name === undefined ? undefined : { name, types: types === "" ? [] : types.split(", ") };
}

/** What PostgreSQL has in place of a function that it does not have. */
export function functionHint(message: string): string | undefined {
  const { name = "", types = [] } = missingFunction(message) ?? {};
  if (name === "last_insert_id") return "only statements that read can run here: nothing was inserted";
  const found = byTypes(name, types) ?? (Object.hasOwn(equivalents, name) ? equivalents[name] : undefined);
  return found && `PostgreSQL has ${found}`;
}

/** Functions that PostgreSQL may have as well, for other arguments. */
function byTypes(name: string, types: readonly string[]): string | undefined {
  const [first = ""] = types;
  const count = types.length;
  switch (name) {
    case "isnull":
      return count > 1 ? coalesce : "value IS NULL";
    case "datediff":
      return count === 3 ? "b::date - a::date, in days" : undefined;
    case "decode":
      return count > 2 ? when : undefined;
    case "trunc":
      return /^(?:date|timestamp)/.test(first) ? "date_trunc('day', time)" : undefined;
    case "max":
      return count > 1 ? "greatest(a, b)" : undefined;
    case "min":
      return count > 1 ? "least(a, b)" : undefined;
    case "sum":
      return count === 1 && first === "boolean" ? "count(*) FILTER (WHERE condition)" : undefined;
    default:
      return undefined;
  }
}
