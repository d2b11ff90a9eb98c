/**
 * Statements made by a grammar, and mutations of the corpus: the same ones for the same seed. The grammar knows the
 * server's functions and the fixture's names, and mixes what reads with what writes.
 */
import { ALLOWED } from "./allow.ts";
import { SEEN_INSIDE, SEEN_OUTSIDE, UNSEEN } from "./hostile.ts";
import { REFUSED_BY_CATALOGUE, REFUSED_BY_PARSE } from "./refuse.ts";
import { ANY_LITERALS, literalsOf } from "./typed_literals.ts";

/** A function of the server: its name as SQL writes it, and the types of its arguments. */
export interface KnownFunction {
  readonly name: string;
  readonly arguments: readonly string[];
  /** pg_proc.prokind */
  readonly kind: string;
}

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** `count` statements. */
export function* generate(
  seed: number,
  count: number,
  functions: readonly KnownFunction[],
): Generator<string> {
  const random = randomFrom(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  };
  const chance = (part: number) => random() < part;
  const corpus = [
    ...ALLOWED,
    ...REFUSED_BY_CATALOGUE,
    ...REFUSED_BY_PARSE,
    ...SEEN_INSIDE,
    ...SEEN_OUTSIDE,
    ...Object.keys(UNSEEN),
  ];
  const grammar = new Grammar(pick, chance, functions);
  for (let made = 0; made < count; made++) {
    if (chance(0.35)) yield grammar.plainCall();
    else yield chance(0.55) ? grammar.statement() : mutate(pick, chance, corpus);
  }
}

type Pick = <Item>(items: readonly Item[]) => Item;
type Chance = (part: number) => boolean;

const tables = [
  "users",
  "todos",
  "pg_class",
  "pg_authid",
  "pg_stat_activity",
  "pg_settings",
  "public.users",
  "missing",
];
const columns = ["id", "name", "u.id", "u.name", "u.*", "u", "rolpassword", "query", "oid"];
const literals = [
  "1",
  "'x'",
  "null",
  "true",
  "1.5",
  "'{1,2}'::int[]",
  `'{"a":1}'::jsonb`,
  "'users'::regclass",
  "now()",
  "'1 day'::interval",
  "'\\x00'::bytea",
  "'watched/file.txt'",
  "'select 1'",
  "array[1, 2]",
  "row(1, 'a')",
  "0",
  "-1",
];
const writes = [
  "delete from users",
  "insert into users (name) values ('x')",
  "update users set name = 'x'",
  "truncate users",
  "drop table users",
  "commit",
  "set role none",
  "copy users to program 'true'",
  "do $$ begin delete from users; end $$",
  "lock users",
  "notify x",
  "vacuum",
  "create table t ()",
  "select 1 into t",
  "merge into users u using todos t on u.id = t.id when matched then delete",
];

class Grammar {
  readonly #pick: Pick;
  readonly #chance: Chance;
  readonly #functions: readonly KnownFunction[];

  constructor(pick: Pick, chance: Chance, functions: readonly KnownFunction[]) {
    this.#pick = pick;
    this.#chance = chance;
    this.#functions = functions;
  }

  statement(): string {
    const chance = this.#chance;
    const select = this.#select(3);
    if (chance(0.05)) return this.#pick(writes);
    if (chance(0.05)) return `${select}; ${this.#pick(writes)}`;
    if (chance(0.05)) {
      return `explain ${this.#pick(["", "analyze ", "(analyze, format json) "])}${
        chance(0.3) ? this.#pick(writes) : select
      }`;
    }
    if (chance(0.03)) return `show ${this.#pick(["all", "work_mem", "is_superuser", "x.y"])}`;
    return select;
  }

