/**
 * The guard: whether a statement that someone else wrote may run. It decides, `database.ts` runs.
 *
 * Layer 1, {@linkcode inspect}, is pure: PostgreSQL's own parser and an allow-list of parse nodes. Layer 2,
 * {@linkcode authorize}, runs in the very transaction that will run the statement, and asks the server's
 * catalogue what the names in it stand for.
 */
import { CallError } from "../common/errors.ts";
import { readBody, readExpression, readQuery } from "./body.ts";
import { type Catalogue, type Found, type FoundFunction, type FoundOperator, resolve } from "./catalogue.ts";
import { NODE_SINCE } from "./grammar.ts";
import { type FunctionReference, mergeReferences, type References, referencesOf } from "./references.ts";
import { refuseSecrets } from "./secrets.ts";
import { readStatement, type StatementKind } from "./statement.ts";
import { type Allowed, allowedNames, isAllowed, judge, ownPath } from "./verdict.ts";
export { loadParser } from "./parser.ts";
export type { Catalogue } from "./catalogue.ts";

/** What an operator has allowed. */
export interface GuardOptions {
  /** `DB_ALLOW_FUNCTIONS`: functions and foreign tables by name: `name`, `schema.name` or `schema.name(argument types)`. */
  readonly allowFunctions: readonly string[];
}

const issued = Symbol("issued by the guard");

/** A statement that passed both layers; only {@linkcode authorize} makes one. */
export class GuardedStatement {
  readonly sql: string;
  readonly kind: StatementKind;
  /** @param key is private to the guard. */
  constructor(key: typeof issued, sql: string, kind: StatementKind) {
    if (key !== issued) throw new TypeError("Cannot make a guarded statement as only the guard can");
    this.sql = sql;
    this.kind = kind;
  }
}

/** A statement that passed layer 1: it only reads, if all that it calls only reads. */
export interface Inspected {
  readonly sql: string;
  readonly kind: StatementKind;
  readonly references: References;
}

/** Bodies, views and policies that one statement may reach before it is refused. */
const MAX_TEXTS = 200;

/** Layer 1: exactly one statement that only reads by its parse tree. Throws `CallError` `refused` or `invalid`. */
export function inspect(sql: string): Inspected {
  const { kind, node } = readStatement(sql);
  return { sql, kind, references: referencesOf(node) };
}

/** Layer 2: what the names stand for. Throws `CallError` `refused`. */
export async function authorize(
  inspected: Inspected,
  catalogue: Catalogue,
  options: GuardOptions,
): Promise<GuardedStatement> {
  const review = new Review(catalogue, allowedNames(options.allowFunctions));
  await review.run(inspected.references);
  return new GuardedStatement(issued, inspected.sql, inspected.kind);
}

/** Names of schemas; null is the session's own search path. */
type Path = readonly string[] | null;

/** By oid. */
type Functions = ReadonlyMap<string, FoundFunction>;

/** A text that will run: the statement itself, or what it reaches. */
interface Text {
  readonly references: References;
  /** The search path it runs with. */
  readonly path: Path;
  /** How the statement reaches it, e.g. "the view public.v". */
  readonly via: string | undefined;
}

class Review {
  readonly #catalogue: Catalogue;
  readonly #allowed: Allowed;
  readonly #pending: Text[] = [];
  readonly #seen = new Set<string>();

  constructor(catalogue: Catalogue, allowed: Allowed) {
    this.#catalogue = catalogue;
    this.#allowed = allowed;
  }

  async run(references: References): Promise<void> {
    this.#pending.push({ references, path: null, via: undefined });
    let texts = 0;
    while (this.#pending.length > 0) {
      // All that is known by now in one query; those with a search path of their own, each in another.
      const path = this.#pending[0]?.path ?? null;
      const all = this.#pending.splice(0);
      const same = all.filter((each) => samePath(each.path, path));
      this.#pending.push(...all.filter((each) => !samePath(each.path, path)));
      texts += same.length;
      if (texts > MAX_TEXTS) {
        throw new CallError(
          "refused",
          `Cannot run the statement as it reaches more than ${MAX_TEXTS} views and functions`,
        );
      }
      await this.#review(same, path);
    }
  }

