/** Which of the functions and operators that have a name a text can mean. */
import type { Found, FoundFunction, FoundOperator } from "./catalogue.ts";
import type { FunctionReference, References } from "./references.ts";

/** x.f is a column, and no call of f(x), where all that is called x are relations with a column f. */
export function isColumn(
  reference: FunctionReference,
  references: References,
  relations: Found["relations"],
): boolean {
  const { how, name, qualifier } = reference;
  if (
    how !== "notation" || qualifier === undefined || references.unnamedRanges ||
    references.otherAliases.includes(qualifier)
  ) {
    return false;
  }
  const meant = references.relations.flatMap((each, index) =>
    each.alias === qualifier ? [{ ...each, index: index + 1 }] : []
  );
  return meant.length > 0 &&
    meant.every(({ index, renamed }) =>
      !renamed && relations.some((each) => each.index === index && each.columns?.includes(name) === true)
    );
}

/** The functions that a reference may call: PostgreSQL chooses among them by types that are not known here. */
export function candidates(
  reference: FunctionReference,
  functions: readonly FoundFunction[],
): FoundFunction[] {
  const { schema, name, count, argumentNames } = reference;
  const fitting = functions.filter((each) =>
    each.named && each.name === name &&
    (schema === undefined || each.schema === schema || schema === "pg_temp") &&
    (each.variadic
      ? count >= each.inputs - 1 - each.defaults
      : count >= each.inputs - each.defaults && count <= each.inputs)
  );
  if (schema !== undefined) return fitting;
  // Of two with the same input types, the one whose schema comes first hides the other, if its arguments have the names.
  const visible = fitting.flatMap((each) =>
    each.position === null ? [] : [{ each, position: each.position }]
  );
  return visible.filter(({ each, position }) =>
    argumentNames ||
    !visible.some((other) =>
      other.position < position && other.each.signature === each.signature &&
      other.each.variadic === each.variadic
    )
  ).map(({ each }) => each);
}

/**
 * Of candidates, those that a call with arguments of just these types can mean: a function that takes them as they are
 * goes before all that take as many others (func_get_detail in parse_func.c).
 */
export function withTypes(
  found: readonly FoundFunction[],
  types: readonly (string | undefined)[],
): readonly FoundFunction[] {
  const takesAsMany = (each: FoundFunction) => !each.variadic && each.inputs === types.length;
  const signature = types.join(" ");
  const isExact = (each: FoundFunction) => takesAsMany(each) && each.signature === signature;
  return found.some(isExact) ? found.filter((each) => !takesAsMany(each) || isExact(each)) : found;
}

/** An operator on two types that the statement can't reach is not meant, if another one has that name. */
export function isReachable(operator: FoundOperator, reached: ReadonlySet<string>): boolean {
  return !operator.alsoBuiltin || operator.builtinOperands > 0 ||
    operator.userOperands.some((type) => reached.has(type));
}
