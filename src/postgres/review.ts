/**
 * The review of all that a statement reaches: what it mentions, and what the views, functions, policies,
 * operators, casts and types behind it mention in turn.
 */
import { CallError } from "../common/errors.ts";
import { type Allowed, allowHint, isAllowed } from "./allowed_functions.ts";
import { readBody, readExpression, readQuery } from "./body.ts";
import { candidates, isColumn, isReachable, withTypes } from "./candidates.ts";
import { type Catalogue, type Found, type FoundFunction, resolve, resolveTypes } from "./catalogue.ts";
import type { Reached } from "./fingerprint.ts";
import { Reach } from "./reach.ts";
import { MAX_EXPRESSIONS } from "./resolve_columns_sql.ts";
import { type Bound, type FunctionReference, mergeReferences, type References } from "./references.ts";
import { checkSession, refuseNames } from "./same_text.ts";
import { refuseSecrets } from "./secrets.ts";
import { judge, ownPath } from "./verdict.ts";

/** Bodies, views and policies that one statement may reach before it is refused. */
const MAX_TEXTS = 200;

/** Names of schemas; null is the session's own search path. */
type Path = readonly string[] | null;

/**
 * The path that stored texts are printed with: what is not qualified in them is `pg_catalog`'s, whatever a session's
 * own path would find for the name.
 */
const PRINTED: Path = ["pg_catalog"];

/** By oid. */
type Functions = ReadonlyMap<string, FoundFunction>;

/** Search paths: what the names of a text are looked up on, and what the functions that it calls run with. */
interface Paths {
  readonly names: Path;
  readonly calls: Path;
}

/** A text that will run: the statement itself, or what it reaches. */
interface Text {
  readonly references: References;
  readonly paths: Paths;
  /** It is an extension's own: only what a user could have put in the place of what it calls is looked at. */
  readonly trusted: boolean;
  /** How the statement reaches it, e.g. "the view public.v". */
  readonly via: string | undefined;
}

/** Reviews one statement; a review is made for each. */
export class Review {
  readonly #catalogue: Catalogue;
  readonly #allowed: Allowed;
  readonly #schemas: readonly string[];
  readonly #pending: Text[] = [];
  readonly #seen = new Set<string>();
  readonly #reach = new Reach();
  /** Functions whose bodies were read, by oid. */
  readonly bodies = new Set<string>();
  /** Something was asked that no snapshot holds still: what other sessions run, settings. */
  probed = false;

  /** `schemas` is the session's own search path; `catalogue` is asked on a path of its own. */
  constructor(catalogue: Catalogue, allowed: Allowed, schemas: readonly string[]) {
    this.#catalogue = catalogue;
    this.#allowed = allowed;
    this.#schemas = schemas;
  }

  /** Throws {@linkcode CallError} `refused` with what is not allowed, and through what it is reached. */
  async run(references: References): Promise<void> {
    this.#pending.push({ references, paths: { names: null, calls: null }, trusted: false, via: undefined });
    let texts = 0;
    while (this.#pending.length > 0) {
      // All that is known by now in one query; those with a search path of their own, each in another.
      const paths = this.#pending[0]?.paths ?? { names: null, calls: null };
      const all = this.#pending.splice(0);
      const same = all.filter((each) => samePaths(each.paths, paths));
      this.#pending.push(...all.filter((each) => !samePaths(each.paths, paths)));
      texts += same.length;
      if (texts > MAX_TEXTS) {
        throw new CallError(
          "refused",
          `Cannot run the statement as it reaches more than ${MAX_TEXTS} views and functions`,
        );
      }
      await this.#review(same, paths);
    }
  }

  /** All that the verdict stands on. */
  get reached(): Reached {
    return this.#reach.reached;
  }

  async #review(texts: readonly Text[], { names, calls }: Paths): Promise<void> {
    const together = mergeReferences(texts.map((each) => each.references));
    refuseNames(together);
    const found = await resolve(this.#catalogue, together, names ?? this.#schemas);
    this.#reach.add(together, names ?? this.#schemas, found);
    checkSession(found, together);
    const functions: Functions = new Map(found.functions.map((each) => [each.oid, each]));
    let offset = 0;
    for (const text of texts) {
      const count = text.references.relations.length;
      const relations = found.relations.filter(({ index }) => index > offset && index <= offset + count)
        .map((each) => ({ ...each, index: each.index - offset }));
      offset += count;
      try {
        if (text.trusted) {
          this.#replaced(text.references, { ...found, relations }, calls, functions);
          continue;
        }
        await refuseSecrets(text.references, { relations, operators: found.operators }, {
          query: (sql, parameters) => {
            this.probed = true;
            return this.#catalogue.query(sql, parameters);
          },
        });
        this.#relations(relations, text.references, calls);
        this.#bound(text.references.bound, found, calls, functions);
        for (const reference of text.references.functions) {
          if (isColumn(reference, text.references, relations)) continue;
          await this.#named(reference, found, { names, calls }, functions);
        }
      } catch (error) {
        throw error instanceof CallError ? reachedBy(error, text.via) : error;
      }
    }
    this.#unwritten(found, calls, functions);
    this.#evaluated(found, calls);
  }