  async #review(texts: readonly Text[], path: Path): Promise<void> {
    const together = mergeReferences(texts.map((each) => each.references));
    refuseNames(together);
    const found = await resolve(this.#catalogue, together, path);
    checkSession(found, together);
    const functions: Functions = new Map(found.functions.map((each) => [each.oid, each]));
    let offset = 0;
    for (const text of texts) {
      const count = text.references.relations.length;
      const relations = found.relations.filter(({ index }) => index > offset && index <= offset + count)
        .map((each) => ({ ...each, index: each.index - offset }));
      offset += count;
      try {
        await refuseSecrets(text.references, relations, this.#catalogue);
        this.#relations(relations, text.references, functions);
        for (const reference of text.references.functions) {
          for (const candidate of candidates(reference, found.functions)) {
            this.#call(candidate, path, functions, reference.count);
          }
        }
      } catch (error) {
        throw error instanceof CallError ? reachedBy(error, text.via) : error;
      }
    }
    this.#unwritten(found, path, functions);
  }

  /** What runs without being called by name: operators, casts, types. */
  #unwritten(found: Found, path: Path, functions: Functions): void {
    const reached = new Set(found.types.map(({ oid }) => oid));
    for (const operator of found.operators) {
      if (isReachable(operator, reached)) {
        this.#calls([operator.function], `the operator ${operator.schema}.${operator.name}`, path, functions);
      }
    }
    for (const cast of found.casts) {
      const applies = (cast.builtinSource || reached.has(cast.source)) &&
        (cast.builtinTarget || reached.has(cast.target));
      if (applies) this.#calls([cast.function], `the cast from ${cast.name}`, path, functions);
    }
    for (const type of found.types) {
      this.#calls(type.functions ?? [], `the type ${type.name}`, path, functions);
      for (const check of type.checks ?? []) {
        this.#expression(check, `check:${type.oid}`, `the domain ${type.name}`);
      }
    }
  }

  #calls(oids: readonly string[], via: string, path: Path, functions: Functions): void {
    for (const oid of oids) {
      const found = functions.get(oid);
      if (found === undefined) {
        throw new CallError("refused", `Cannot run the statement as a function of ${via} is not known`);
      }
      try {
        this.#call(found, path, functions, undefined);
      } catch (error) {
        throw error instanceof CallError ? reachedBy(error, via) : error;
      }
    }
  }

  #call(found: FoundFunction, path: Path, functions: Functions, count: number | undefined): void {
    if (found.kind === "p") return; // A SELECT can't call a procedure.
    const name = `${found.schema}.${found.name}`;
    if (
      found.defaultValues !== null && !isAllowed(this.#allowed, found.schema, found.name, found.arguments)
    ) {
      this.#expression(found.defaultValues, `defaults:${found.oid}`, `the arguments of the function ${name}`);
    }
    if (judge(found, this.#allowed, count) === "read") {
      // A standard body is stored by identity and printed as the session sees its names; a string is read anew.
      const own = found.language === "sql" && found.definition !== null ? null : ownPath(found) ?? path;
      this.#text(`function:${found.oid}`, () => readBody(found), `the function ${name}`, own);
    }
    if (found.origin === "user" && found.parts !== null) {
      this.#calls(found.parts, `the aggregate ${name}`, path, functions);
    }
  }

  #relations(relations: Found["relations"], references: References, functions: Functions): void {
    for (const relation of relations) {
      const { schema, name, oid, definition } = relation;
      if (relation.kind === "f" && !isAllowed(this.#allowed, schema, name)) {
        const parent = relation.child
          ? `, which is a part of ${references.relations[relation.index - 1]?.name},`
          : "";
        throw new CallError(
          "refused",
          `Cannot read the foreign table ${schema}.${name}${parent} as another server can be written to through it`,
          {
            hint: `A person who knows that it only reads can allow it: DB_ALLOW_FUNCTIONS=${schema}.${name}`,
          },
        );
      }
      if (definition !== null) {
        this.#text(
          `view:${oid}`,
          () => readQuery(definition),
          `the view ${schema}.${name}`,
          null,
        );
      }
      for (const policy of relation.policies ?? []) {
        this.#expression(policy, `policy:${oid}`, `a policy of ${schema}.${name}`);
      }
      this.#calls(relation.indexFunctions ?? [], `an index of ${schema}.${name}`, null, functions);
    }
  }

  #expression(expression: string, key: string, via: string): void {
    this.#text(`${key}:${expression}`, () => readExpression(expression), via, null);
  }

  #text(key: string, read: () => References, via: string, path: Path): void {
    const unique = JSON.stringify([key, path]);
    if (this.#seen.has(unique)) return;
    this.#seen.add(unique);
    try {
      this.#pending.push({ references: read(), path, via });
    } catch (error) {
      throw error instanceof CallError ? reachedBy(error, via) : error;
    }
  }
}

