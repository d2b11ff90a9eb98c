/** Collects what a review asks the catalogue for, and what it finds there: all that the verdict stands on. */
import type { Found } from "./catalogue.ts";
import type { Reached } from "./fingerprint.ts";
import type { References } from "./references.ts";

/** The first OID of what is not built in: https://www.postgresql.org/docs/current/system-catalog-initial-data.html */
const firstNormalOid = 16_384;

/** Of one statement. */
export class Reach {
  readonly #names = {
    schemas: new Set<string>(),
    functions: new Set<string>(),
    operators: new Set<string>(),
    types: new Set<string>(),
    relations: new Set<string>(),
  };
  readonly #functions = new Set<string>();
  readonly #types = new Set<string>();
  readonly #relations = new Set<string>();

  /** `path` is what the names were looked up on. */
  add(asked: References, path: readonly string[], found: Found): void {
    for (const schema of path) this.#names.schemas.add(schema);
    for (const kind of ["functions", "operators", "types", "relations"] as const) {
      for (const { schema, name } of asked[kind]) {
        this.#names[kind].add(name);
        if (schema !== undefined) this.#names.schemas.add(schema);
      }
    }
    for (const { schema } of [...found.functions, ...found.operators, ...found.relations]) {
      this.#names.schemas.add(schema);
    }
    for (const { oid } of found.functions) if (isOwn(oid)) this.#functions.add(oid);
    for (const { oid } of found.relations) if (isOwn(oid)) this.#relations.add(oid);
    for (const oid of found.reached) this.#types.add(oid);
  }

  get reached(): Reached {
    const { schemas, functions, operators, types, relations } = this.#names;
    return {
      schemas: [...schemas],
      functions: [...functions],
      operators: [...operators],
      types: [...types],
      relations: [...relations],
      function_oids: [...this.#functions],
      type_oids: [...this.#types],
      relation_oids: [...this.#relations],
    };
  }
}

/** Whether an object is none of PostgreSQL's own, which nobody changes. */
function isOwn(oid: string): boolean {
  return Number(oid) >= firstNormalOid;
}