  /** What a call can mean: by its arguments' types, where an operator has allowed some of the functions and not all. */
  async #named(reference: FunctionReference, found: Found, { names, calls }: Paths, functions: Functions) {
    const all = candidates(reference, found.functions);
    const allowed = all.filter((each) => isAllowed(this.#allowed, each.schema, each.name, each.arguments));
    const isMixed = allowed.length > 0 && allowed.length < all.length;
    // Which of the schemas that candidates are of is the temporary one is not known here.
    const isOfOneSchema = reference.schema !== "pg_temp";
    const types = isMixed && isOfOneSchema ? reference.argumentTypes : undefined;
    const meant = types === undefined
      ? all
      : withTypes(all, await resolveTypes(this.#catalogue, types, names ?? this.#schemas));
    for (const each of meant) {
      try {
        this.#call(each, calls, functions, reference.count);
      } catch (error) {
        if (!isMixed || !(error instanceof CallError)) throw error;
        const { schema, name, arguments: listed } = allowed[0] ?? each;
        const hint = `Cast the arguments to call ${schema}.${name}(${listed}), which is allowed`;
        throw new CallError(error.kind, error.message, {
          hint: error.hint === undefined ? hint : `${hint}. ${error.hint}`,
          cause: error.cause,
        });
      }
    }
  }

  /** What a user could have put in the place of what an extension's function means by its names. */
  #replaced(references: References, found: Found, calls: Path, functions: Functions): void {
    const { relations } = found;
    this.#relations(relations.filter(({ origin }) => origin === "user"), references, calls);
    for (const reference of references.functions) {
      if (isColumn(reference, references, relations)) continue;
      for (const candidate of candidates(reference, found.functions)) {
        if (candidate.origin === "user") this.#call(candidate, calls, functions, reference.count);
        else this.#extension(candidate, calls);
      }
    }
  }

  /** A function of an extension may do what it is labelled for; what it calls by name is found on the path of the caller. */
  #extension(found: FoundFunction, path: Path): void {
    if (found.origin !== "extension" || found.body === null || found.body === "") return;
    this.bodies.add(found.oid);
    const via = `the function ${found.schema}.${found.name}`;
    try {
      this.#text(`function:${found.oid}`, () => readBody(found), via, pathsOf(found, path), true);
    } catch (error) {
      // It runs SQL from a string, for instance: that is its own affair, and its names can't be known.
      if (!(error instanceof CallError)) throw error;
    }
  }

  /** As printed, a text shows neither the operator of IS DISTINCT FROM or USING, nor a cast that was dropped since. */
  #bound(bound: readonly Bound[], found: Found, calls: Path, functions: Functions): void {
    for (const { kind, oid } of bound) {
      if (kind === "function") this.#calls([oid], "what it is stored with", calls, functions);
      // One of an extension is not among them.
      for (const { oid: each, schema, name, functions: own } of kind === "operator" ? found.operators : []) {
        if (each === oid) this.#calls(own, `the operator ${schema}.${name}`, calls, functions);
      }
    }
  }