function samePath(one: Path, other: Path): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The functions that a reference may call: PostgreSQL chooses among them by types that are not known here. */
function candidates(reference: FunctionReference, functions: readonly FoundFunction[]): FoundFunction[] {
  const { schema, name, count, how } = reference;
  const fitting = functions.filter((each) =>
    each.named && each.name === name &&
    (schema === undefined || each.schema === schema || schema === "pg_temp") &&
    (schema !== undefined || each.position >= 0) &&
    (each.variadic
      ? count >= each.inputs - 1 - each.defaults
      : count >= each.inputs - each.defaults && count <= each.inputs) &&
    // A column of that name goes before a function of the row.
    (how !== "notation" || each.takesRow && !(each.rowColumns ?? []).includes(name))
  );
  if (schema !== undefined) return fitting;
  // Of two with the same input types, the one whose schema comes first hides the other.
  return fitting.filter((each) =>
    !fitting.some((other) =>
      other.position < each.position && other.signature === each.signature && other.variadic === each.variadic
    )
  );
}

/** An operator on two types that the statement can't reach is not meant, if another one has that name. */
function isReachable(operator: FoundOperator, reached: ReadonlySet<string>): boolean {
  return !operator.alsoBuiltin || operator.builtinOperands > 0 ||
    operator.userOperands.some((type) => reached.has(type));
}

/**
 * PostgreSQL cuts names to 63 bytes, at a character's end by its own encoding: a name that may be cut in
 * another place there than here could stand for something else.
 */
function refuseNames(references: References): void {
  const names = [references.functions, references.relations, references.operators, references.types].flat()
    .flatMap(({ schema, name }) => [schema ?? "", name]);
  for (const name of names) {
    // deno-lint-ignore no-control-regex -- ASCII is meant
    if (name.length > 15 && !/^[\x00-\x7f]*$/.test(name) && new TextEncoder().encode(name).length >= 60) {
      throw new CallError(
        "refused",
        "Cannot run the statement as a name in it is too long to be read in one way only",
        {
          hint: "Names with characters beyond ASCII may have 59 bytes",
        },
      );
    }
  }
}

/** Fails closed unless the server reads the same text as the parser did, in a transaction that only reads. */
function checkSession({ session }: Found, references: References): void {
  const expected: [string, string, string][] = [
    ["standard_conforming_strings", session.standardConformingStrings, "on"],
    ["client_encoding", session.clientEncoding, "UTF8"],
    ["transaction_read_only", session.readOnly, "on"],
    ["max_identifier_length", String(session.maxIdentifierLength), "63"],
  ];
  for (const [name, value, wanted] of expected) {
    if (value !== wanted) {
      throw new CallError(
        "refused",
        `Cannot run the statement as the session has ${name} = ${value} and not ${wanted}`,
      );
    }
  }
  const major = Math.floor(session.version / 10_000);
  for (const node of references.nodes) {
    const since = NODE_SINCE.get(node);
    if (since !== undefined && major < since) {
      throw new CallError(
        "refused",
        `Cannot run the statement as it uses SQL/JSON that PostgreSQL knows from ${since} on, and this is ${major}`,
      );
    }
  }
  if (session.serverEncoding !== "UTF8") {
    for (const { name } of [...references.functions, ...references.relations]) {
      // The server folds such letters by its own encoding.
      if (name !== name.toLowerCase() && /[^ -~]/.test(name)) {
        throw new CallError(
          "refused",
          `Cannot run the statement as the server may fold the name ${name} in another way`,
        );
      }
    }
  }
}

function reachedBy(error: CallError, via: string | undefined): CallError {
  if (via === undefined || error.message.includes(via)) return error;
  const kind = error.kind === "invalid" ? "refused" : error.kind;
  return new CallError(kind, `${error.message} (through ${via})`, { hint: error.hint, cause: error.cause });
}
