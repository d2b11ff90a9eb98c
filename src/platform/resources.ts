/** The resources of several programs as those of one: a URI's scheme says whose it is. */
import { CallError } from "../common/errors.ts";
import {
  completeInput,
  completions,
  listedResources,
  listInput,
  readInput,
  readResource,
  type Resources,
} from "../common/resources.ts";
import { defineTool, type Presentation, type Tool, type ToolContext } from "../common/tool.ts";

/** The resources of one program, and the scheme of their URIs. */
export interface ResourceGroup {
  /** Such as `postgres`. */
  readonly scheme: string;
  readonly resources: Resources;
}

/** Joins them; `undefined` when there is none. */
export function joinResources(groups: readonly ResourceGroup[]): Resources | undefined {
  if (groups.length === 0) return undefined;
  return {
    templates: groups.flatMap(({ resources }) => resources.templates),
    list: list(groups),
    read: read(groups),
    complete: complete(groups),
  };
}

/** What a group's operation said, to be presented by that operation. */
interface Delegated {
  readonly operation: Tool;
  readonly value: unknown;
}

async function delegate(operation: Tool, args: unknown, context: ToolContext): Promise<Delegated> {
  return { operation, value: await operation.run(operation.input.parse(args), context) };
}

function present({ operation, value }: Delegated, budget: number): Presentation<Record<string, unknown>> {
  return operation.present(value, budget);
}

function groupOf(groups: readonly ResourceGroup[], uri: string): ResourceGroup | undefined {
  return groups.find(({ scheme }) => uri.startsWith(`${scheme}://`));
}

/** One group after the other; a cursor is the group's place and the group's own cursor. */
function list(groups: readonly ResourceGroup[]): Tool {
  return defineTool({
    name: "resources/list",
    title: "List resources",
    description: "",
    input: listInput,
    output: listedResources,
    async run({ cursor = "0" }, context) {
      const [, place, inner] = /^(\d{1,2})(?:\.(.{1,17}))?$/.exec(cursor) ?? [];
      const group = groups[Number(place)];
      if (place === undefined || group === undefined) {
        throw new CallError("invalid", "Cannot go on from this cursor as it is not ours");
      }
      const rest = groups.slice(Number(place));
      for (const [offset, { resources }] of rest.entries()) {
        const args = offset === 0 && inner !== undefined ? { cursor: inner } : {};
        try {
          const { operation, value } = await delegate(resources.list, args, context);
          return { operation, value, place: Number(place) + offset };
        } catch (error) {
          // One backend that is down must not hide what the others have.
          if (!(error instanceof CallError) || (place === "0" && offset === rest.length - 1)) throw error;
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
  return defineTool({
    name: "resources/read",
    title: "Read a resource",
    description: "",
    input: readInput,
    output: readResource,
    run({ uri }, context) {
      const group = groupOf(groups, uri);
      if (group === undefined) {
        const schemes = groups.map(({ scheme }) => `${scheme}://`).join(", ");
        throw new CallError(
          "not_found",
          `Cannot read this resource as its URI begins with none of ${schemes}`,
        );
      }
      return delegate(group.resources.read, { uri }, context);
    },
    present: (value, budget) => {
      const { text, structured, rows } = present(value, budget);
      return { text, structured: readResource.parse(structured), rows };
    },
  });
}

function complete(groups: readonly ResourceGroup[]): Tool {
  return defineTool({
    name: "completion/complete",
    title: "Complete a variable",
    description: "",
    input: completeInput,
    output: completions,
    async run(args, context): Promise<Delegated | undefined> {
      const group = groupOf(groups, args.uriTemplate);
      return group === undefined ? undefined : await delegate(group.resources.complete, args, context);
    },
    present(value, budget) {
      if (value === undefined) {
        return { text: "", structured: { values: [], total: 0, hasMore: false }, rows: 0 };
      }
      const { text, structured, rows } = present(value, budget);
      return { text, structured: completions.parse(structured), rows };
    },
  });
}
