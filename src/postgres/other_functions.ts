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
};

/** For PostgreSQL's `function ifnull(text, unknown) does not exist`. */
export function functionHint(message: string): string | undefined {
  const [, name = "", types = ""] = /^function (\w+)\(([^]*)\) does not exist$/.exec(message) ?? [];
  const two = types.includes(", ");
  const found = name === "isnull"
    ? (two ? coalesce : "value IS NULL")
    : Object.hasOwn(equivalents, name)
    ? equivalents[name]
    : undefined;
  return found && `PostgreSQL has ${found}`;
}
