/** Where a tool looks: the arguments that the tools share, and what they come to. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { visible } from "../common/visible.ts";
import { checkNamespace } from "./paths.ts";

/** A context of the kubeconfig. */
export const contextInput = z.string().max(500).optional()
  .describe("From list_contexts; else the default");

/** One namespace. */
export const namespaceInput = z.string().max(253).optional()
  .describe("Default: the context's own");

/** The part of a tool's input that says where to look. */
export const scopeInput = {
  namespace: namespaceInput,
  all_namespaces: z.boolean().optional(),
  context: contextInput,
};

/** Selectors, for the tools that list. */
export const selectorInput = {
  label_selector: z.string().max(1_000).optional().describe("e.g. app=web,tier!=cache"),
  field_selector: z.string().max(1_000).optional().describe("e.g. spec.nodeName=node-1"),
};

/** The arguments of {@linkcode scopeInput}. */
export interface ScopeArguments {
  readonly namespace?: string | undefined;
  readonly all_namespaces?: boolean | undefined;
}

/**
 * The namespace to look in; undefined for all of them. Never widened or narrowed in silence: to ask for one and for
 * all is an error. Throws {@linkcode CallError}.
 */
export function resolveScope(
  cluster: { readonly defaultNamespace: string },
  args: ScopeArguments,
): string | undefined {
  const { namespace, all_namespaces: all = false } = args;
  if (all && namespace !== undefined) {
    throw new CallError("invalid", "Cannot look in one namespace and in all of them at once", {
      hint: "give namespace or all_namespaces, not both",
    });
  }
  if (all) return undefined;
  if (namespace === undefined) return cluster.defaultNamespace;
  if (namespace === "") {
    throw new CallError("invalid", "Cannot look in a namespace without a name", {
      hint: "leave namespace out for the default one, or give all_namespaces: true",
    });
  }
  checkNamespace(namespace);
  return namespace;
}

/** Where an answer has looked, as the arguments say it. */
export const scopeShape = {
  context: z.string(),
  namespace: z.string().optional(),
  all_namespaces: z.boolean().optional(),
};

/** What {@linkcode scopeShape} holds: one namespace, or that it was all of them. */
export function scopeAnswer(
  { context, namespace }: { readonly context: string; readonly namespace: string | undefined },
): { context: string; namespace?: string; all_namespaces?: boolean } {
  return namespace === undefined ? { context, all_namespaces: true } : { context, namespace };
}

/** `namespace shop`, or `all namespaces`: for headings. */
export function scopeText(namespace: string | undefined): string {
  return namespace === undefined ? "all namespaces" : `namespace ${visible(namespace)}`;
}