  /** Planning evaluates calls with constant arguments, even of an index that is not used in the end. */
  #evaluated({ evaluated }: Found, calls: Path): void {
    if (evaluated.length > MAX_EXPRESSIONS) {
      throw new CallError(
        "refused",
        `Cannot run the statement as the indexes and checks behind it have more than ${MAX_EXPRESSIONS} expressions with functions of a user's own`,
        { hint: "Read one partition by its name" },
      );
    }
    const all: References[] = [];
    for (const { expression, relation, bound } of evaluated) {
      const via = `an index or constraint of ${relation}`;
      if (expression === null) {
        throw new CallError("refused", `Cannot run the statement as ${via} can't be read`);
      }
      const unique = JSON.stringify(["evaluated", expression, bound, calls]);
      if (this.#seen.has(unique)) continue;
      this.#seen.add(unique);
      try {
        all.push({ ...readExpression(expression), bound: bound ?? [] });
      } catch (error) {
        throw error instanceof CallError ? reachedBy(error, via) : error;
      }
    }
    if (all.length === 0) return;
    // One text, as partitions repeat theirs with other constants.
    const relations = new Set(evaluated.map(({ relation }) => relation));
    const via = `an index or constraint of ${[...relations].slice(0, 3).join(" or ")}`;
    this.#pending.push({
      references: mergeReferences(all),
      paths: { names: PRINTED, calls },
      trusted: false,
      via,
    });
  }

  /** What runs without being called by name: operators, casts, types. */
  #unwritten(found: Found, calls: Path, functions: Functions): void {
    const reached = new Set(found.reached);
    for (const operator of found.operators) {
      if (isReachable(operator, reached)) {
        this.#calls(operator.functions, `the operator ${operator.schema}.${operator.name}`, calls, functions);
      }
    }
    for (const cast of found.casts) {
      const applies = (cast.builtinSource || reached.has(cast.source)) &&
        (cast.builtinTarget || reached.has(cast.target));
      if (applies) this.#calls([cast.function], `the cast from ${cast.name}`, calls, functions);
    }
    for (const each of found.classes) {
      this.#calls(each.functions, `the operator class ${each.name}`, calls, functions);
    }
    for (const type of found.types) {
      this.#calls(type.functions ?? [], `the type ${type.name}`, calls, functions);
      for (const check of type.checks ?? []) {
        this.#expression(check, `check:${type.oid}`, `the domain ${type.name}`, type.bound, calls);
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
      const via = `the arguments of the function ${name}`;
      this.#expression(found.defaultValues, `defaults:${found.oid}`, via, found.bound, path);
    }
    if (judge(found, this.#allowed, count) === "read") {
      this.bodies.add(found.oid);
      const read = () => ({ ...readBody(found), bound: found.bound ?? [] });
      this.#text(
        `function:${found.oid}`,
        read,
        `the function ${name}(${found.arguments})`,
        pathsOf(found, path),
      );
    } else if (!isAllowed(this.#allowed, found.schema, found.name, found.arguments)) {
      this.#extension(found, path);
    }
    if (found.origin === "user" && found.parts !== null) {
      this.#calls(found.parts, `the aggregate ${name}`, path, functions);
    }
  }

  #relations(relations: Found["relations"], references: References, calls: Path): void {
    for (const relation of relations) {
      const { schema, name, oid, definition, bound } = relation;
      if (relation.kind === "f" && !isAllowed(this.#allowed, schema, name)) {
        const parent = relation.child
          ? `, which is a part of ${references.relations[relation.index - 1]?.name},`
          : "";
        throw new CallError(
          "refused",
          `Cannot read the foreign table ${schema}.${name}${parent} as another server can be written to through it`,
          { hint: allowHint(schema, name) },
        );
      }
      if (definition !== null) {
        this.#text(
          `view:${oid}`,
          () => ({ ...readQuery(definition), bound: bound ?? [] }),
          `the view ${schema}.${name}`,
          { names: PRINTED, calls },
        );
      }
      for (const policy of relation.policies ?? []) {
        this.#expression(policy, `policy:${oid}`, `a policy of ${schema}.${name}`, bound, calls);
      }
    }
  }

  #expression(
    expression: string,
    key: string,
    via: string,
    bound: readonly Bound[] | null,
    calls: Path,
  ): void {
    const read = () => ({ ...readExpression(expression), bound: bound ?? [] });
    this.#text(`${key}:${expression}`, read, via, { names: PRINTED, calls });
  }

  #text(key: string, read: () => References, via: string, paths: Paths, trusted = false): void {
    const unique = JSON.stringify([key, paths]);
    if (this.#seen.has(unique)) return;
    this.#seen.add(unique);
    try {
      this.#pending.push({ references: read(), paths, trusted, via });
    } catch (error) {
      throw error instanceof CallError ? reachedBy(error, via) : error;
    }
  }
}

/** Those of a body that is called with `path`: a standard one is stored by identity, and printed; a string is read anew. */
function pathsOf(found: FoundFunction, path: Path): Paths {
  const calls = ownPath(found) ?? path;
  return { names: found.language === "sql" && found.definition !== null ? PRINTED : calls, calls };
}

function samePaths(one: Paths, other: Paths): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function reachedBy(error: CallError, via: string | undefined): CallError {
  if (via === undefined || error.message.includes(via)) return error;
  const kind = error.kind === "invalid" ? "refused" : error.kind;
  return new CallError(kind, `${error.message} (through ${via})`, { hint: error.hint, cause: error.cause });
}