  /** One function, called so that it runs: with values of the types that it wants. */
  plainCall(): string {
    const [pick, chance] = [this.#pick, this.#chance];
    const call = this.#call(0);
    return pick([
      `select ${call}`,
      `select ${call}`,
      `select * from ${call} as x`,
      `select ${call} from users u limit 3`,
      `select ${call} is null, ${this.#call(0)} is null`,
      `select count(*) from users u where (${call}) is not null`,
      `select ${call}::${pick(["text", "int", "jsonb", "regclass"])}`,
      `explain analyze select ${call}`,
      `select ${call} ${pick(["=", "||", "->", "<"])} ${chance(0.5) ? this.#call(0) : pick(ANY_LITERALS)}`,
    ]);
  }

  #select(depth: number): string {
    const [pick, chance] = [this.#pick, this.#chance];
    const expressions = Array.from({ length: pick([1, 1, 2, 3]) }, () => this.#expression(depth)).join(", ");
    const parts = [
      chance(0.15) ? `with ${chance(0.2) ? "recursive " : ""}c as (${this.#body(depth)}) ` : "",
      `select ${chance(0.05) ? "distinct " : ""}${expressions}`,
      chance(0.02) ? " into t" : "",
      chance(0.75) ? ` from ${this.#from(depth)}` : "",
      chance(0.3) ? ` where ${this.#expression(depth)}` : "",
      chance(0.1) ? ` group by ${pick(columns)}` : "",
      chance(0.1) ? ` order by ${this.#expression(1)}` : "",
      chance(0.3) ? " limit 3" : "",
      chance(0.04) ? ` for ${pick(["update", "share", "key share", "no key update"])}` : "",
    ];
    const select = parts.join("");
    return depth > 1 && chance(0.08)
      ? `${select} ${pick(["union", "union all", "except", "intersect"])} ${this.#select(depth - 1)}`
      : select;
  }

  #body(depth: number): string {
    return this.#chance(0.3)
      ? `${this.#pick(writes)}${this.#chance(0.5) ? " returning *" : ""}`
      : this.#select(Math.max(1, depth - 1));
  }

  #from(depth: number): string {
    const [pick, chance] = [this.#pick, this.#chance];
    const item = chance(0.65) || depth <= 1
      ? `${pick(tables)} u`
      : chance(0.5)
      ? `(${this.#select(depth - 1)}) u`
      : `${chance(0.3) ? "lateral " : ""}${this.#call(depth - 1)} u`;
    const sample = chance(0.04) ? ` tablesample ${pick(["bernoulli", "system", "pg_sleep"])} (1)` : "";
    return chance(0.15) ? `${item}${sample}, ${pick(tables)} v` : item + sample;
  }

  #expression(depth: number): string {
    const [pick, chance] = [this.#pick, this.#chance];
    if (depth <= 0 || chance(0.25)) return chance(0.5) ? pick(columns) : pick(literals);
    const kind = Math.floor(pick([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    const inner = () => this.#expression(depth - 1);
    switch (kind) {
      case 0:
        return this.#call(depth);
      case 1:
        return `${inner()} ${
          pick([
            "=",
            "<",
            "||",
            "+",
            "->",
            "~",
            "@>",
            "like",
            "is distinct from",
            "operator(pg_catalog.+)",
            "in (1, 2) and 1 =",
          ])
        } ${inner()}`;
      case 2:
        return `(${inner()})::${
          pick(["text", "int", "regclass", "xml", "tsvector", "users", "json", "inet", "numeric"])
        }`;
      case 3:
        return `(${this.#select(depth - 1)})`;
      case 4:
        return `exists (${this.#body(depth - 1)})`;
      case 5:
        return `case when ${inner()} then ${inner()} else ${inner()} end`;
      case 6: {
        // Attribute notation calls a function of one argument.
        const { name } = this.#function();
        return `(${inner()}).${name.slice(name.lastIndexOf(".") + 1)}`;
      }
      case 7:
        return `coalesce(${inner()}, ${inner()})`;
      case 8:
        return `${this.#call(depth)} over ()`;
      default:
        return `${this.#call(depth)} filter (where ${inner()})`;
    }
  }

  #call(depth: number): string {
    const { name, arguments: types, kind } = this.#function();
    const args = types.map((type) => {
      if (this.#chance(0.2)) return `null::${type}`;
      return depth > 0 && this.#chance(0.3) ? this.#expression(depth - 1) : this.#pick(literalsOf(type));
    });
    const schema = !name.includes(".") && this.#chance(0.1) ? "pg_catalog." : "";
    return `${schema}${name}(${args.join(", ")})${kind === "w" ? " over ()" : ""}`;
  }

  #function(): KnownFunction {
    return this.#pick(this.#functions);
  }
}

/** A statement of the corpus with words taken out, doubled, swapped, or spliced with another one's. */
function mutate(pick: Pick, chance: Chance, corpus: readonly string[]): string {
  const words = (text: string) => text.match(/\s+|\w+|[^\w\s]/g) ?? [text];
  let tokens = [...words(pick(corpus))];
  const position = () => Math.floor(pick(tokens.map((_, at) => at)));
  for (let changes = pick([1, 1, 2, 3, 5]); changes > 0 && tokens.length > 1; changes--) {
    const at = position();
    const kind = pick([0, 1, 2, 3, 4]);
    if (kind === 0) tokens.splice(at, 1);
    else if (kind === 1) tokens.splice(at, 0, tokens[at] ?? "");
    else if (kind === 2) {
      const other = position();
      [tokens[at], tokens[other]] = [tokens[other] ?? "", tokens[at] ?? ""];
    } else {
      const source = words(pick(corpus));
      const from = Math.floor(source.length * (chance(0.5) ? 0 : 0.5));
      tokens = [
        ...tokens.slice(0, at),
        ...source.slice(from, from + pick([1, 2, 5, 20])),
        ...tokens.slice(kind === 3 ? at : at + 1),
      ];
    }
  }
  return tokens.join("");
}
