/** The sample database as a process: prints its port when it is ready, ends with its standard input. */
import { openTododb } from "./tododb.ts";

const port = await openTododb();
await Deno.stdout.write(new TextEncoder().encode(`${port}\n`));
for await (const _ of Deno.stdin.readable);
Deno.exit(0);
