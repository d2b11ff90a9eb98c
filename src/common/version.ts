/** The version of all programs, as deno.json says it. */
import configuration from "../../deno.json" with { type: "json" };

export const version: string = configuration.version;
