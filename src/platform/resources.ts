/** The resources of several programs as those of one: a URI's scheme says whose it is. */
import { CallError } from "../common/errors.ts";
import type { Logger } from "../common/log.ts";
import {
  completeInput,
  completion,
  completions,
  listedResources,
  noCompletions,
  noSuchResource,
  readResource,
  resourceList,
  resourceRead,
  type Resources,
  strangeCursor,
} from "../common/resources.ts";
import type { Tool, ToolContext } from "../common/tool.ts";

/** The resources of one program, and the scheme of their URIs. */
export interface ResourceGroup {
  /** Such as `postgres`. */
  readonly scheme: string;
  readonly resources: Resources;
}

/** Joins them; at least one. The log hears of those that can't be listed. */
export function joinResources(groups: readonly ResourceGroup[], log: Logger): Resources {
  return {
    templates: groups.flatMap(({ resources }) => resources.templates),
    list: list(groups, log),
    read: read(groups),
    complete: complete(groups),
  };
}

/** A group's operation, with what it said. */
interface Delegated {
  readonly operation: Tool;
  readonly value: unknown;
}

async function delegate(operation: Tool, args: unknown, context: ToolContext): Promise<Delegated> {
  return { operation, value: await operation.run(operation.input.parse(args), context) };
}

function groupOf(groups: readonly ResourceGroup[], uri: string): ResourceGroup | undefined {
  return groups.find(({ scheme }) => uri.startsWith(`${scheme}://`));
}

/**
 * One group after the other; a cursor is the group's place and the group's own cursor. A group whose backend is down is
 * left out: it must not hide what the others have, nor the resources that ask no backend.
 */
function list(groups: readonly ResourceGroup[], log: Logger): Tool {
  return resourceList({
    async run({ cursor = "0" }, context) {
      const [, place, inner] = /^(\d{1,2})(?:\.(.{1,17}))?$/.exec(cursor) ?? [];
      const rest = groups.slice(Number(place));
      if (place === undefined || rest.length === 0) throw strangeCursor();
      for (const [offset, { scheme, resources }] of rest.entries()) {
        const args = offset === 0 && inner !== undefined ? { cursor: inner } : {};
        try {
          const delegated = await delegate(resources.list, args, context);
          return { ...delegated, place: Number(place) + offset };
        } catch (error) {
          if (!(error instanceof CallError) || error.kind === "invalid" || context.signal.aborted) {
            throw error;
          }
          log.warn("resources of a backend are left out of their list", { scheme, reason: error.message });
        }
      }
      return undefined;
    },
    present(listed, budget) {
      if (listed === undefined) return { text: "", structured: { resources: [] }, rows: 0 };
      const { operation, value, place } = listed;
      const page = operation.present(value, budget);
      const { resources, nextCursor } = listedResources.parse(page.structured);
      const next = nextCursor !== undefined
        ? `${place}.${nextCursor}`
        : place + 1 < groups.length
        ? String(place + 1)
        : undefined;
      return { ...page, structured: { resources, ...(next === undefined ? {} : { nextCursor: next }) } };
    },
  });
}

function read(groups: readonly ResourceGroup[]): Tool {
  return resourceRead({
    run({ uri }, context) {
      const group = groupOf(groups, uri);
      if (group !== undefined) return delegate(group.resources.read, { uri }, context);
      const schemes = groups.map(({ scheme }) => `${scheme}://`).join(", ");
      throw noSuchResource(uri, `the resources begin with ${schemes}`);
    },
    present({ operation, value }: Delegated, budget) {
      const { structured, ...rest } = operation.present(value, budget);
      return { ...rest, structured: readResource.parse(structured) };
    },
  });
}

function complete(groups: readonly ResourceGroup[]): Tool {
  return completion(completeInput, async (args, context) => {
    const operation = groupOf(groups, args.uriTemplate)?.resources.complete;
    if (operation === undefined) return noCompletions;
    const { value } = await delegate(operation, args, context);
    return completions.parse(operation.present(value, context.budget).structured);
  });
}
